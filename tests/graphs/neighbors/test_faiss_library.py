import json
import os
import subprocess
import sys

import pytest

KERNELS = """
import json, os
import numpy as np
from threadpoolctl import threadpool_info
from graphs.neighbors.faiss_library import faiss, kernel_for_older_openblas

rows = np.random.default_rng(0).standard_normal((300, 700)).astype(np.float32)
index = faiss.IndexFlatIP(700)
index.add(rows)
similarities, _ = index.search(rows, 1)
found = {
    ("faiss" if "faiss" in library["filepath"] else "numpy"): library["architecture"]
    for library in threadpool_info()
    if library["internal_api"] == "openblas"
}
error = abs(similarities[:, 0] - (rows.astype(float) ** 2).sum(1)).max()
named = os.environ.get("OPENBLAS_CORETYPE")
print(json.dumps([found, kernel_for_older_openblas(), named, float(error)]))
"""


def kernels(**variables):
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"} | variables
    done = subprocess.run(
        [sys.executable, "-c", KERNELS], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def found():
    result = kernels()
    if "faiss" not in result[0] or "numpy" not in result[0]:
        pytest.skip("FAISS or NumPy has no OpenBLAS of its own here")
    return result


def test_faiss_takes_the_kernels_of_numpy(found):
    libraries, wanted, named, error = found
    assert libraries["faiss"].lower() == wanted.lower()
    assert named is None  # other programs that are started see nothing of it
    assert error < 700 * 2**-24 * 2 * 700  # the products are right


def test_the_users_word_stands(found):
    libraries, _, named, _ = kernels(OPENBLAS_CORETYPE="Haswell")
    assert (libraries["faiss"], named) == ("Haswell", "Haswell")
