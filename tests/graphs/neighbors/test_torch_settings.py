"""Products are in full float32, whatever the user allows torch, and the setting comes back."""

import threading

import numpy as np
import pytest
import torch

from graphs.neighbors import knn, torch_settings
from graphs.neighbors.torch_settings import full_float32

SETTINGS = {
    "nothing": lambda: None,
    "old": lambda: torch.set_float32_matmul_precision("medium"),
    "of CUDA": lambda: setattr(torch.backends.cuda.matmul, "fp32_precision", "tf32"),
    "of the CPU": lambda: setattr(torch.backends.mkldnn.matmul, "fp32_precision", "bf16"),
    "of all": lambda: setattr(torch.backends, "fp32_precision", "tf32"),
}


def allowed():
    return [backend.fp32_precision for backend in torch_settings._BACKENDS]


@pytest.fixture
def settings_put_back():
    """The precision that a user allows torch, put back."""
    before = allowed(), torch.backends.fp32_precision
    yield
    torch.backends.fp32_precision = before[1]
    for backend, value in zip(torch_settings._BACKENDS, before[0], strict=True):
        backend.fp32_precision = value


@pytest.mark.usefixtures("settings_put_back")
@pytest.mark.parametrize("name", SETTINGS)
def test_full_float32_whatever_the_user_allows_torch(name):
    SETTINGS[name]()
    before = allowed()
    with full_float32:
        assert allowed() == ["ieee", "ieee"]
        x = np.abs(np.random.default_rng(0).normal(size=(60, 300)))
        found, expected = (knn(x, 3, engine=engine) for engine in ("certified", "reference"))
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.weights, expected.weights)
    assert allowed() == before


@pytest.mark.usefixtures("settings_put_back")
def test_threads_that_overlap_keep_full_float32_and_put_it_back():
    torch.set_float32_matmul_precision("medium")
    before = allowed()
    inside, leave = threading.Event(), threading.Event()

    def first():
        with full_float32:
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(10)
    with full_float32:
        leave.set()
        thread.join()
        assert allowed() == ["ieee", "ieee"]
    assert allowed() == before
