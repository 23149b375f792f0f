import colorsys
from itertools import pairwise

import pytest

from graphs.export.colors import class_colors


@pytest.mark.parametrize("classes", [1, 2, 10, 11, 100, 200])
def test_one_distinct_colour_a_class(classes):
    colors = class_colors(classes)
    assert len(set(colors)) == len(colors) == classes
    assert all(len(bytes.fromhex(color.removeprefix("#"))) == 3 for color in colors)
    assert colors == class_colors(classes)


def test_neighbouring_hues_differ_in_lightness():
    light = [colorsys.rgb_to_hls(*bytes.fromhex(color[1:]))[1] for color in class_colors(100)]
    assert min(abs(a - b) for a, b in pairwise(light)) > 255 * 0.03
