import math

import pandas as pd
import pytest

from pipeline.summary import curve_table, mean_curve, reading


def table(*curves):
    """The table `layers` of some repeats."""
    return pd.DataFrame(
        [
            {"repeat": repeat, "layer_index": index, "layer": f"conv{index}", "modularity": value}
            for repeat, curve in enumerate(curves)
            for index, value in enumerate(curve)
        ]
    )


def test_mean_and_sample_standard_deviation_over_repeats():
    curve = mean_curve(table([0.1, 0.6], [0.3, 0.8]))
    assert curve["modularity"].tolist() == pytest.approx([0.2, 0.7])
    # n - 1 = 1 in the denominator: sqrt(2 * 0.1^2 / 1)
    assert curve["spread"].tolist() == pytest.approx([math.sqrt(2 * 0.1**2)] * 2)


def test_layers_stand_in_order_of_depth_beyond_ten():
    curve = mean_curve(table([0.01 * index for index in range(12)]))
    assert curve["layer"].tolist() == [f"conv{index}" for index in range(12)]


@pytest.mark.parametrize(
    ("curve", "sentence"),
    [
        ([0.1, 0.5], "Classes separate with depth: Q goes from 0.10 (conv0) to 0.50 (conv1); every layer adds 0.03 or more."),
        ([0.1, 0.5, 0.51], "Classes separate with depth: Q goes from 0.10 (conv0) to 0.51 (conv2); 1 of 2 steps gains less than 0.03 and may be redundant: conv2."),
        ([0.1, 0.6, 0.5], "Classes separate with depth: Q goes from 0.10 (conv0) to 0.50 (conv2), highest at conv1 (0.60); Q falls by more than 0.03 at conv2, which may be redundant."),
        ([0.08, 0.047, 0.008, 0.164, 0.176, 0.78], "Classes separate with depth: Q goes from 0.08 (conv0) to 0.78 (conv5); 3 of 5 steps gain less than 0.03 and may be redundant: conv1, conv2, conv4; Q falls by more than 0.03 at conv1, conv2."),
        ([0.1, 0.12, 0.145, 0.11, 0.135], "Classes separate with depth: Q goes from 0.10 (conv0) to 0.14 (conv4), highest at conv2 (0.14); no single step gains 0.03 or more; Q falls by more than 0.03 at conv3."),
        ([0.10, 0.12, 0.14], "Classes separate with depth: Q goes from 0.10 (conv0) to 0.14 (conv2); no single step gains 0.03 or more."),
        ([0.1, 0.11], "Classes do not separate with depth: Q goes from 0.10 (conv0) to 0.11 (conv1)."),
        ([0.3, 0.1], "Classes mix with depth: Q goes from 0.30 (conv0) to 0.10 (conv1), highest at conv0 (0.30)."),
        ([0.4], "One layer, conv0: Q is 0.40."),
    ],
)  # fmt: skip
def test_the_sentence_says_what_the_curve_shows(curve, sentence):
    assert reading(table(curve)) == sentence


def test_many_flat_layers_are_counted():
    sentence = reading(table([0.1, 0.5, *[0.5] * 9]))
    assert sentence.endswith("conv2, conv3, conv4, conv5, conv6, conv7 and 3 more.")


def test_the_table_fits_80_columns_and_shows_negative_values():
    layers = table([-0.01, 0.5, 1.0])
    layers["layer"] = layers["layer"] + "." + "very_long_module_name." * 3
    lines = curve_table(layers).splitlines()
    assert max(map(len, lines)) < 80
    assert "-0.010" in lines[1]
    assert "█" not in lines[1]
    assert lines[3].count("█") == 2 * lines[2].count("█") == 30
    assert "±" not in curve_table(layers)
    assert "± 0.141" in curve_table(table([0.1], [0.3]))
