"""In which type a machine multiplies, and what it says of it."""

import pytest
import torch

from graphs.neighbors import precision
from graphs.neighbors.eight_bits import WIDEST, EightBits, sums_are_exact
from graphs.neighbors.low_precision import Product
from graphs.neighbors.precision import EXTRA, Probe, choose_precision, explain_precision

CPU = torch.device("cpu")


def test_narrow_layers_take_float32():
    assert choose_precision(64, CPU) == "float32"


def test_the_probe_refuses_a_product_that_breaks_the_bound(monkeypatch):
    def sloppy(self, left, right, out):
        out.copy_(left.values.float() @ right.values.float().T * 1.1)

    for kind in (Product, EightBits):
        monkeypatch.setattr(kind, "__call__", sloppy)
    precision.probe.cache_clear()
    try:
        assert choose_precision(4096, CPU) == "float32"
        assert explain_precision(4096, CPU, 10**6) == (
            "float32 products on the CPU (bfloat16 breaks its error bound here)"
        )
    finally:
        precision.probe.cache_clear()


def times(**speeds):
    """A probe that found these types so many times faster than float32."""
    return Probe({"float32": 1.0} | {name: 1 / speed for name, speed in speeds.items()})


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            times(bfloat16=3.21),
            "bfloat16 products on the CPU (3.2x as fast as float32 here)",
        ),
        (
            times(bfloat16=0.5),
            "float32 products on the CPU (bfloat16 is 0.5x as fast here, 1.5x would be worth it)",
        ),
        (
            times(bfloat16=0.25, int8=4.0),
            "int8 products on the CPU (4.0x as fast as float32 here)",
        ),
    ],
)
def test_what_the_machine_multiplies_in_is_explained(monkeypatch, found, said):
    monkeypatch.setattr(precision, "probe", lambda device: found)
    assert said.startswith(choose_precision(513, CPU, 5000))
    assert explain_precision(513, CPU, 5000) == said
    assert explain_precision(512, CPU, 5000).startswith("float32 products on the CPU, as no row")


def test_integers_are_taken_where_many_rows_are_compared(monkeypatch):
    """They save 1 - 1 / speed of a float32 product a pair, and cost EXTRA a row."""
    monkeypatch.setattr(precision, "probe", lambda device: times(bfloat16=0.5, int8=4))
    enough = int(EXTRA / (1 - 1 / 4)) + 1
    assert choose_precision(4096, CPU, enough) == "int8"
    assert choose_precision(4096, CPU, enough - 2) == "float32"
    assert choose_precision(4096, CPU) == "float32"  # no room for all rows and candidates
    assert choose_precision(WIDEST + 1, CPU, enough) == "float32"
    monkeypatch.setattr(precision, "probe", lambda device: times(bfloat16=4, int8=8))
    assert choose_precision(4096, CPU, 10**6) == "bfloat16"


def test_integers_that_saturate_are_seen(monkeypatch):
    """As where pairs of products are added in 16 bits (AVX2 without VNNI)."""
    assert isinstance(sums_are_exact(), bool)

    def exact(left, right):
        return (left.long() @ right.long()).int()

    def saturating(left, right):
        # unsigned times signed, as those processors do it: left moved up by 128
        pairs = (left.int() + 128)[:, None, :] * right.T.int()
        sums = pairs.view(*pairs.shape[:2], -1, 2).sum(dim=3).clamp(-(2**15), 2**15 - 1)
        return sums.sum(dim=2).int() - 128 * right.int().sum(dim=0)

    monkeypatch.setattr(torch, "_int_mm", exact)
    assert sums_are_exact()
    monkeypatch.setattr(torch, "_int_mm", saturating)
    assert not sums_are_exact()
    monkeypatch.delattr(torch, "_int_mm")
    assert not sums_are_exact()
