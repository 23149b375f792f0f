"""Several runs in one figure."""

import json
from pathlib import Path

import numpy as np
import pytest

from graphs.errors import RunError, TableError
from graphs.tables import read_frame
from pipeline.options import Images, Neighbours, Network
from pipeline.run import run_stages
from pipeline.stage1_activations import dump_activations
from pipeline.studies.compare import name_runs, study_compare


def test_two_networks(command, runs, tmp_path):
    status, out, err = command(["study", "compare", *runs, "--out", tmp_path / "both"])
    assert (status, out.strip()) == (0, str(tmp_path / "both"))
    table = read_frame(tmp_path / "both/metrics/compare.parquet", "compare")
    assert table["run"].unique().tolist() == ["resnet8", "mlp"]
    for place, (name, curve) in zip(runs, table.groupby("run", sort=False), strict=True):
        layers = read_frame(place / "metrics/layers.parquet", "layers")
        expected = layers.groupby("layer_index")["modularity"]
        assert curve["modularity"].tolist() == expected.mean().tolist()
        assert curve["sd"].tolist() == expected.std().tolist()
        count = len(curve)
        assert curve["depth"].tolist() == pytest.approx(np.arange(count) / (count - 1))
        assert curve["step"].tolist()[1:] == np.diff(curve["modularity"]).tolist()
        assert curve["step"].isna().tolist() == [True, *[False] * (count - 1)]
        assert f"{name}: Q goes from" in " ".join(err.split())
    assert set(table["dataset"]) == {"digits"}
    record = json.loads((tmp_path / "both/study.json").read_text())
    assert record["figures"] == ["compare.svg", "compare.png"]
    assert "the runs differ" not in err
    layers = read_frame(tmp_path / "both/metrics/layers.parquet", "layers")
    assert layers["variant"].unique().tolist() == ["resnet8", "mlp"]


def test_the_same_files_twice(runs, tmp_path, outputs):
    for name in ("a", "b"):
        study_compare(*runs, out=tmp_path / name)
    assert outputs(tmp_path / "a") == outputs(tmp_path / "b")
    study_compare(*runs, out=tmp_path / "a", names="first,second")
    table = read_frame(tmp_path / "a/metrics/compare.parquet", "compare")
    assert table["run"].unique().tolist() == ["first", "second"]


def test_the_same_folder_shows_other_runs(runs, tmp_path, outputs):
    out = study_compare(*runs, out=tmp_path / "study")
    record = json.loads((out / "study.json").read_text())
    # versions before this one recorded whose study it is
    (out / "study.json").write_text(json.dumps(record | {"subject": "of-other-runs"}))
    for chosen, names in ((runs[::-1], None), ((*runs, runs[0]), "a,b,c"), (runs[:1], None)):
        study_compare(*chosen, out=out, names=names)
        fresh = study_compare(*chosen, out=tmp_path / f"fresh-{len(chosen)}", names=names)
        assert outputs(out) == outputs(fresh)


def test_runs_that_differ_are_warned_of(runs, tmp_path, caplog):
    other = tmp_path / "other"
    images, near = Images(samples=50, repeats=1), Neighbours(k=5, metric="pearson")
    run_stages(other, network=Network(model="mlp"), images=images, neighbours=near)
    study_compare(runs[0], other, out=tmp_path / "study")
    assert "the runs differ in samples (resnet8 60, other 50): Q depends on it" in caplog.text
    assert "the runs differ in k (resnet8 3, other 5)" in caplog.text
    assert "the runs differ in metric (resnet8 cosine, other pearson)" in caplog.text
    reading = json.loads((tmp_path / "study" / "study.json").read_text())["reading"]
    assert reading.endswith(
        "The runs differ in metric (resnet8 cosine, other pearson): Q depends on it."
    )
    table = read_frame(tmp_path / "study/metrics/compare.parquet", "compare")
    assert table.loc[table["run"] == "other", "sd"].isna().all()


def test_published_curves_are_drawn_behind(runs, tmp_path, outputs):
    rows = [f"modularity_curve,ResNet8,digits,,{x},{x / 10},+-0.002" for x in (1, 2, 3)]
    path = tmp_path / "curves.csv"
    path.write_text("figure,model,dataset,setting,x,Q,precision\n" + "\n".join(rows) + "\n")
    study_compare(*runs, out=tmp_path / "with", published=path)
    study_compare(*runs, out=tmp_path / "without")
    assert "ResNet8, digits" not in (tmp_path / "without/figures/compare.svg").read_text()
    same = outputs(tmp_path / "with"), outputs(tmp_path / "without")
    assert {name for name in same[0] if same[0][name] != same[1][name]} == {
        "figures/compare.svg", "figures/compare.png",
    }  # fmt: skip
    with pytest.raises(TableError, match=r"none\.csv does not exist"):
        study_compare(*runs, out=tmp_path / "none", published=tmp_path / "none.csv")


def test_what_is_no_finished_run_is_an_error(command, runs, tmp_path):
    with pytest.raises(RunError, match="nothing holds no finished run; give folders in which"):
        study_compare(runs[0], tmp_path / "nothing", out=tmp_path / "study")
    half = tmp_path / "half"
    dump_activations(half, network=Network(model="mlp"), images=Images(samples=20, repeats=1))
    with pytest.raises(RunError, match="half has no finished stage 3 \\(communities\\)"):
        study_compare(half, out=tmp_path / "study")
    assert not (tmp_path / "study").exists()
    status, _, err = command(["study", "compare", "--out", tmp_path / "study"])
    assert status == 1
    said = err.splitlines()[-1]
    assert said == "stratagraph: error: there is no run to show; name the folders of finished runs"


def test_names():
    runs = (Path("a/run"), Path("b/run"))
    assert name_runs(runs, "x, y") == ["x", "y"]
    with pytest.raises(RunError, match="the name 'run' is empty or given twice; give --names a,b"):
        name_runs(runs, None)
    with pytest.raises(RunError, match="--names gives 1 names for 2 runs"):
        name_runs(runs, "x")
    with pytest.raises(RunError, match="the name '' is empty"):
        name_runs(runs, "x,")
