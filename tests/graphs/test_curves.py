"""Which layers are kept: small curves whose answer is read off."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.curves import drops, increment, mark_layers, plateau, running_maximum
from graphs.errors import GraphError

# VGG19 on CIFAR-10, as published
VGG19 = [
    0.14685, 0.04648, 0.23842, 0.16419, 0.41784, 0.45425, 0.54398, 0.64434,
    0.78323, 0.80606, 0.81274, 0.81729, 0.80651, 0.80273, 0.79967, 0.79651,
]  # fmt: skip

curves = st.lists(st.floats(-0.5, 1, allow_nan=False), min_size=1, max_size=30)


def test_drops_are_falls_beyond_the_tolerance():
    curve = [0.5, 0.25, 0.5, 0.375, 0.375]
    assert drops(curve, tolerance=0.125).tolist() == [1]
    assert drops(curve, tolerance=0.0625).tolist() == [1, 3]
    assert drops(curve, tolerance=0).tolist() == [1, 3]
    assert drops([0.5]).tolist() == []


def test_a_plateau_needs_patience():
    curve = [0.0, 0.5, 0.5, 0.75, 0.75, 0.75, 1.0]
    assert plateau(curve, patience=1).tolist() == [0, 1, 3, 6]
    assert plateau(curve, patience=2).tolist() == [0, 1, 2, 3, 6]
    assert plateau(curve, patience=3).tolist() == list(range(7))


def test_a_step_of_exactly_the_tolerance_grows_slowly():
    assert plateau([0.0, 0.25, 0.5], tolerance=0.25).tolist() == [0]
    assert plateau([0.0, 0.25, 0.5], tolerance=0.2).tolist() == [0, 1, 2]


def test_slow_growth_and_drops_make_one_stretch():
    assert plateau([0.5, 0.51, 0.3, 0.31, 0.6], patience=3).tolist() == [0, 4]


def test_the_published_vgg19():
    """Dips after the first and third convolution stay; the last stretch goes."""
    assert drops(VGG19).tolist() == [1, 3]
    assert plateau(VGG19).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert mark_layers(VGG19) == [
        "", "drop", "", "drop", *[""] * 6, *["plateau"] * 6,
    ]  # fmt: skip


def test_a_plateau_may_begin_after_a_drop():
    assert mark_layers([0.5, 0.3, 0.3, 0.3]) == ["", "drop", "plateau", "plateau"]
    assert mark_layers([0.5, 0.3, 0.3, 0.5]) == ["", "drop", "", ""]


def test_slow_growth_is_no_plateau():
    """From 0.1 to 0.9 in 51 layers: each adds 0.016, two of them more than 0.03."""
    assert mark_layers(np.linspace(0.1, 0.9, 51)) == [""] * 51
    # 0.50 0.52 0.54 rise by 0.04 altogether; 0.54 0.55 0.56 by 0.02
    assert mark_layers([0.5, 0.52, 0.54, 0.55, 0.56, 0.7]) == ["", "", "", "plateau", "plateau", ""]


@given(curves)
def test_with_patience_1_it_is_the_rule_of_the_increment(curve):
    expected = [0, *(np.flatnonzero(np.diff(curve) > 0.03 + 1e-9) + 1)]
    assert plateau(curve, patience=1).tolist() == expected


@given(curves, st.integers(1, 5))
def test_more_patience_keeps_more(curve, patience):
    kept = set(plateau(curve, patience=patience).tolist())
    assert 0 in kept
    assert kept <= set(plateau(curve, patience=patience + 1).tolist())
    stretches = "".join("k" if i in kept else "r" for i in range(len(curve))).split("k")
    assert all(len(stretch) >= patience for stretch in stretches if stretch)


@pytest.mark.parametrize(
    ("curve", "options", "message"),
    [
        ([], {}, "shape \\(0,\\) with 0 values that are not finite cannot be judged"),
        ([0.1, np.nan], {}, "with 1 values that are not finite"),
        ([[0.1]], {}, "shape \\(1, 1\\)"),
        ([0.1], {"tolerance": -0.1}, "tolerance=-0.1 is negative; give 0 or more"),
        ([0.1], {"patience": 0}, "patience=0 makes no stretch of layers; give at least 1"),
    ],
)
def test_what_is_no_curve_is_an_error(curve, options, message):
    with pytest.raises(GraphError, match=message):
        plateau(curve, **options)


def test_increment_keeps_what_adds_more_than_the_threshold():
    curve = [0.0, 0.5, 0.5, 0.75, 0.7]
    assert increment(curve, 0.25).tolist() == [0, 1]  # 0.25 is no more than 0.25
    assert increment(curve, 0.2).tolist() == [0, 1, 3]
    assert increment(curve, -0.1).tolist() == [0, 1, 2, 3, 4]
    assert increment(VGG19).tolist() == [
        at for at in range(16) if at == 0 or VGG19[at] - VGG19[at - 1] > 0.03
    ]


def test_running_maximum_gives_the_published_network():
    assert running_maximum(VGG19).tolist() == [0, 2, 4, 5, 6, 7, 8, 9, 10, 11]
    # the last stage would be empty: it keeps 0.80651
    assert running_maximum(VGG19, [2, 2, 4, 4, 4]).tolist() == [0, 2, *range(4, 13)]


def test_running_maximum_keeps_the_first_of_equals_in_an_empty_stage():
    assert running_maximum([0.5, 0.25, 0.125, 0.25, 0.25], [1, 2, 2]).tolist() == [0, 1, 3]


@given(curves)
def test_running_maximum_is_increment_of_the_maximum_so_far(curve):
    before = np.maximum.accumulate([-np.inf, *curve[:-1]])
    assert running_maximum(curve).tolist() == np.flatnonzero(np.array(curve) > before).tolist()


@given(curves)
def test_stages_only_add_layers(curve):
    half = len(curve) // 2
    stages = [half, len(curve) - half] if half else [len(curve)]
    kept = set(running_maximum(curve, stages).tolist())
    assert kept >= set(running_maximum(curve).tolist())
    assert any(at >= half for at in kept)


@pytest.mark.parametrize("stages", [[2, 2], [5, 0], [], [3, 3]])
def test_stages_that_do_not_add_up_are_refused(stages):
    with pytest.raises(GraphError, match="do not add up to a curve of 5 layers"):
        running_maximum([0.1] * 5, stages)


def test_a_threshold_that_is_no_number_is_refused():
    with pytest.raises(GraphError, match="threshold=nan is no number"):
        increment([0.1, 0.2], float("nan"))


@pytest.mark.parametrize("ends", [(0.1, 0.8), (0.8, 0.1)])
@pytest.mark.parametrize("layers", [20, 51, 200])
def test_a_steady_curve_stands_still_nowhere(ends, layers):
    assert "plateau" not in mark_layers(np.linspace(*ends, layers))


def test_a_curve_that_hardly_moves_is_one_plateau():
    assert mark_layers(0.5 + 0.01 * np.sin(np.arange(12))) == ["", *["plateau"] * 11]


def test_a_fall_or_gain_of_just_the_tolerance_is_none():
    assert mark_layers([0.5, 0.53, 0.5, 0.53], tolerance=0.03)[2] != "drop"
    assert increment([0.5, 0.53, 0.57], 0.03).tolist() == [0, 2]
    for start in (0, 0.5, 0.7):
        curve = [0.0, start, start + 0.03, start + 0.03]
        assert mark_layers([*curve, 9.0])[2:4] == ["plateau", "plateau"]


@given(curves, st.floats(0, 0.2))
def test_a_plateau_moves_by_no_more_than_the_tolerance(curve, tolerance):
    marks = mark_layers(curve, tolerance=tolerance)
    for begin in range(1, len(curve)):
        if marks[begin] == "plateau":
            # some stretch of at least two steps around it stays within the tolerance
            stretches = [
                curve[low : high + 1]
                for low in range(begin)
                for high in range(max(begin, low + 2), len(curve))
            ]
            assert min(np.ptp(stretch) for stretch in stretches) <= tolerance + 1e-9
