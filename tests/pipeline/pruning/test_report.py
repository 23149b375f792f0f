import pandas as pd
import pytest

from pipeline.pruning.report import lay_out, read_result

ORIGINAL = {
    "step": 0, "state": "original", "removed": "", "accuracy": 0.9164, "accuracy_low": 0.8978,
    "accuracy_high": 0.9319, "parameters": 853018, "macs": 125_490_000, "seconds_1": 4e-3,
    "seconds_1_low": 3.9e-3, "seconds_1_high": 4.2e-3, "seconds_64": 0.123456, "speedup_1": 1.0,
    "device": "this",
}  # fmt: skip


def table(**changes):
    tuned = ORIGINAL | {"step": 1, "state": "tuned", "parameters": 487002, "macs": 49_990_000}
    return pd.DataFrame([ORIGINAL, tuned | changes])


def test_the_table():
    assert lay_out(table(seconds_1=2e-3)).splitlines() == [
        "network   accuracy   95 % interval   params     MACs  1 image  64 images",
        "original    91.64%  89.78 to 93.19  853.0 k  125.5 M     4 ms     123 ms",
        "tuned       91.64%  89.78 to 93.19  487.0 k  49.99 M     2 ms     123 ms",
    ]


def test_steps_have_numbers_and_small_counts_no_unit():
    rows = lay_out(table(step=12, parameters=730)).splitlines()
    assert rows[0].startswith("network   accuracy")
    assert rows[1].startswith("original ")
    assert rows[2].startswith("tuned 12 ")
    assert "  730  " in rows[2]


def test_no_line_is_too_long():
    wide = {
        "step": 12, "state": "surgery", "accuracy": 1.0, "accuracy_low": 0.9996,
        "accuracy_high": 1.0, "parameters": 143.7e6, "macs": 19.63e9, "seconds_1": 1.234,
        "seconds_64": 98.765,
    }  # fmt: skip
    assert max(map(len, lay_out(table(**wide)).splitlines())) <= 80


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"accuracy": 0.8978}, "1.86 points below the original's, within that one's"),
        ({"accuracy": 0.8977}, "1.87 points below the original's, outside that one's"),
        ({"accuracy": 0.94}, "2.36 points above the original's, outside that one's"),
        ({}, "accuracy is equal to the original's, within"),
        ({}, "42.9 % fewer parameters and 60.2 % fewer multiply-accumulates"),
        (
            {"speedup_1": 2.0, "seconds_1_low": 2e-3, "seconds_1_high": 2e-3},
            "is 2.00 times faster with one image on this.",
        ),
        (
            {"speedup_1": 0.8, "seconds_1_low": 5e-3, "seconds_1_high": 5e-3},
            "is 1.25 times slower with one image on this.",
        ),
        (
            {"speedup_1": 1.05, "seconds_1_low": 3e-3, "seconds_1_high": 3.95e-3},
            "is not measurably faster or slower (ratio 1.05, quartiles overlap) with one image",
        ),
    ],
)
def test_the_sentence(changes, said):
    assert said in read_result(table(**changes))
