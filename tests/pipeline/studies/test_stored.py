"""Finished runs that a study reads."""

import re

import pytest

from graphs.errors import RunError
from pipeline.studies.folder import StudyFolder
from pipeline.studies.stored import open_sets


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
