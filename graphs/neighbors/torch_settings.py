"""Settings of torch that products need, for the time of some calls: full float32, one thread.

They are the process's, not a thread's: callers that overlap share one object, which counts them.
"""

import threading

import torch


class _FullFloat32:
    """Multiply in float32 also where the user allows torch less (TF32, bfloat16).

    The setting is the process's: of threads that overlap, the first one in changes it and the last
    one out puts it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._allowed: list[str] = []

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._allowed = [backend.fp32_precision for backend in _BACKENDS]
                for backend in _BACKENDS:
                    backend.fp32_precision = "ieee"
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for backend, allowed in zip(_BACKENDS, self._allowed, strict=True):
                    backend.fp32_precision = allowed


# asking for each backend works with torch's old setting and with its new ones
_BACKENDS = (
    torch.backends.cuda.matmul,
    torch.backends.mkldnn.matmul,  # type: ignore[attr-defined]  # torch does not declare it
)
full_float32 = _FullFloat32()


class _OneThread:
    """Have torch take one thread in the calling one; put back what it took before.

    New threads begin with what was set last in any: of callers that overlap, the first one knows
    what it was.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 1

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = torch.get_num_threads()
            self._inside += 1
            torch.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            torch.set_num_threads(self._before)


one_thread = _OneThread()
