import pandas as pd
import pytest
from matplotlib.image import imread

from graphs.errors import TableError
from pipeline.api import analyze
from pipeline.data import load_data
from pipeline.figures import draw_figures, find_published

PARAMETERS = {
    "model": "resnet18",
    "dataset": "parquet",
    "given": {"data": "sets/cifar10-exact/a.parquet"},
}


@pytest.fixture
def published(tmp_path):
    """A table of published curves."""
    row = {"figure": "modularity_curve", "setting": None, "precision": "+-0.002"}
    frame = pd.DataFrame(
        [
            row | {"model": model, "dataset": "CIFAR-10", "x": x, "Q": x / 10}
            for model in ("ResNet18", "ResNet34")
            for x in (2, 1, 3)
        ]
    )
    frame.to_csv(tmp_path / "curves.csv", index=False)
    return tmp_path / "curves.csv"


def test_a_published_curve_is_found_by_the_name_in_the_path(published):
    curve = find_published(published, PARAMETERS)
    assert curve["x"].tolist() == [1, 2, 3]
    assert set(curve["model"]) == {"ResNet18"}


def test_none_is_drawn_for_another_network_and_that_is_said(published, caplog):
    assert find_published(published, PARAMETERS | {"model": "vit.py:vit"}) is None
    assert "has no curve of vit.py:vit on parquet" in caplog.text


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(TableError, match=r"none\.csv does not exist"):
        find_published(tmp_path / "none.csv", PARAMETERS)


def test_figures_are_drawn_the_same_twice(tmp_path, published):
    found = analyze("mlp", load_data("digits"), samples=60, repeats=2)
    curve = find_published(published, PARAMETERS)
    for name in ("a", "b"):
        names = draw_figures(tmp_path / name, found, PARAMETERS, published=curve)
    kinds = ("png", "svg")
    drawn = ("class-pairs", "classes", "curve")
    assert sorted(names) == [f"{name}.{kind}" for name in drawn for kind in kinds]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    title = "resnet18, cifar10-exact/a.parquet  ·  60 samples, k = 3"
    assert title in (tmp_path / "a" / "curve.svg").read_text()
    assert title in (tmp_path / "a" / "classes.svg").read_text()
    picture = imread(tmp_path / "a" / "curve.png")
    assert picture.shape[0] > 400
    assert len({tuple(pixel) for row in picture[::7] for pixel in row[::7]}) > 20
