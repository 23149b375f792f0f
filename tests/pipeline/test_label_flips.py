"""Flipped labels among the suspects: the figures, and the command on a short training."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from graphs.neighbors import knn
from pipeline.benchmarks import label_flips
from pipeline.benchmarks.label_flips import find_flips, flip_labels
from pipeline.cli import run_script
from pipeline.training import Recipe


def test_every_flip_is_another_label():
    labels = np.arange(1000) % 10
    given, flipped = flip_labels(labels, 0.05, classes=10, seed=1)
    assert flipped.sum() == 50
    assert (given[flipped] != labels[flipped]).all()
    assert (given[~flipped] == labels[~flipped]).all()
    assert set(given) == set(range(10))


def test_figures_are_those_of_the_list():
    images, labels = load_digits(return_X_y=True)
    images, labels = images[:500], labels[:500]
    given, flipped = flip_labels(labels, 0.1, classes=10, seed=0)
    nodes = pd.DataFrame(
        {"node": np.arange(500), "sample": np.arange(500), "label": given.astype(np.int32)}
        | {"label_name": given.astype(str), "predicted": labels, "confidence": 1.0}
    )
    found = find_flips((knn(images, 5),), nodes, flipped)
    # a network that is always right contradicts exactly the flipped labels
    assert found.prediction == 1
    assert found.at_share > 0.9
    assert found.recall > 0.95
    assert found.precision * found.suspects == pytest.approx(found.recall * 50)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "the data folder nowhere does not exist"),
        (["--share", "0"], "--share 0 in 20 draws flips no labels; use --share 0.05"),
        (["--draws", "0"], "--share 0.05 in 0 draws flips no labels"),
    ],
)
def test_what_cannot_be_flipped_is_an_error_in_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as left:
        run_script(label_flips.label_flips, arguments)
    assert left.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith(f"stratagraph: error: {message}")
    assert told.count("\n") == 1


@pytest.mark.slow
def test_the_command_prints_a_row_for_each_data_set(monkeypatch, capsys):
    monkeypatch.delenv("STRATAGRAPH_DATA", raising=False)
    short = Recipe(epochs=1, batch_size=64, lr=0.05, milestones=())
    monkeypatch.setattr(label_flips, "RECIPE", short)
    monkeypatch.setattr(label_flips, "DIGITS", "resnet8")
    label_flips.label_flips(draws=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("digits test, resnet8 ")
    assert lines[2].startswith("digits, trained on flipped ones")
    assert max(map(len, lines)) <= 80
    figures = [float(figure) for figure in lines[1].split()[-5:]]
    assert all(0 <= figure <= 1 for figure in [figures[0], *figures[2:]])
