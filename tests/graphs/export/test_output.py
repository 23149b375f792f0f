import pytest

from graphs.errors import ExportError, ResourceError, RunError
from graphs.export import write_dynamic_gexf, write_layer_graphml, write_union_graphml
from graphs.export.output import write_checked


def test_a_file_that_would_be_misread_never_gets_its_name(tmp_path):
    path = tmp_path / "ab.graphml"
    path.write_text("what was there")
    with pytest.raises(
        ExportError, match=r"ab\.graphml would be misread .*line 1: .*; no file was"
    ):
        write_checked(path, ["<graphml>", "</graph>"], suffix=".graphml")
    assert path.read_text() == "what was there"
    assert list(tmp_path.iterdir()) == [path]


def test_many_violations_are_counted(tmp_path):
    text = "<graphml><a/><b/><c/><d/><e/></graphml>"
    with pytest.raises(ExportError, match=r"element a in .*\(and 3 more\); no file was written"):
        write_checked(tmp_path / "ab.graphml", [text], suffix=".graphml")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def lines():
        yield "<graphml>"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_checked(tmp_path / "ab.graphml.gz", lines(), suffix=".graphml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["ab.gexf", "ab.xml", "ab.graphml.zip", "ab.gz"])
def test_the_suffix_must_fit(tmp_path, dynamic, name):
    for write in (write_union_graphml, lambda d, path: write_layer_graphml(d, 0, path)):
        with pytest.raises(ExportError, match=rf"{name} does not end in \.graphml or .*: rename"):
            write(dynamic, tmp_path / name)
    with pytest.raises(ExportError, match=r"ab\.graphml does not end in \.gexf or \.gexf\.gz"):
        write_dynamic_gexf(dynamic, tmp_path / "ab.graphml")


def test_a_dot_in_the_name_is_refused(tmp_path, dynamic):
    with pytest.raises(ExportError, match=r"the file is called a\.b\.graphml \(file-name"):
        write_union_graphml(dynamic, tmp_path / "a.b.graphml")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path, dynamic):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(RunError, match=r"cannot be written"):
        write_union_graphml(dynamic, tmp_path / "file" / "ab.graphml")


def test_a_full_disk(dynamic, tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    # a disk that fills up shows itself at fsync; a real one cannot be filled here
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ResourceError, match=r"the disk is full"):
        write_union_graphml(dynamic, tmp_path / "ab.graphml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("weight", [0.0, -0.5, 1e-46, float("nan"), float("inf")])
def test_a_weight_that_gephi_cannot_keep_is_refused(tmp_path, make_dynamic, weight):
    bad = make_dynamic([{(0, 1): weight}])
    for write, name in (
        (lambda d, path: write_layer_graphml(d, 0, path), "ab.graphml"),
        (write_dynamic_gexf, "ab.gexf"),
    ):
        with pytest.raises(ExportError, match=r"edge s3-s5 has the weight .*edge-weight"):
            write(bad, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
