import pytest

from pipeline.layer_info import LayerInfo


@pytest.mark.parametrize(
    ("shape", "axis", "pool", "values"),
    [
        ((16, 8, 8), 1, "none", 16 * 8 * 8),
        ((16, 8, 8), 1, "avg", 16),
        ((8, 8, 16), -1, "avg", 16),
        ((65, 128), 1, "cls", 128),
        ((65, 128), 1, "mean", 128),
        ((512,), 1, "avg", 512),
        ((512,), 1, "cls", 512),
    ],
)
def test_values_that_pooling_keeps(shape, axis, pool, values):
    layer = LayerInfo(index=0, name="a", type="A", shape=shape, channel_axis=axis)
    assert layer.stored_values(pool) == values
