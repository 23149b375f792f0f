"""Rules with their margins."""

import numpy as np
import pytest

from graphs.errors import PlanError
from pipeline.pruning.rules import Rule, on_a_hair, spread_of_margins

CURVE = np.array([0.0, 0.5, 0.25, 0.625])


@pytest.mark.parametrize("name", ["increment", "running_maximum"])
def test_a_layer_is_kept_where_its_margin_is_above_zero(name):
    rule = Rule(name=name, threshold=0.25)
    kept = rule(CURVE)
    assert kept.tolist() == [0, *np.flatnonzero(rule.margins(CURVE)[1:] > 0) + 1]


def test_margins():
    assert Rule(name="increment", threshold=0.25).margins(CURVE)[1:].tolist() == [
        0.25, -0.5, 0.125,
    ]  # fmt: skip
    assert Rule(name="running_maximum").margins(CURVE)[1:].tolist() == [0.5, -0.25, 0.125]
    assert np.isnan(Rule(name="plateau").margins(CURVE)[0])


def test_a_plateau_is_as_long_as_its_patience():
    curve = np.array([0, 0.5, 0.5, 0.5])
    assert Rule(name="plateau", patience=2)(curve).tolist() == [0, 1]
    assert Rule(name="plateau", patience=3)(curve).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("threshold", "said"),
    [
        (0.5, "-0.250 to 0.500: every layer would be removed; give a value .*, or a budget"),
        (-0.5, "every layer would be kept"),
    ],
)
def test_a_threshold_outside_the_curve(threshold, said):
    with pytest.raises(PlanError, match=said):
        Rule(name="increment", threshold=threshold).check(CURVE)


def test_any_maximum_has_a_range():
    rule = Rule(name="running_maximum", threshold=9)
    rule.check(CURVE)
    assert rule(CURVE).tolist() == [0, 1, 3]


def test_spread_is_the_deviation_over_curves_and_names_what_hangs_on_a_hair():
    rule = Rule(name="increment", threshold=0.25)
    curves = np.array([[0, 0.5, 0.75], [0, 0.25, 0.625]])
    spread = spread_of_margins(rule, curves)
    assert np.isnan(spread[0])
    # increments .5 .25 and .25 .375: deviations of two values are their distance / sqrt 2
    assert spread[1:].tolist() == pytest.approx([0.25 / 2**0.5, 0.125 / 2**0.5])
    margins = rule.margins(curves.mean(axis=0))  # .125 and .0625
    assert on_a_hair(["a", "b", "c"], margins, spread) == ["b", "c"]
    assert np.isnan(spread_of_margins(rule, curves[:1])).all()
