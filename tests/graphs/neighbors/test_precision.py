"""In which type a machine multiplies, and what it says of it."""

import pytest
import torch

from graphs.neighbors import precision
from graphs.neighbors.low_precision import Product
from graphs.neighbors.precision import Probe, choose_precision, explain_precision

CPU = torch.device("cpu")


def test_narrow_layers_take_float32():
    assert choose_precision(64, CPU) == "float32"


def test_the_probe_refuses_a_product_that_breaks_the_bound(monkeypatch):
    def sloppy(self, left, right, out):
        out.copy_(left.values.float() @ right.values.float().T * 1.1)

    monkeypatch.setattr(Product, "__call__", sloppy)
    precision.probe.cache_clear()
    try:
        assert choose_precision(4096, CPU) == "float32"
        assert explain_precision(4096, CPU) == (
            "float32 products on the CPU (bfloat16 breaks its error bound here)"
        )
    finally:
        precision.probe.cache_clear()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Probe("bfloat16", 3.21), "bfloat16 products on the CPU (3.2x as fast as float32 here)"),
        (
            Probe("float32", 0.5),
            "float32 products on the CPU (bfloat16 is 0.5x as fast here, 1.5x would be worth it)",
        ),
    ],
)
def test_what_the_machine_multiplies_in_is_explained(monkeypatch, found, said):
    monkeypatch.setattr(precision, "probe", lambda device: found)
    assert choose_precision(513, CPU) == found.precision
    assert explain_precision(513, CPU) == said
    assert explain_precision(512, CPU).startswith("float32 products on the CPU, as no row")
