"""The study of layer similarity, end to end on digits."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from graphs.cka_sums import CkaSums, feature_gram
from graphs.correlations import rank_correlation
from graphs.errors import CorruptFileError, GraphError, ResourceError, RunError
from graphs.layer_pairs import (
    distinct_pairs,
    mean_pairs,
    neighboring_layers,
)
from graphs.runs import Run
from graphs.shards import LayerRows
from graphs.similarity import chance_overlap, linear_cka
from graphs.tables import read_frame
from pipeline.cli import main
from pipeline.options import Features, Images, Machine, Neighbours, Network, Work
from pipeline.run import run_stages
from pipeline.stage2_edges import build_edges
from pipeline.studies import layer_comparison
from pipeline.studies.similarity import study_similarity

IMAGES = Images(samples=60, repeats=2)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for model in ("resnet8", "mlp"):
        run_stages(root / model, network=Network(model=model), images=IMAGES)
    return root


@pytest.fixture(scope="module")
def study(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("study") / "similarity"
    return study_similarity(runs / "resnet8", out=out, batch=20)


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def table(folder):
    return read_frame(folder / "metrics" / "similarity.parquet", "similarity")


def rows_of(run, repeat, layer):
    place = Run(run).repeat("clean", repeat).layer(layer)
    return LayerRows(sorted(place.glob("*.parquet")))[0:60].astype(np.float64)


def test_one_batch_is_cka_of_the_features(runs, tmp_path):
    found = table(study_similarity(runs / "resnet8", out=tmp_path / "s", batch=60))
    assert len(found) == 2 * 4 * 4
    for row in found.itertuples():
        features = [
            rows_of(runs / "resnet8", row.repeat, at)
            for at in (row.layer_a_index, row.layer_b_index)
        ]
        assert row.cka == pytest.approx(linear_cka(*features), abs=1e-10)


def test_modularity_and_neighbours_are_those_of_the_run(runs, study):
    layers = read_frame(runs / "resnet8" / "metrics" / "layers.parquet", "layers")
    q = layers.set_index(["repeat", "layer"])["modularity"]
    for row in table(study).itertuples():
        assert row.modularity_difference == abs(
            q[row.repeat, row.layer_a] - q[row.repeat, row.layer_b]
        )
        lists = []
        for at in (row.layer_a_index, row.layer_b_index):
            edges = pd.read_parquet(Run(runs / "resnet8").repeat("clean", row.repeat).edges(at))
            lists.append(set(zip(edges["source"], edges["target"], strict=True)))
        assert row.neighbor_overlap == len(lists[0] & lists[1]) / (60 * 3)


def test_all_layers_have_the_same_batches(study, runs):
    """The table is symmetric, and close to what all samples at once give."""
    found = table(study)
    for _, rows in found.groupby("repeat"):
        cka = rows.pivot_table(index="layer_a_index", columns="layer_b_index", values="cka")
        assert (cka.to_numpy() == cka.to_numpy().T).all()
        assert (np.diag(cka) == 1).all()
        sums = CkaSums(4)
        sums.add(
            [feature_gram(rows_of(runs / "resnet8", rows["repeat"].iloc[0], at)) for at in range(4)]
        )
        np.testing.assert_allclose(cka, sums.cka(), atol=0.1)


def test_what_is_left_behind(study):
    record = json.loads((study / "study.json").read_text())
    assert (record["study"], record["state"]) == ("similarity", "done")
    assert record["parameters"] == {"runs": ["resnet8"], "batch": 20}
    assert "Features change most from" in record["reading"]
    assert "over 6 pairs of 4 layers, too few to rule out chance: " in record["reading"]
    names = {path.name for path in (study / "figures").iterdir()}
    assert names == {"similarity.png", "similarity.svg"}
    assert set(record["figures"]) == names


def test_two_runs_on_the_same_samples(runs, tmp_path):
    out = study_similarity(runs / "resnet8", runs / "mlp", out=tmp_path / "s", batch=60)
    found = table(out)
    assert set(found["run_a"]) == {"resnet8"}
    assert set(found["run_b"]) == {"mlp"}
    width = found["layer_b_index"].nunique()
    assert len(found) == 2 * 4 * width
    row = found[(found["layer_a_index"] == 2) & (found["layer_b_index"] == 1)].iloc[0]
    first, second = rows_of(runs / "resnet8", 0, 2), rows_of(runs / "mlp", 0, 1)
    assert row["cka"] == pytest.approx(linear_cka(first, second), abs=1e-10)
    assert "Most alike are" in json.loads((out / "study.json").read_text())["reading"]


def test_runs_of_the_same_name_are_told_apart(runs, tmp_path):
    (tmp_path / "b").mkdir()
    shutil.copytree(runs / "resnet8", tmp_path / "b" / "resnet8")
    out = study_similarity(runs / "resnet8", tmp_path / "b" / "resnet8", out=tmp_path / "s")
    found = table(out)
    assert (found["run_a"].unique(), found["run_b"].unique()) == (["resnet8 (1)"], ["resnet8 (2)"])
    assert found.loc[found["layer_a"] == found["layer_b"], "cka"].tolist() == [1.0] * 8


@pytest.mark.parametrize("at", [0, 1])
def test_interrupted_and_finished(runs, study, tmp_path, monkeypatch, at):
    """In one of its two repeats; the batches of one are worked on one after the other."""
    compare, done = layer_comparison.Comparison.compare, []

    def interrupted(self, advance):
        done.append(self.repeat)
        if len(done) == at + 1:
            raise KeyboardInterrupt
        return compare(self, advance)

    out = tmp_path / "similarity"
    with monkeypatch.context() as patch:
        patch.setattr(layer_comparison.Comparison, "compare", interrupted)
        with pytest.raises(KeyboardInterrupt):
            study_similarity(runs / "resnet8", out=out, batch=20)
    assert not (out / "metrics").exists()
    again = []
    monkeypatch.setattr(
        layer_comparison.Comparison,
        "compare",
        lambda self, advance: (again.append(self.repeat), compare(self, advance))[1],
    )
    study_similarity(runs / "resnet8", out=out, batch=20)
    assert again == list(range(at, 2))
    assert files(out) == files(study)
    study_similarity(runs / "resnet8", out=out, batch=20)
    assert len(again) == 2 - at
    study_similarity(runs / "resnet8", out=out, batch=20, work=Work(force=True))
    assert len(again) == 4 - at
    assert files(out) == files(study)
    study_similarity(runs / "resnet8", out=out, batch=30)  # another batch is another answer
    assert len(again) == 6 - at


def test_memory_changes_passes_and_not_results(runs, study, tmp_path, monkeypatch):
    """All batches at once, or one after the other."""
    monkeypatch.setattr(layer_comparison, "CHUNK_BYTES", 1 << 12)
    reads = []
    rows = layer_comparison.layer_rows
    monkeypatch.setattr(layer_comparison, "layer_rows", lambda *a: (reads.append(1), rows(*a))[1])
    for memory, passes in (("1600kB", 3), ("1680kB", 2), ("1GiB", 1)):
        reads.clear()
        out = study_similarity(
            runs / "resnet8", out=tmp_path / memory, batch=20, machine=Machine(memory=memory)
        )
        assert len(reads) == 2 * 4 * passes
        assert table(out).equals(table(study))


def test_a_batch_that_does_not_fit_is_refused_before_any_work(runs, tmp_path):
    with pytest.raises(
        ResourceError,
        match=r"a batch of 60 samples with up to \d+ values takes .*"
        r" --memory 1MiB is less; raise --memory, or lower --batch 256",
    ):
        study_similarity(runs / "resnet8", out=tmp_path / "s", machine=Machine(memory="1MiB"))
    assert not (tmp_path / "s").exists()


def test_a_layer_that_does_not_vary_is_named(runs, tmp_path, monkeypatch, caplog):
    def constant(item, at, machine):
        rows = rows_of(runs / "resnet8", item.folder.repeat, at)
        return np.ones_like(rows) if at == 1 else rows

    monkeypatch.setattr(layer_comparison, "layer_rows", constant)
    out = study_similarity(runs / "resnet8", out=tmp_path / "s")
    assert table(out)["cka"].isna().sum() == 2 * 7
    assert "resnet8: the features of layer1.0 do not vary between samples: no CKA" in caplog.text


def test_numbers_that_are_none_name_the_layer(runs, tmp_path, monkeypatch):
    broken = np.full((60, 4), np.nan)
    monkeypatch.setattr(layer_comparison, "layer_rows", lambda item, at, machine: broken)
    with pytest.raises(Exception, match=r"layer 0 \(\w+\): the features hold NaN or infinity"):
        study_similarity(runs / "resnet8", out=tmp_path / "s")


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (Images(samples=60, repeats=1, seed=5), r"holds other samples than .*resnet8 \(repeat 0\)"),
        (Images(samples=50, repeats=2), r"holds other samples than .*; run both with the same"),
    ],
)
def test_runs_on_other_samples_are_refused(runs, tmp_path, images, said):
    run_stages(tmp_path / "other", network=Network(model="mlp"), images=images)
    with pytest.raises(RunError, match=said):
        study_similarity(runs / "resnet8", tmp_path / "other", out=tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_runs_with_another_k_are_refused(runs, tmp_path):
    shutil.copytree(runs / "mlp", tmp_path / "mlp")
    build_edges(tmp_path / "mlp", neighbours=Neighbours(k=5))
    with pytest.raises(GraphError, match=r"k=3 and k=5; link one again: .*edges --out .*mlp --k 3"):
        study_similarity(runs / "resnet8", tmp_path / "mlp", out=tmp_path / "s")


def test_fewer_repeats_are_said(runs, tmp_path, caplog):
    run_stages(tmp_path / "mlp", network=Network(model="mlp"), images=Images(samples=60, repeats=1))
    out = study_similarity(runs / "resnet8", tmp_path / "mlp", out=tmp_path / "s")
    assert set(table(out)["repeat"]) == {0}
    assert "one run has 2 repeats, the other 1: those of both are compared" in caplog.text


def test_what_is_no_run_is_refused(runs, tmp_path):
    for run, other, said in (
        (tmp_path / "none", None, "there is no folder .*none; name the folder of a finished run"),
        (runs / "resnet8", runs / "resnet8", "is named twice"),
    ):
        with pytest.raises(RunError, match=said):
            study_similarity(run, other, out=tmp_path / "s")
    with pytest.raises(GraphError, match="batches of 3 are too small"):
        study_similarity(runs / "resnet8", out=tmp_path / "s", batch=3)
    with pytest.raises(RunError, match="holds files that are no study"):
        study_similarity(runs / "resnet8", out=runs / "mlp")
    assert not (tmp_path / "s").exists()


def test_a_run_with_damaged_features_is_refused(runs, tmp_path):
    shutil.copytree(runs / "mlp", tmp_path / "mlp")
    shard = Run(tmp_path / "mlp").repeat("clean", 0).shard(0, 0)
    shard.write_bytes(shard.read_bytes()[:-30])
    with pytest.raises(CorruptFileError, match="truncated or damaged"):
        study_similarity(tmp_path / "mlp", out=tmp_path / "s")


def test_one_layer_is_nothing_to_compare(tmp_path):
    images, features = Images(samples=30, repeats=1), Features(layers="layer2.0")
    run_stages(tmp_path / "r", network=Network(model="resnet8"), images=images, features=features)
    out = study_similarity(tmp_path / "r", out=tmp_path / "s")
    said = json.loads((out / "study.json").read_text())["reading"]
    assert said == "There is one layer: nothing to compare."


def test_the_command(runs, tmp_path, capsys):
    with pytest.raises(SystemExit) as status:
        main(["study", "similarity", str(runs / "resnet8"), "--out", str(tmp_path / "s")])
    assert status.value.code == 0
    assert capsys.readouterr().out == f"{tmp_path / 's'}\n"


@pytest.mark.data
@pytest.mark.slow
def test_a_trained_network_shows_the_stages(data_folder, tmp_path):
    """ResNet20: |ΔQ| and CKA see one structure; next layers are most alike (Lu et al., fig. 8)."""
    run = run_stages(
        tmp_path / "resnet20",
        network=Network(
            model="resnet20", weights=str(data_folder / "weights" / "resnet20-12fca82f.th")
        ),
        images=Images(
            dataset="parquet",
            data=data_folder / "cifar10-exact" / "test.parquet",
            normalize="cifar10",
            samples=300,
            repeats=1,
        ),
    )
    means = mean_pairs(table(study_similarity(run, out=tmp_path / "s", batch=100)))
    pairs = distinct_pairs(means)
    assert rank_correlation(1 - pairs["cka"], pairs["modularity_difference"]) > 0.7
    next_ones = neighboring_layers(means)
    assert next_ones["cka"].min() > pairs["cka"].median() - 0.1
    assert next_ones["neighbor_overlap"].min() > 10 * chance_overlap(300, 3)


def test_a_study_of_other_runs_is_refused(runs, tmp_path):
    out = study_similarity(runs / "resnet8", out=tmp_path / "s")
    before = (out / "metrics" / "similarity.parquet").read_bytes()
    other = run_stages(
        tmp_path / "mlp", network=Network(model="mlp"), images=Images(samples=60, repeats=1)
    )
    with pytest.raises(RunError, match="of other runs or with other options; choose another --out"):
        study_similarity(other, out=out)
    assert (out / "metrics" / "similarity.parquet").read_bytes() == before
    study_similarity(other, out=out, work=Work(force=True))
    assert (out / "metrics" / "similarity.parquet").read_bytes() != before
    with pytest.raises(RunError, match="is a study, not a run, and holds no finished run; name"):
        study_similarity(out, out=tmp_path / "t")


def test_runs_linked_by_another_metric_are_refused(runs, tmp_path):
    other = run_stages(
        tmp_path / "mlp", network=Network(model="mlp"), images=Images(samples=60, repeats=1),
        neighbours=Neighbours(metric="pearson"),
    )  # fmt: skip
    with pytest.raises(GraphError, match="linked with metric=cosine and metric=pearson; link one"):
        study_similarity(runs / "resnet8", other, out=tmp_path / "s")
