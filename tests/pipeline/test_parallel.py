"""The stages on a Ray cluster of two nodes, both on this machine."""

import os
import shutil
import signal
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import pytest
import ray
from ray import cloudpickle
from ray.cluster_utils import Cluster as Nodes

from graphs.errors import CorruptFileError, DataError, ResourceError
from graphs.runs import Run
from pipeline import stage2_edges
from pipeline.cluster import RETRIES, Cluster
from pipeline.options import Images, Machine, Neighbours, Network
from pipeline.parallel import open_cluster
from pipeline.progress import progress_bar
from pipeline.run import run_stages
from pipeline.stage1_activations import dump_activations
from pipeline.stage2_edges import build_edges
from pipeline.stage3_communities import measure_graphs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

IMAGES = Images(samples=300, repeats=2)
# so little that a layer of 300 samples is several blocks, and a part several batches
MEMORY = "1MiB"
LOCAL, ON_RAY = Machine(memory=MEMORY), Machine(memory=MEMORY, executor="ray")
EDGES = "variant=clean/repeat=*/edges/*.parquet"

# A network whose process dies once, in a worker of Ray, after some shards were begun.
MORTAL = """
import os, signal, sys
from pathlib import Path
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(1, 8, 3, padding=1)
        self.b = nn.Linear(8 * 8 * 8, 10)

    def forward(self, x):
        here = Path(__file__).parent
        begun = "default_worker" in sys.argv[0] and any((here / "run").rglob(".part-*.tmp"))
        if begun and not (here / "died").exists():
            (here / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.b(torch.relu(self.a(x)).flatten(1))

def net():
    torch.manual_seed(0)
    return Net()
"""


@pytest.fixture(scope="module")
def nodes():
    """Start two nodes with one processor each; nothing is left of them afterwards."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")  # of Ray's test tools
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        size = {"num_cpus": 1, "object_store_memory": 100 << 20}
        cluster = Nodes(initialize_head=True, head_node_args={**size, "include_dashboard": False})
        cluster.add_node(**size)
        try:
            yield cluster
        finally:
            cluster.shutdown()


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Run the stages in this process."""
    out = tmp_path_factory.mktemp("local") / "run"
    return run_stages(out, network=Network(model="resnet8"), images=IMAGES, machine=LOCAL)


@pytest.fixture
def joined(nodes):
    """Stay connected during a test, as a user of Ray may be: the stages use the connection."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()


def files(folder):
    """Bytes of every file but the manifest, which names the command and the device."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def assert_same_files(folder, expected):
    found, wanted = files(folder), files(expected)
    assert sorted(found) == sorted(wanted)
    assert [name for name in wanted if found[name] != wanted[name]] == []


def entries(folder):
    """What the stages recorded, without the command."""
    stages = Run(folder).manifest["stages"]
    return {
        name: {key: value for key, value in entry.items() if key != "command"}
        for name, entry in stages.items()
    }


def without_edges(run, to):
    """Copy a run of which only stage 1 is done."""
    shutil.copytree(run, to)
    Run(to).reopen("edges")
    for path in to.glob(EDGES):
        path.unlink()
    return to


def test_every_file_is_that_of_a_local_run(nodes, local, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    out = tmp_path / "run"
    run_stages(out, network=Network(model="resnet8"), images=IMAGES, machine=ON_RAY)
    assert not ray.is_initialized()
    assert_same_files(out, local)
    assert entries(out) == entries(local)


def test_a_worker_killed_in_stage_1(joined, tmp_path):
    (tmp_path / "mortal.py").write_text(MORTAL)
    network, out = Network(model=f"{tmp_path / 'mortal.py'}:net"), tmp_path / "run"
    dump_activations(out, network=network, images=IMAGES, machine=ON_RAY)
    assert (tmp_path / "died").exists()
    expected = dump_activations(tmp_path / "local", network=network, images=IMAGES, machine=LOCAL)
    assert_same_files(out, expected)
    assert not list(out.rglob("*.tmp"))


class Killer(threading.Thread):
    """Kills a process of Ray in the middle of a task with this name, a few times."""

    def __init__(self, task, times):
        super().__init__(daemon=True)
        self.title, self.left, self.killed = f"ray::{task}".encode(), times, []
        self.done = threading.Event()

    def run(self):
        while self.left and not self.done.is_set():
            for place in Path("/proc").glob("[0-9]*"):
                if not self._works(place):
                    continue
                process = int(place.name)
                os.kill(process, signal.SIGSTOP)  # it cannot end its task between look and kill
                if self._works(place):
                    os.kill(process, signal.SIGKILL)
                    self.killed.append(process)
                    self.left -= 1
                    break
                os.kill(process, signal.SIGCONT)
            time.sleep(0.001)

    def _works(self, place):
        try:
            return (place / "cmdline").read_bytes().startswith(self.title)
        except OSError:
            return False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes in /proc")
def test_a_worker_killed_in_stage_2(joined, local, tmp_path):
    out = without_edges(local, tmp_path / "run")
    with Killer("link_blocks", times=2) as killer:
        build_edges(out, machine=ON_RAY)
    assert len(killer.killed) == 2
    measure_graphs(out)  # the other executor goes on
    assert_same_files(out, local)


def test_interrupted_and_finished_by_the_other_executor(
    nodes, local, tmp_path, command, monkeypatch
):
    out = without_edges(local, tmp_path / "run")
    argv = ["edges", "--out", out, "--memory", MEMORY, "--executor", "ray"]

    @contextmanager
    def interrupted(*arguments, **options):
        with progress_bar(*arguments, **options) as advance:

            def first(*done):
                advance(*done)
                signal.raise_signal(signal.SIGINT)

            yield first

    with monkeypatch.context() as patch:
        patch.setattr(stage2_edges, "progress_bar", interrupted)
        status, _, said = command([*argv, "--ray-address", nodes.address])
    assert (status, said.splitlines()[-1]) == (
        130,
        "stratagraph: interrupted; the same command goes on from here",
    )
    assert not ray.is_initialized()
    assert list(out.rglob("*.tmp")) == []
    finished = {path: path.stat().st_mtime_ns for path in out.glob(EDGES)}
    assert 0 < len(finished) <= 8  # others may be done before the first is heard of
    build_edges(out, machine=LOCAL)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    measure_graphs(out, machine=LOCAL)
    assert_same_files(out, local)


def test_errors_of_tasks_are_ours(joined, local, tmp_path, command):
    out = without_edges(local, tmp_path / "run")
    shard = next(iter(out.rglob("layer=002/part-00000.parquet")))
    shard.write_bytes(shard.read_bytes()[:-100])
    argv = ["edges", "--out", out, "--memory", MEMORY, "--executor", "ray"]
    status, _, said = command(argv)
    assert status == 1
    assert said.splitlines()[-1].startswith(f"stratagraph: error: {shard} is truncated or damaged")
    with pytest.raises(CorruptFileError, match="part-00000.parquet is truncated or damaged"):
        build_edges(out, neighbours=Neighbours(engine="reference"), machine=ON_RAY)


def test_a_node_that_sees_other_images_is_refused(joined, tmp_path, monkeypatch):
    # this process takes the data set for another one
    monkeypatch.setattr("pipeline.data.ImageData.digest", lambda self: "other")
    with pytest.raises(DataError, match="a node of the cluster sees .* other images"):
        dump_activations(
            tmp_path / "run", network=Network(model="mlp"), images=IMAGES, machine=ON_RAY
        )


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def fail():
    raise ZeroDivisionError("by zero")


def double(number):
    return 2 * number


@pytest.fixture
def sent_by_value():
    """Functions of this file: workers cannot import it."""
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


def test_tasks_of_a_cluster(joined, sent_by_value):
    with open_cluster(ON_RAY) as cluster:
        assert (cluster.workers, cluster.cpus_each, cluster.device) == (2, 1, "cpu")
        starts = [
            lambda at=at: [cluster.submit(double, cluster.submit(double, at), memory=1 << 60)]
            for at in range(5)
        ]
        assert sorted(cluster.collect(starts, limit=2)) == [0, 4, 8, 12, 16]
        shared = cluster.share(21)
        assert list(cluster.collect([lambda: [cluster.submit(double, shared)]], limit=1)) == [42]
        with pytest.raises(ZeroDivisionError, match="by zero") as raised:
            list(cluster.collect([lambda: [cluster.submit(fail)]], limit=1))
        assert raised.value.__notes__[0].startswith("in a process of the cluster: ")
    assert ray.is_initialized()


def linger(seconds):
    time.sleep(seconds)


def test_what_nobody_waits_for_is_cancelled(joined, sent_by_value):
    lingering = []

    def start(seconds):
        lingering.append(cluster.submit(linger, seconds))
        return [lingering[-1]]

    with open_cluster(ON_RAY) as cluster:
        starts = [lambda seconds=seconds: start(seconds) for seconds in (0, 600)]
        results = cluster.collect(starts, limit=2)
        next(results)
    # `results` is still there: cancelling does not wait for Python to free it
    with pytest.raises((ray.exceptions.TaskCancelledError, ray.exceptions.WorkerCrashedError)):
        ray.get(lingering[1], timeout=60)
    assert list(results) == []


def test_work_whose_process_dies_every_time(joined, sent_by_value):
    with (
        open_cluster(ON_RAY) as cluster,
        pytest.raises(ResourceError, match=f"WorkerCrashedError, {RETRIES + 1} attempts.; look at"),
    ):
        # the error comes through the task that waits for the one that dies
        after = [lambda: [cluster.submit(double, cluster.submit(die))]]
        list(cluster.collect(after, limit=1))


def test_a_gpu_that_no_node_has(joined):
    with pytest.raises(ResourceError, match="--device cuda: no node of the Ray cluster has a GPU"):
        Cluster(ray, "cuda")
