"""Communities of all layers at once, end to end on digits."""

import importlib.util
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from graphs.errors import GraphError, ResourceError
from graphs.tables import read_frame
from pipeline.studies.multislice import read_layers, study_multislice

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("leidenalg") is None, reason="needs the extra multislice"
)


@pytest.fixture(scope="module")
def study(runs, tmp_path_factory):
    return study_multislice(runs[0], out=tmp_path_factory.mktemp("study") / "multislice")


def test_tables_agree(runs, study):
    layers = read_frame(study / "metrics" / "multislice.parquet", "multislice")
    nodes = read_frame(study / "metrics" / "multislice_nodes.parquet", "multislice_nodes")
    assert len(layers) == 2 * 4
    assert len(nodes) == 2 * 4 * 60
    for row in layers.to_dict("records"):
        here, at = nodes[nodes["repeat"] == row["repeat"]], row["layer_index"]
        rows = here[here["layer_index"] == at]
        assert row["n_communities"] == rows["community"].nunique()
        assert row["ami"] == pytest.approx(
            adjusted_mutual_info_score(rows["label"], rows["community"].astype(str))
        )
        if at:
            before = here.loc[here["layer_index"] == at - 1, "community"]
            assert row["kept"] == np.mean(before.to_numpy() == rows["community"].to_numpy())
    # each layer on its own: what stage 3 measured
    measured = read_frame(runs[0] / "metrics" / "layers.parquet", "layers")
    assert layers["modularity_leiden"].tolist() == measured["modularity_leiden"].tolist()
    assert layers["ami_leiden"].tolist() == pytest.approx(measured["ami"].tolist())
    # coupled samples change their communities less, and a layer's own optimum is not beaten
    assert layers["kept"].mean() > layers["kept_leiden"].mean()


def test_a_strong_coupling_keeps_everything(runs, tmp_path):
    out = study_multislice(runs[0], out=tmp_path / "strong", coupling=1000.0)
    layers = read_frame(out / "metrics" / "multislice.parquet", "multislice")
    assert (layers["kept"].dropna() == 1).all()
    assert (layers["coupling"] == 1000).all()


def test_same_files_again(runs, study, outputs, tmp_path):
    again = study_multislice(runs[0], out=tmp_path / "again")
    assert outputs(again) == outputs(study)


def test_what_is_left_behind(study):
    record = json.loads((study / "study.json").read_text())
    assert record["parameters"] == {"run": "resnet8", "coupling": 0.2, "seed": 0}
    assert record["reading"].startswith("From layer to layer, ")
    assert "each layer on its own" in (study / "figures" / "multislice.svg").read_text()


def test_what_cannot_be_leaves_nothing(runs, tmp_path, monkeypatch):
    with pytest.raises(GraphError, match="coupling=-1 is no weight"):
        study_multislice(runs[0], out=tmp_path / "out", coupling=-1.0)
    monkeypatch.setitem(__import__("sys").modules, "leidenalg", None)
    with pytest.raises(ResourceError, match="multislice"):
        study_multislice(runs[0], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_where_everything_stays_no_layer_changes_most():
    columns = {"layer_index": [0, 1], "layer": ["a", "b"], "repeat": 0, "coupling": 1000.0}
    columns |= {"ami": [0.1, 0.9], "ami_leiden": [0.2, 0.8], "n_communities": [9, 10]}
    columns |= {"kept": [np.nan, 1.0], "kept_leiden": [np.nan, 0.5]}
    said = read_layers(pd.DataFrame(columns))
    assert "50 % when each is on its own. Together" in said
