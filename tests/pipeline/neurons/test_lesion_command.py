import networkx as nx
import numpy as np
import pytest

import pipeline.neurons.lesion_command as command
from graphs.errors import RunError
from graphs.export import check_gephi
from graphs.tables import read_frame
from pipeline.data import load_data
from pipeline.models import load_model
from pipeline.neurons.recipe import NeuronRecipe
from pipeline.neurons.training import train_neurons

MODEL = "mlp-40-32"
OPTIONS = {"model": MODEL, "clusters": 4, "random_sets": 9, "pair_sets": 4, "progress": False}
TABLES = ("lesion_sets", "lesions", "lesion_classes", "dependencies")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    train, test = (load_data("digits", split=split) for split in ("train", "test"))
    model = load_model(MODEL, classes=10, input_shape=(1, 8, 8))
    recipe = NeuronRecipe(epochs=12, pruning_epochs=6, batch_size=32)
    out = tmp_path_factory.mktemp("network")
    return str(train_neurons(model, train, test, out=out, recipe=recipe).pruned)


@pytest.fixture(scope="module")
def finished(weights, tmp_path_factory):
    return command.lesion_neurons(tmp_path_factory.mktemp("lesions"), weights=weights, **OPTIONS)


def _read(folder):
    return {name: read_frame(folder / "metrics" / f"{name}.parquet", name) for name in TABLES}


def test_tables_fit_one_another(finished):
    tables = _read(finished)
    lesions, sets = tables["lesions"], tables["lesion_sets"]
    assert len(sets) == len(lesions) * 10
    assert len(tables["lesion_classes"]) == len(lesions) * 10
    assert set(lesions["layer"]) == {"net.1", "net.3"}
    alive = lesions.groupby("layer")[["size", "alive"]].agg({"size": "sum", "alive": "first"})
    assert (alive["size"] == alive["alive"]).all()
    assert (lesions["intact"] > 0.7).all()
    important = lesions[lesions["kind"] == "important"]
    sides = important["layer"].value_counts()
    pairs = int(np.prod([sides.get(layer, 0) for layer in ("net.1", "net.3")]))
    assert pairs > 0, "a network without pairs tests nothing"
    assert len(tables["dependencies"]) == pairs


def test_graph_file_is_read_back(finished):
    path = finished / "exports" / "dependencies.graphml"
    assert check_gephi(path) == []
    graph = nx.read_graphml(path)
    tables = _read(finished)
    assert len(graph) == (tables["lesions"]["kind"] == "important").sum()
    linked = tables["dependencies"].query("kind != 'none'")
    assert graph.number_of_edges() == len(linked)
    for a, b in graph.edges:
        assert {graph.nodes[n]["layer_index"] for n in (a, b)} == {1, 2}


def test_figures_are_there(finished):
    for name in ("lesions.png", "lesions.svg", "classes.png", "classes.svg"):
        assert (finished / "figures" / name).stat().st_size > 1000


def test_interrupted_test_goes_on_and_ends_in_the_same_files(
    weights, finished, tmp_path, monkeypatch
):
    done = []
    whole = command.lesion_layer

    def layer(bench, name, **options):
        if done:
            raise KeyboardInterrupt
        done.append(name)
        return whole(bench, name, **options)

    monkeypatch.setattr(command, "lesion_layer", layer)
    with pytest.raises(KeyboardInterrupt):
        command.lesion_neurons(tmp_path, weights=weights, **OPTIONS)
    assert not (tmp_path / "metrics").exists()
    again = []
    monkeypatch.setattr(
        command, "lesion_layer", lambda b, name, **o: again.append(name) or whole(b, name, **o)
    )
    command.lesion_neurons(tmp_path, weights=weights, **OPTIONS)
    assert (done, again) == (["net.1"], ["net.3"])
    for name in TABLES:
        path = f"metrics/{name}.parquet"
        assert (tmp_path / path).read_bytes() == (finished / path).read_bytes()


def test_other_lesions_and_other_files_are_kept(weights, finished, tmp_path):
    with pytest.raises(RunError, match="with other options"):
        command.lesion_neurons(finished, weights=weights, **{**OPTIONS, "clusters": 5})
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="files that are no lesions"):
        command.lesion_neurons(tmp_path, weights=weights, **OPTIONS)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_network_that_lesions_do_not_hurt(tmp_path):
    """Untrained: nothing is important, and the graph of modules is empty."""
    out = command.lesion_neurons(tmp_path, **{**OPTIONS, "random_sets": 19})
    tables = _read(out)
    assert "important" not in set(tables["lesions"]["kind"])
    assert tables["dependencies"].empty
    assert len(nx.read_graphml(out / "exports" / "dependencies.graphml")) == 0


@pytest.mark.parametrize("modules", ["local", "activations"])
def test_other_modules(modules, weights, finished, tmp_path):
    options = {**OPTIONS, "random_sets": 1, "pair_sets": 0, "modules": modules}
    lesions = _read(command.lesion_neurons(tmp_path, weights=weights, **options))["lesions"]
    plain = _read(finished)["lesions"]
    assert set(lesions["layer"]) == {"net.1", "net.3"}
    assert lesions[["layer", "module", "size"]].values.tolist() != (
        plain[["layer", "module", "size"]].values.tolist()
    )
    if modules == "local":
        assert len(lesions) == len(plain)


@pytest.mark.parametrize("modules", ["weights", "activations"])
def test_convolutions(modules, tmp_path):
    options = {**OPTIONS, "model": "vgg8", "random_sets": 1, "pair_sets": 0, "clusters": 2}
    lesions = _read(command.lesion_neurons(tmp_path, modules=modules, **options))["lesions"]
    assert lesions["layer"].nunique() > 2
