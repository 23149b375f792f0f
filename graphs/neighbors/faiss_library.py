"""FAISS, loaded with matrix kernels that fit the processor.

FAISS' wheels bring an OpenBLAS of their own, of 2021. It does not know processors made since then
and takes the kernels of 2004 for them, seven times slower in a product of float32. NumPy's OpenBLAS
is newer and has chosen kernels for this machine: FAISS' is told to take the same.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np  # noqa: F401 (loads the OpenBLAS that is asked)
from threadpoolctl import threadpool_info

VARIABLE = "OPENBLAS_CORETYPE"
# What NumPy's OpenBLAS calls kernels that the older one lacks: their closest relatives there.
OLDER = {"SapphireRapids": "SkylakeX", "Cooperlake": "SkylakeX"}


def kernel_for_older_openblas() -> str | None:
    """Return the kernels that an OpenBLAS of 2021 should take here; None where it knows best.

    Examples
    --------
    >>> kernel_for_older_openblas() is None or len(kernel_for_older_openblas()) > 0
    True
    """
    for library in threadpool_info():
        if library["internal_api"] == "openblas" and library.get("architecture"):
            chosen = str(library["architecture"])
            return OLDER.get(chosen, chosen)
    return None


@contextmanager
def _kernels_named() -> Iterator[None]:
    """Name the kernels while a library is loaded: OpenBLAS looks once. The user's word stands."""
    kernels = None if VARIABLE in os.environ else kernel_for_older_openblas()
    if kernels is None:
        yield
        return
    os.environ[VARIABLE] = kernels
    try:
        yield
    finally:
        del os.environ[VARIABLE]


with _kernels_named():
    import faiss

__all__ = ["faiss", "kernel_for_older_openblas"]
