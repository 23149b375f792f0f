"""The study of settings, end to end on digits; and what all studies have in common."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from graphs.errors import DataError, GraphError, LayerError, RunError
from graphs.shapes import compare_curves
from graphs.tables import read_frame
from pipeline import analyze
from pipeline.data import load_data
from pipeline.options import Features, Images, Network, Work
from pipeline.studies import variants
from pipeline.studies.ablation import _curves, read_shapes, study_ablation
from pipeline.studies.folder import StudyFolder
from pipeline.studies.grid import Grid, vary
from pipeline.studies.variants import Variant

NETWORK = Network(model="resnet8")
IMAGES = Images(samples=60, repeats=2)
GRID = Grid(ks="3,5", sizes="60,90", metrics="cosine,pearson", pools="avg")


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    out = tmp_path_factory.mktemp("study") / "ablation"
    return study_ablation(out, network=NETWORK, images=IMAGES, grid=GRID)


def test_every_curve_is_that_of_a_run_with_these_settings(study):
    layers = read_frame(study / "metrics" / "layers.parquet", "layers")
    assert layers["variant"].nunique() == 5  # k 3, k 5, n 90, pearson, avg
    digits = load_data("digits")
    for options in ({"k": 5}, {"metric": "pearson"}, {"samples": 90}, {"pool": "avg"}):
        asked = {"k": 3, "metric": "cosine", "samples": 60, "pool": "none"} | options
        found = analyze("resnet8", digits, repeats=2, **asked)
        rows = layers[
            (layers["k"] == asked["k"])
            & (layers["metric"] == asked["metric"])
            & (layers["n_nodes"] == asked["samples"])
            & (layers["pool"] == asked["pool"])
        ]
        assert rows["modularity"].tolist() == found.layers["modularity"].tolist(), options


def test_the_table_has_every_pair_of_settings(study):
    table = read_frame(study / "metrics" / "ablation.parquet", "ablation")
    pairs = table[["varied", "setting_a", "setting_b"]].to_numpy().tolist()
    assert pairs == [
        ["k", "3", "5"],
        ["samples", "60", "90"],
        ["metric", "cosine", "pearson"],
        ["repeat", "0", "1"],
    ]
    layers = read_frame(study / "metrics" / "layers.parquet", "layers")
    base = layers[layers["variant"] == "n-00060-blocks-none-cosine-k-003"]
    first, second = (base.loc[base["repeat"] == r, "modularity"].to_numpy() for r in (0, 1))
    assert table["largest_difference"].iloc[-1] == abs(first - second).max()
    record = json.loads((study / "study.json").read_text())
    assert (record["study"], record["state"]) == ("ablation", "done")
    assert record["reading"].startswith("Over 4 layers the shape of a curve cannot be told from ")
    assert "over 4 layers (3 against 5)" in record["reading"]
    assert {path.name for path in (study / "figures").iterdir()} == {"ablation.png", "ablation.svg"}


def test_activations_are_shared_by_all_k_and_metrics(study):
    runs = sorted(path.name for path in (study / "runs").iterdir())
    assert runs == ["n-00060-blocks-avg", "n-00060-blocks-none", "n-00090-blocks-none"]


@pytest.mark.parametrize("at", [0, 2, 4])
def test_interrupted_and_finished(study, tmp_path, monkeypatch, at):
    """In the stages of one of its five variants."""
    calls = []

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == at + 1:
            raise KeyboardInterrupt
        return build_edges(*arguments, **options)

    build_edges = variants.build_edges
    out = tmp_path / "ablation"
    with monkeypatch.context() as patch:
        patch.setattr(variants, "build_edges", interrupted)
        with pytest.raises(KeyboardInterrupt):
            study_ablation(out, network=NETWORK, images=IMAGES, grid=GRID)
    assert not (out / "metrics" / "ablation.parquet").exists()
    done = []
    monkeypatch.setattr(
        variants, "build_edges", lambda *a, **o: (done.append(1), build_edges(*a, **o))[1]
    )
    study_ablation(out, network=NETWORK, images=IMAGES, grid=GRID)
    assert len(done) == 5 - at
    found, wanted = files(out), files(study)
    kept = {name for name in wanted if not name.startswith("runs/")}
    assert {name for name in found if not name.startswith("runs/")} == kept
    assert [name for name in kept if found[name] != wanted[name]] == []


def test_a_study_that_is_done_measures_nothing_again(study, monkeypatch):
    before = files(study)
    monkeypatch.setattr(variants, "build_edges", None)
    study_ablation(study, network=NETWORK, images=IMAGES, grid=GRID)
    assert files(study) == before


def test_force_begins_anew(tmp_path):
    grid = Grid(ks="3,4", sizes="none", metrics="none")
    images = Images(samples=40, repeats=1)
    out = study_ablation(tmp_path / "s", network=NETWORK, images=images, grid=grid)
    first = files(out)
    table = out / "variants"
    stamp = {path: path.stat().st_mtime_ns for path in table.rglob("*.parquet")}
    study_ablation(out, network=NETWORK, images=images, grid=grid, work=Work(force=True))
    assert files(out) == first
    assert all(path.stat().st_mtime_ns != before for path, before in stamp.items())


def test_presets_are_compared_by_the_layers_that_they_share(tmp_path):
    out = study_ablation(
        tmp_path / "s",
        network=NETWORK,
        images=Images(samples=40, repeats=1),
        features=Features(pool="avg"),
        grid=Grid(ks="none", sizes="none", metrics="none", presets="blocks;layer*.0"),
    )
    table = read_frame(out / "metrics" / "ablation.parquet", "ablation")
    row = table.iloc[0]
    assert (row["varied"], row["n_layers"], row["largest_difference"]) == ("layers", 3, 0.0)


def settings_of(*, images=IMAGES, layers="blocks", **grid):
    base = Variant(
        name="base", run="base", network=NETWORK, images=images, features=Features(layers=layers)
    )
    none = {"ks": "none", "sizes": "none", "metrics": "none"}
    return list(vary(base, Grid(**none | grid), load_data("digits")))


def test_presets_that_look_alike_are_different_variants():
    presets = (
        "blocks", "layer1.0,conv1,layer3.0", "layer1.0.conv1,layer3.0", "layer1.*", "layer1.?",
    )  # fmt: skip
    found = settings_of(presets=";".join(presets), images=Images(samples=60, repeats=1))
    assert [setting.value for setting in found] == list(presets)
    assert len({setting.variant.name for setting in found}) == len(presets)
    assert len({setting.variant.run for setting in found}) == len(presets)
    assert found[0].variant.run == "n-00060-blocks-none"  # plain names stay


def test_many_layers_make_no_long_name():
    names = [f"layer{i}.{j}.conv{k}" for i in (1, 2, 3) for j in range(5) for k in (1, 2, 3)]
    both = [settings_of(layers=",".join(names[:count]), ks="3,5")[0].variant for count in (44, 45)]
    assert both[0].run != both[1].run
    assert max(len(variant.name) for variant in both) < 64


def test_repeats_of_noise_are_not_alike():
    """Means of the first 1, 2, ... share repeats: their rank correlation is 0.6 on noise."""
    settings = settings_of(images=Images(samples=60, repeats=5))
    name = settings[0].variant.name
    layers = pd.DataFrame(
        [[name, repeat, f"l{at}", at] for repeat in range(5) for at in range(40)],
        columns=["variant", "repeat", "layer", "layer_index"],
    )
    generator = np.random.default_rng(0)
    found = [
        compare_curves(
            _curves(layers.assign(modularity=generator.normal(size=len(layers))), settings)
        )["spearman"].mean()
        for _ in range(5)
    ]
    assert len(settings) == 5
    assert abs(np.mean(found)) < 0.1


def shapes_and_curves(**values):
    """Curves of settings, each a list of Q by depth, under the name ``varied__setting``."""
    curves = pd.concat(
        pd.DataFrame({"modularity": q, "layer_index": range(len(q))}).assign(
            varied=name.split("__")[0], setting=name.split("__")[1]
        )
        for name, q in values.items()
    )
    curves["layer"] = "l" + curves["layer_index"].astype(str)
    return compare_curves(curves), curves


def test_repeats_have_no_part_in_the_verdict():
    rising, falling = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    repeats = {"repeat__0": rising, "repeat__1": falling}
    of_repeats = (
        "repeat: rank correlation of single repeats at least -1.00 over 6 layers (0 against 1), "
        "the last layer's Q lies between 0.10 and 0.60."
    )
    said = read_shapes(*shapes_and_curves(k__3=rising, k__5=rising, **repeats))
    assert said == (
        "The curve keeps its shape. k: rank correlation of the curves at least 1.00 over 6 layers "
        f"(3 against 5), the last layer's Q goes from 0.60 to 0.60; {of_repeats}"
    )
    assert read_shapes(*shapes_and_curves(**repeats)) == f"Only repeats are compared. {of_repeats}"


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        # rho = 1 - 6 * (2 * d^2) / (6 * 35) of two that change places, d apart
        ([0.1, 0.2, 0.3, 0.4, 0.6, 0.5], "The curve keeps its shape."),  # 1 - 2 / 35
        ([0.3, 0.2, 0.1, 0.4, 0.5, 0.6], "The curve mostly keeps its shape."),  # 1 - 8 / 35
        ([0.6, 0.2, 0.3, 0.4, 0.5, 0.1], "The curve's shape depends on the settings."),
        ([0.1, 0.2, 0.3, 0.4, 0.6], "Over 5 layers the shape of a curve cannot be told from"),
    ],
)
def test_the_verdict_needs_six_layers(other, verdict):
    curve = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert read_shapes(*shapes_and_curves(k__3=curve, k__5=other)).startswith(verdict)


def test_a_pair_with_few_layers_in_common_has_no_part_in_the_verdict():
    curve = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    said = read_shapes(
        *shapes_and_curves(k__3=curve, k__5=curve, layers__a=curve, layers__b=curve[2::-1])
    )
    assert said.startswith("The curve keeps its shape. k: ")
    assert "-1.00 over 3 layers, too few to rule out chance (a against b)." in said


def test_ks_that_the_samples_are_too_few_for_are_left_out_of_the_paper_s(tmp_path, caplog):
    grid = Grid(sizes="none", metrics="none")
    out = study_ablation(
        tmp_path / "s", network=NETWORK, images=Images(samples=10, repeats=1), grid=grid
    )
    layers = pd.read_parquet(out / "metrics" / "layers.parquet")
    assert sorted(layers["k"].unique()) == [3, 5, 7, 9]
    assert "10 samples: k 11, 20, 50, 100 are left out" in caplog.text


def test_samples_that_the_data_lacks_are_left_out_of_the_paper_s(tmp_path, caplog):
    grid = Grid(ks="none", metrics="none")
    out = study_ablation(
        tmp_path / "s", network=NETWORK, images=Images(samples=40, repeats=1), grid=grid
    )
    layers = pd.read_parquet(out / "metrics" / "layers.parquet")
    assert sorted(layers["n_nodes"].unique()) == [200, 500]
    assert "digits has 596 images: samples 1000, 2000, 5000 are left out" in caplog.text


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"ks": "3,x"}, GraphError, "--ks: 'x' is no whole number above 0; write --ks 3,5,7"),
        ({"ks": "0"}, GraphError, "--ks: '0' is no whole number above 0"),
        ({"ks": "3,60"}, GraphError, "--ks 60 needs at least 61 samples, there are 60"),
        ({"sizes": "9999", "ks": "3"}, DataError, "9999"),
        ({"sizes": "3,60", "ks": "3"}, GraphError, "--sizes 3 is too few for k=3; leave it out"),
        ({"metrics": "euclid"}, GraphError, "--metrics: 'euclid' is not one of its values"),
        ({"pools": "max"}, GraphError, "--pools: 'max' is not one of its values"),
    ],
)
def test_a_wrong_grid_is_an_error_before_any_work(tmp_path, options, error, said):
    grid = Grid(**({"sizes": "none"} | options))
    with pytest.raises(error, match=said):
        study_ablation(tmp_path / "s", network=NETWORK, images=IMAGES, grid=grid)
    assert not (tmp_path / "s").exists()


def test_an_empty_grid_is_an_error(tmp_path):
    grid = Grid(ks="none", sizes="none", metrics="none")
    with pytest.raises(GraphError, match="the grid is empty: every setting is none"):
        study_ablation(tmp_path / "s", network=NETWORK, images=Images(repeats=1), grid=grid)


def test_a_folder_of_something_else_is_refused(study, tmp_path):
    with pytest.raises(RunError, match="holds a study 'ablation', this one is 'random'"):
        StudyFolder(study, "random")
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="holds files that are no study"):
        StudyFolder(tmp_path, "ablation", force=True)
    with pytest.raises(RunError, match=r"mine.txt is a file, not a folder"):
        StudyFolder(tmp_path / "mine.txt", "ablation")


def test_published_curves_are_drawn_behind(tmp_path):
    table = tmp_path / "published.csv"
    rows = [
        f"ablation,ResNet8,Digits,{setting},{x},{0.1 * x}," for setting in ("k=3", "N=200")
        for x in (1, 2, 3, 4)
    ]  # fmt: skip
    table.write_text("\n".join(["figure,model,dataset,setting,x,Q,precision", *rows]))
    grid = Grid(ks="3,4", sizes="none", metrics="none", published=table)
    out = study_ablation(
        tmp_path / "s", network=NETWORK, images=Images(samples=40, repeats=1), grid=grid
    )
    drawn = (out / "figures" / "ablation.svg").read_text()
    assert "ResNet8, Digits, k=3 (Lu et al. 2022)" in drawn
    assert "N=200" not in drawn


def test_one_curve_is_nothing_to_compare(tmp_path):
    out = study_ablation(
        tmp_path / "s",
        network=NETWORK,
        images=Images(samples=40, repeats=1),
        grid=Grid(ks="3", sizes="none", metrics="none"),
    )
    assert json.loads((out / "study.json").read_text())["reading"].startswith("There is nothing to")


def test_layers_that_are_not_there_show_before_any_work(tmp_path):
    grid = Grid(ks="3,4", sizes="none", metrics="none", presets="blocks;nolayer")
    with pytest.raises(LayerError, match="nolayer"):
        study_ablation(tmp_path / "s", network=NETWORK, images=IMAGES, grid=grid)
    assert not (tmp_path / "s").exists()


def test_a_study_that_goes_on_with_other_settings_is_not_called_done(study, tmp_path, monkeypatch):
    out = tmp_path / "s"
    shutil.copytree(study, out)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(variants, "build_edges", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study_ablation(out, network=NETWORK, images=IMAGES, grid=Grid(ks="7,9", sizes="none"))
    assert json.loads((out / "study.json").read_text())["state"] == "begun"
