import re

import igraph
import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.errors import CorruptFileError, TableError
from graphs.export import check_gephi, write_dynamic_gexf, write_union_graphml


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_own_files_are_clean(tmp_path, dynamic, attributes, suffix):
    union = tmp_path / f"ab.graphml{suffix}"
    timed = tmp_path / f"ab.gexf{suffix}"
    assert check_gephi(write_union_graphml(dynamic, union, attributes=attributes)) == []
    assert check_gephi(str(write_dynamic_gexf(dynamic, timed, attributes=attributes))) == []


@pytest.fixture
def triangle():
    graph = nx.Graph()
    graph.add_weighted_edges_from([("a", "b", 0.5), ("b", "c", 0.25), ("a", "c", 1.0)])
    return graph


def test_networkx_graphml_is_not_clean(tmp_path, fired, triangle):
    nx.write_graphml(triangle, tmp_path / "nx.graphml")
    assert {"schema-location", "key-name", "edge-id"} <= fired(tmp_path / "nx.graphml")


def test_networkx_gexf_is_not_clean(tmp_path, fired, triangle):
    nx.write_gexf(triangle, tmp_path / "nx.gexf")
    assert {"namespace", "version", "attribute"} <= fired(tmp_path / "nx.gexf")


def test_igraph_graphml_is_not_clean(tmp_path, fired):
    graph = igraph.Graph(3, [(0, 1), (1, 2)], edge_attrs={"weight": [0.5, 0.0]})
    graph.vs["name"] = ["a", None, "c"]
    graph.write_graphml(str(tmp_path / "ig.graphml"))
    broken = {"schema-location", "key-name", "edge-id", "edge-weight"}
    assert broken <= fired(tmp_path / "ig.graphml")


@pytest.mark.parametrize("name", ["ab.xml", "ab.gml.gz", "graphml", "ab.graphml.bz2"])
def test_other_suffixes(tmp_path, name):
    with pytest.raises(TableError, match=rf"{name} is no graph file: .*; name the file after"):
        check_gephi(tmp_path / name)


def test_a_missing_file(tmp_path):
    with pytest.raises(CorruptFileError, match=r"ab\.graphml cannot be read: No such file .*; exp"):
        check_gephi(tmp_path / "ab.graphml")


@pytest.mark.parametrize("content", ["", "not XML", "{}", "<graphml", "\x00\x01"])
@pytest.mark.parametrize("suffix", ["graphml", "gexf"])
def test_what_is_no_xml(tmp_path, fired, content, suffix):
    path = tmp_path / f"ab.{suffix}"
    path.write_text(content)
    assert fired(path) == {"xml"}
    assert check_gephi(path)[0].startswith("line 1: ")


def test_a_truncated_or_wrong_gzip_file(tmp_path, dynamic):
    path = write_union_graphml(dynamic, tmp_path / "ab.graphml.gz")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptFileError, match=r"ab\.graphml\.gz cannot be read: .*; export it"):
        check_gephi(path)
    path.write_bytes(b"<graphml/>")
    with pytest.raises(CorruptFileError, match=r"Not a gzipped file"):
        check_gephi(path)
    path.write_bytes(whole[:40] + bytes([whole[40] ^ 0xFF]) + whole[41:])
    with pytest.raises(CorruptFileError, match=r"ab\.graphml\.gz cannot be read"):
        check_gephi(path)


def test_bytes_that_are_no_utf_8(tmp_path, fired):
    path = tmp_path / "ab.graphml"
    path.write_bytes(b'<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\xff</graphml>')
    assert fired(path) == {"xml"}


def test_an_entity_bomb_is_refused(tmp_path, fired):
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "x"}">' for i in range(12))
    path = tmp_path / "ab.graphml"
    path.write_text(f"<!DOCTYPE graphml [{entities}]><graphml>&e11;</graphml>")
    assert "doctype" in fired(path)
    # the sentences stay short: nothing is unfolded into them
    assert len("".join(check_gephi(path))) < 2000


@pytest.fixture(scope="module")
def clean(tmp_path_factory, dynamic, attributes):
    """Both formats as text, and a folder."""
    folder = tmp_path_factory.mktemp("clean")
    union = write_union_graphml(dynamic, folder / "ab.graphml", attributes=attributes)
    timed = write_dynamic_gexf(dynamic, folder / "ab.gexf", attributes=attributes)
    return folder, {".graphml": union.read_text("utf-8"), ".gexf": timed.read_text("utf-8")}


@settings(max_examples=300)
@given(data=st.data(), suffix=st.sampled_from([".graphml", ".gexf"]))
def test_damage_is_told_and_never_crashes(clean, data, suffix):
    folder, texts = clean
    # Tags and words between quotation marks or tags: the parts that damage may take or exchange.
    parts = re.split(r'(<[^> ]*|[a-z:.]+="|[">])', texts[suffix])
    places = st.integers(0, len(parts) - 1)
    for _ in range(data.draw(st.integers(1, 3))):
        one, other = data.draw(places), data.draw(places)
        change = data.draw(st.sampled_from(["drop", "exchange", "repeat"]))
        if change == "drop":
            parts[one] = ""
        elif change == "repeat":
            parts[one] += parts[other]
        else:
            parts[one], parts[other] = parts[other], parts[one]
    path = folder / f"damaged{suffix}"
    path.write_text("".join(parts), "utf-8")
    assert all(type(sentence) is str for sentence in check_gephi(path))


@pytest.mark.parametrize("encoding", ["latin-99", "utf-7", "shift_jis"])
def test_an_encoding_that_cannot_be_read_is_told(tmp_path, encoding):
    path = tmp_path / "strange.graphml"
    path.write_text(f'<?xml version="1.0" encoding="{encoding}"?>\n<graphml/>\n')
    assert check_gephi(path) != []
