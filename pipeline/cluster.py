"""Work sent to the processes of a Ray cluster that `pipeline.parallel` has joined."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

from graphs.errors import ResourceError, StratagraphError

RETRIES = 3  # how often the same work is begun again after its process died
RESTARTS = 100  # of one worker of stage 1, over a whole run
CANCEL_SECONDS = 10.0

# What Ray gives for a value that is not there yet. Handed to another task, it becomes the value.
Ref = Any
T_co = TypeVar("T_co", covariant=True)


class Worker(Protocol, Generic[T_co]):
    """An object that a process of the cluster holds while it works on one job after the other."""

    def ready(self) -> None:
        """Prepare for the first job."""
        ...

    def work(self, *job: Any) -> T_co:
        """Do one job. It may be done again after the process died in the middle of it."""
        ...


class Cluster:
    """The processes of a Ray cluster.

    Parameters
    ----------
    ray : module
        Ray, connected.
    device : {"auto", "cpu", "cuda"}
        Whether GPUs are used.

    Attributes
    ----------
    device : {"cpu", "cuda"}
        Where networks run and neighbours are searched.
    workers : int
        How many processes work at the same time: one a GPU, else one a CPU.
    cpus_each : int
        CPUs of a process that holds a GPU; 1 without GPUs.

    Raises
    ------
    ResourceError
        When there is no CPU, or no GPU where one is asked for.
    """

    def __init__(self, ray: ModuleType, device: str) -> None:
        self._ray = ray
        found = ray.cluster_resources()
        cpus, gpus = int(found.get("CPU", 0)), int(found.get("GPU", 0))
        if not cpus:
            raise ResourceError(
                "the Ray cluster has no CPUs", "start a node with `ray start --address=HOST:PORT`"
            )
        if device == "cuda" and not gpus:
            raise ResourceError(
                "--device cuda: no node of the Ray cluster has a GPU", "use --device auto or cpu"
            )
        self.device = "cuda" if gpus and device != "cpu" else "cpu"
        self.workers = gpus if self.device == "cuda" else cpus
        kind = "GPU" if self.device == "cuda" else "CPU"
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        nodes = [node for node in nodes if node.get(kind, 0) >= 1]
        # on the node with the fewest CPUs beside each GPU, too, every GPU gets a process
        each = (node.get("CPU", 0) // node["GPU"] for node in nodes if kind == "GPU")
        self.cpus_each = max(1, int(min(each, default=1)))
        self._node_memory = int(max(node.get("memory", 0) for node in nodes))
        self._remote = cache(ray.remote)
        self._results: list[Generator[Any]] = []

    def share(self, value: object) -> Ref:
        """Put a value where all processes can read it, once."""
        return self._ray.put(value)

    def submit(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        memory: int = 0,
        returns: int = 1,
        searching: bool = False,
    ) -> Ref:
        """Call a function of a module in one of the processes; again where the process dies.

        Parameters
        ----------
        function : callable
            Calling it twice must do the same as calling it once.
        *arguments
            Values, or what `submit` and `share` gave.
        memory : int
            Bytes that it will take: a node is given no more work than fits into its memory.
        returns : int
            How many values it returns, as a tuple if not 1; each is a reference of its own.
        searching : bool
            Whether it uses the device.
        """
        options = self._resources(memory, searching=searching) | {
            "max_retries": RETRIES,
            "num_returns": returns,
            "name": function.__name__,
        }
        return self._remote(function).options(**options).remote(*arguments)

    def collect(self, starts: Iterable[Callable[[], list[Ref]]], *, limit: int) -> Iterator[Any]:
        """Start pieces of work and give their results as they come, in any order.

        Parameters
        ----------
        starts : iterable of callable
            Each submits the tasks of one piece and returns their references. The last one is
            the result.
        limit : int
            How many pieces may be under way.

        Raises
        ------
        StratagraphError
            What a task raised, or a `ResourceError` when its process died too often. The other
            tasks are cancelled then, as after an interruption.
        """
        return self._kept(self._collect(starts, limit))

    def _collect(self, starts: Iterable[Callable[[], list[Ref]]], limit: int) -> Generator[Any]:
        coming, pending = iter(starts), dict[Ref, list[Ref]]()
        try:
            while True:
                for start in islice(coming, limit - len(pending)):
                    references = start()
                    pending[references[-1]] = references
                if not pending:
                    return
                (done,), _ = self._ray.wait(list(pending), num_returns=1)
                value = self._value(done)
                del pending[done]
                yield value
        finally:
            self._cancel([reference for piece in pending.values() for reference in piece])

    def spread(
        self,
        kind: Callable[..., Worker[T_co]],
        jobs: Sequence[tuple[Any, ...]],
        *,
        arguments: tuple[Any, ...],
        memory: int,
    ) -> Iterator[T_co]:
        """Have workers do jobs and give the results as they come, in any order.

        A worker gets a job when it is ready, one at a time, and goes when there is no other: a
        worker whose node was lost finds room then.

        Parameters
        ----------
        kind : class
            Of the workers; `arguments` are those of its constructor.
        jobs : sequence of tuple
            Arguments of `Worker.work`.
        memory : int
            Bytes that a worker takes.

        Raises
        ------
        StratagraphError
            As in `collect`.
        """
        options = self._resources(memory, searching=True) | {
            "max_restarts": RESTARTS,
            "max_task_retries": RETRIES,
        }
        return self._kept(self._spread(kind, jobs, arguments, options))

    def _spread(
        self,
        kind: Callable[..., Worker[T_co]],
        jobs: Sequence[tuple[Any, ...]],
        arguments: tuple[Any, ...],
        options: dict[str, Any],
    ) -> Generator[T_co]:
        start = self._remote(kind).options(**options).remote
        workers = [start(*arguments) for _ in range(min(self.workers, len(jobs)))]
        waiting, working = deque(jobs), dict[Ref, Any]()
        preparing = {_prepare(worker): worker for worker in workers}
        try:
            while waiting or working:
                (done,), _ = self._ray.wait([*working, *preparing], num_returns=1)
                new = done in preparing
                worker = (preparing if new else working).pop(done)
                value: Any = None if new and self._died(done) else self._value(done)
                if waiting:
                    working[worker.work.remote(*waiting.popleft())] = worker
                else:
                    self._ray.kill(worker)
                if not new:
                    yield value
        finally:
            for worker in workers:
                self._ray.kill(worker)

    def stop(self) -> None:
        """Cancel what is still under way, as after an interruption of whoever took the results.

        A generator that nobody goes on with would else do so when Python frees it: late, and when
        Ray may be gone.
        """
        while self._results:
            self._results.pop().close()

    def _kept(self, results: Generator[T_co]) -> Generator[T_co]:
        self._results.append(results)
        return results

    def _resources(self, memory: int, *, searching: bool) -> dict[str, Any]:
        """Return what a process asks for; never more memory than the largest node has."""
        wanted = min(memory, self._node_memory)
        gpu = searching and self.device == "cuda"
        return {
            "num_cpus": self.cpus_each if gpu else 1,
            **({"num_gpus": 1} if gpu else {}),
            **({"memory": wanted} if wanted else {}),
        }

    def _died(self, preparation: Ref) -> bool:
        """Whether a worker died while it got ready: its first job begins it again, if possible."""
        exceptions = self._ray.exceptions
        try:
            self._ray.get(preparation)
        except exceptions.RayError as error:
            return isinstance(error, exceptions.RayActorError)
        return False

    def _value(self, reference: Ref) -> Any:
        """Return a result, or raise what it failed with as one of our errors."""
        exceptions = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except exceptions.RayError as error:
            cause: BaseException = error
            while isinstance(cause, exceptions.RayTaskError):
                cause = cause.cause
            if isinstance(cause, exceptions.RayError):
                raise _lost(cause) from error
            if not isinstance(cause, StratagraphError):
                cause.add_note(f"in a process of the cluster: {error}")
            raise cause from None

    def _cancel(self, references: list[Ref]) -> None:
        """End the tasks that are not done, and wait for their end."""
        if not references:
            return
        # Ray 2.60 ends this process when a task is cancelled whose result is just arriving
        _, undone = self._ray.wait(references, num_returns=len(references), timeout=0)
        for reference in undone:
            self._ray.cancel(reference, force=True)
        if undone:
            self._ray.wait(undone, num_returns=len(undone), timeout=CANCEL_SECONDS)


def _prepare(worker: Any) -> Ref:
    """Ask a worker to get ready. One that is not needed any more is killed while it does."""
    return worker.ready.options(max_task_retries=0).remote()


def _lost(error: BaseException) -> ResourceError:
    """Say that a process died as often as it may."""
    kind = type(error).__name__
    if kind == "OutOfMemoryError":
        reason = "a node ran out of memory"
    elif kind in ("ObjectStoreFullError", "OutOfDiskError"):
        reason = "Ray's object store is full"
    else:
        reason = f"{kind}, {RETRIES + 1} attempts"
    return ResourceError(
        f"work on the Ray cluster was lost ({reason})",
        "look at memory and disk of its nodes (a lower --memory takes less of a node); what is "
        "finished is kept, the same command goes on",
    )
