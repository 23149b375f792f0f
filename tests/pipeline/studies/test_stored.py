"""Finished runs that a study reads."""

import re
import shlex
import shutil

import pytest

from graphs.errors import CorruptFileError, RunError
from graphs.files import read_json
from graphs.runs import Run
from pipeline.studies.folder import StudyFolder
from pipeline.studies.similarity import study_similarity
from pipeline.studies.stored import open_sets
from pipeline.studies.tsne import study_tsne


def test_no_folder_is_an_error(tmp_path):
    with pytest.raises(RunError, match="there is no folder .*none; name the folder of a finished"):
        open_sets(tmp_path / "none")


def test_a_study_that_holds_no_run_does_not_send_to_its_runs(tmp_path):
    study = StudyFolder(tmp_path / "alike", "similarity", subject="a")
    study.run("unfinished").mkdir(parents=True)
    said = f"{study.root} is a study, not a run, and holds no finished run; name the folder of a"
    with pytest.raises(RunError, match=re.escape(said)):
        open_sets(study.root)


@pytest.mark.parametrize(
    ("count", "listed"), [(1, "k-0"), (4, "k-0, k-1, k-2, k-3"), (5, "k-0, k-1, k-2, k-3, ...")]
)
def test_a_study_names_the_runs_that_it_holds(tmp_path, count, listed):
    study = StudyFolder(tmp_path / "study", "ablation")
    for number in range(count):
        study.run(f"k-{number}").mkdir(parents=True)
        (study.run(f"k-{number}") / "manifest.json").write_text("{}")
    said = f"{study.root} is a study, not a run; name one of the runs in {study.root / 'runs'}: "
    with pytest.raises(RunError, match=re.escape(said + listed) + "$"):
        open_sets(study.root)


@pytest.fixture
def passed(tmp_path, runs):
    """A study's folder with two runs, the features of the first removed once linked."""
    study = StudyFolder(tmp_path / "study", "dynamics")
    for name, run in zip(("epoch-000", "epoch-001"), runs, strict=True):
        shutil.copytree(run, study.run(name))
    for place in study.run("epoch-000").glob("variant=*/repeat=*/activations"):
        shutil.rmtree(place)
    return study


@pytest.mark.parametrize("read", [study_similarity, study_tsne])
def test_a_run_without_features_says_what_to_do_and_leaves_nothing(passed, tmp_path, read):
    run, out = passed.run("epoch-000"), tmp_path / "out"
    with pytest.raises(RunError, match="keeps no features: studies of many networks") as error:
        read(run, out=out)
    given = read_json(run / "manifest.json")["stages"]["activations"]["parameters"]["given"]
    assert error.value.remedy == (
        "make a run of its own, on the same images: stratagraph run --model resnet8 --weights "
        f"{shlex.quote(given['weights'])} --out FOLDER"
    )
    assert not out.exists()
    open_sets(run)  # its edges are there


@pytest.mark.parametrize("read", [study_similarity, study_tsne])
def test_a_study_names_only_runs_that_can_be_read(passed, tmp_path, read):
    out, place = tmp_path / "out", passed.root / "runs"
    with pytest.raises(RunError, match=re.escape(f"name one of the runs in {place}: epoch-001")):
        read(passed.root, out=out)
    for features in passed.run("epoch-001").glob("variant=*/repeat=*/activations"):
        shutil.rmtree(features)
    with pytest.raises(RunError, match="and its runs keep no features: they were removed once li"):
        read(passed.root, out=out)
    assert not out.exists()
    with pytest.raises(RunError, match=re.escape(f"{place}: epoch-000, epoch-001")):
        open_sets(passed.root)  # for what reads edges alone


@pytest.mark.parametrize("read", [study_similarity, study_tsne])
def test_one_lost_layer_is_named_and_nothing_is_left(passed, tmp_path, read):
    run = passed.run("epoch-001")
    shutil.rmtree(Run(run).repeat("clean", 0).layer(1))
    with pytest.raises(CorruptFileError, match=r"layer 1 \(\w+|layer=001"):
        read(run, out=tmp_path / "out", **({"perplexity": 5} if read is study_tsne else {}))
    assert not (tmp_path / "out").exists()
