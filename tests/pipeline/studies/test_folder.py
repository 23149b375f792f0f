"""The record of a study: what a refused command leaves as it was."""

import json

import pytest

from graphs.errors import RunError
from pipeline.studies.folder import StudyFolder


@pytest.fixture
def done(tmp_path):
    folder = StudyFolder(tmp_path / "study", "ablation", subject="a")
    return folder.finish({"k": 3}, reading="It stays.", files=[])


def record(root):
    return json.loads((root / "study.json").read_text())


def test_a_new_folder_is_a_study_at_once(tmp_path):
    StudyFolder(tmp_path / "study", "ablation")
    assert record(tmp_path / "study")["state"] == "begun"


def test_what_was_recorded_stays_until_something_changes(done):
    before = (done / "study.json").read_bytes()
    folder = StudyFolder(done, "ablation", subject="a")
    with pytest.raises(RunError, match="holds a study of other runs or with other options"):
        StudyFolder(done, "ablation", subject="b")
    assert (done / "study.json").read_bytes() == before
    assert record(done)["parameters"] == {"k": 3}
    folder.begin()
    assert record(done) == {
        "stratagraph": "study/1", "study": "ablation", "state": "begun", "subject": "a",
    }  # fmt: skip
    folder.finish({"k": 5}, reading="It moves.", files=[])
    assert (record(done)["state"], record(done)["parameters"]) == ("done", {"k": 5})


def test_a_variant_that_changes_is_not_called_measured(done):
    folder = StudyFolder(done, "ablation", subject="a")
    for name in ("k-03", "k-05"):
        folder.done_path(name).parent.mkdir(parents=True)
        folder.done_path(name).write_text("{}")
    folder.change("k-03")
    assert [folder.done_path(name).exists() for name in ("k-03", "k-05")] == [False, True]
    assert record(done)["state"] == "begun"


def test_force_takes_back_what_was_recorded(done):
    StudyFolder(done, "ablation", subject="b", force=True)
    assert (record(done)["state"], record(done)["subject"]) == ("begun", "b")


def test_a_damaged_record_is_replaced_by_force_alone(done):
    (done / "study.json").write_text('{"stratagraph": "stu')
    with pytest.raises(RunError, match=r"study\.json is damaged: .*; --force to begin anew"):
        StudyFolder(done, "ablation")
    assert (done / "study.json").read_text() == '{"stratagraph": "stu'
    StudyFolder(done, "ablation", force=True)
    assert record(done)["state"] == "begun"
