"""Lines taken in without the parser: all of ours are, and nothing is missed by it."""

import re
from xml.parsers import expat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.export import ExportAttributes, check_gephi, rules
from graphs.export.gexf import write_dynamic_gexf
from graphs.export.graphml import write_layer_graphml
from graphs.export.own_lines import TEXT, VALUES, WEIGHT
from graphs.export.rule_checker import Report, RuleChecker
from graphs.export.union import write_union_graphml

NODES = 12
FILES = ["layer.graphml", "union.graphml", "timed.gexf", "instants.gexf"]


@pytest.fixture(scope="module")
def ring(make_dynamic):
    """Three layers, each a ring with other steps, so that edges differ in their layers."""
    layers = [
        {tuple(sorted((a, (a + step) % NODES))): 0.25 + step / 16 for a in range(NODES)
         for step in steps}
        for steps in ((1, 2), (1, 3), (2, 3))
    ]  # fmt: skip
    labels = [node % 3 for node in range(NODES)]
    names = {0: "INDIGO", 1: "Bär", 2: 'a & "b"'}
    return make_dynamic(
        layers,
        samples=range(NODES),
        labels=labels,
        names=names,
        predicted=[None, *labels[1:]],
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory, ring):
    """One file of each kind."""
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    attributes = ExportAttributes(
        layout=rng.normal(size=(NODES, 2)) * 1e-3,
        communities=rng.integers(-1, 3, (3, NODES)),
        modularity=[0.5, float("nan"), -0.25],
        k=2,
        metric="cosine",
    )
    write_layer_graphml(ring, 1, folder / FILES[0], attributes=attributes)
    write_union_graphml(ring, folder / FILES[1], attributes=attributes)
    write_dynamic_gexf(ring, folder / FILES[2], attributes=attributes)
    write_dynamic_gexf(
        ring, folder / FILES[3], attributes=attributes, representation="timestamp"
    )  # fmt: skip
    return folder


def passed(path):
    """Check a file line by line; return the lines that the parser did not see, and the others."""
    kind, texts = rules.FORMATS[path.suffix]
    parser, report = expat.ParserCreate(), Report(texts)
    checker, others = kind(parser, report), []
    for line in path.read_bytes().splitlines(keepends=True):
        before = checker.lines_passed
        checker.feed(line)
        if checker.lines_passed == before:
            others.append(line.decode())
    parser.Parse(b"", True)
    checker.finish()
    assert report.sentences() == []
    return checker, others


def sentences(path, *, by_line=True, passing=True):
    """Check a file in pieces of one line, with or without passing lines by."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "BLOCK", 1 if by_line else 1 << 20)
        if not passing:
            patch.setattr(RuleChecker, "_may_pass_lines", lambda _: False)
        return check_gephi(path)


@pytest.mark.parametrize("name", FILES)
def test_own_nodes_and_edges_are_passed(written, name):
    checker, others = passed(written / name)
    # labels with an entity, and the first node of a dynamic file, which shows the times
    seen = [line for line in others if line.startswith(("<node ", "<edge "))]
    assert all("&" in line for line in seen[name.endswith("gexf") :])
    wanted = NODES * 2 // 3 - name.endswith("gexf") + len(checker.edges)
    assert checker.lines_passed == wanted
    assert len(checker.nodes) == NODES
    assert len(checker.pairs) == len(checker.edges) >= 2 * NODES


@pytest.mark.parametrize("name", FILES)
def test_both_ways_know_the_same_afterwards(written, name):
    facts = []
    for passing in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not passing:
                patch.setattr(RuleChecker, "_may_pass_lines", lambda _: False)
            checker, _ = passed(written / name)
        facts.append([checker.nodes, checker.edges, checker.pairs, checker.phase])
    assert facts[0] == facts[1]


CHANGES = st.sampled_from(["drop", "exchange", "repeat", "letter"])
LETTERS = st.sampled_from('<>&"= -.0129aIeé\x01\t\n\x85\u00a0')


@settings(max_examples=400)
@given(data=st.data(), name=st.sampled_from(FILES))
def test_damage_is_told_as_without_passing(written, data, name):
    """Letters, words, tags and lines are dropped, exchanged and doubled."""
    text = (written / name).read_text("utf-8")
    splitter = data.draw(st.sampled_from([r"(\n)", r"(<[^>]*>)", r'(<[^> ]*|[a-z:.]+="|[">])']))
    parts = re.split(splitter, text)
    places = st.integers(0, len(parts) - 1)
    for _ in range(data.draw(st.integers(1, 2))):
        one, other, change = data.draw(places), data.draw(places), data.draw(CHANGES)
        if change == "drop":
            parts[one] = ""
        elif change == "repeat":
            parts[one] += parts[other]
        elif change == "exchange":
            parts[one], parts[other] = parts[other], parts[one]
        else:
            at = data.draw(st.integers(0, len(parts[one])))
            parts[one] = parts[one][:at] + data.draw(LETTERS) + parts[one][at + 1 :]
    path = written.parent / f"damaged{name}"
    path.write_text("".join(parts), "utf-8", newline="")
    expected = sentences(path, by_line=False, passing=False)
    assert sentences(path) == sentences(path, by_line=False) == expected


EDGE = '<edge id="s0-s1" source="s0" target="s1">'
OPENING = (EDGE, "<!--\n" + EDGE), ("</graph>", "-->\n</graph>")


@pytest.mark.parametrize("name", FILES[:1])
@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        (OPENING, None),  # a comment around edges: none of them counts
        (((EDGE, "<![CDATA[\n" + EDGE), ("</graph>", "]]>\n</graph>")), None),
        ((('<node id="s0">', '<!--\n<node id="s0">'), ('<node id="s2">', '-->\n<node id="s2">')),
         "edge-end"),
        ((('<node id="s0">', '<![CDATA[\n<node id="s0">'),
          ('<node id="s2">', ']]>\n<node id="s2">')),
         "edge-end"),
        (((EDGE, '<desc>\n' + EDGE), ("</graph>", "</desc>\n</graph>")), "element"),
        ((("</node>\n<edge", '</node>\n<node id="x\n<edge'),), "xml"),
        ((("</node>\n<edge", '</node>\n<node\n<edge'),), "xml"),
        ((("</node>\n<edge", '</node>\n<?note\n<edge'), ("</graph>", "?>\n</graph>")), None),
        ((("</graph>\n", "</graph>\n" + EDGE + "</edge>\n"),), "element"),
    ],
)  # fmt: skip
def test_lines_in_other_places_are_not_passed(written, tmp_path, name, changes, rule):
    text = (written / name).read_text("utf-8").replace("</graph></", "</graph>\n</")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / name
    path.write_text(text, "utf-8")
    expected = sentences(path, by_line=False, passing=False)
    assert sentences(path) == expected
    assert {re.search(r"\(([a-z-]+): ", line)[1] for line in expected if "more" not in line} == (
        {rule} if rule else set()
    )


def test_other_encodings_are_left_to_the_parser(written, tmp_path):
    text = (written / FILES[0]).read_text("utf-8")
    path = tmp_path / "other.graphml"
    for declared, encoding in (
        ("UTF-16", "utf-16"),
        ("ISO-8859-1", "latin-1"),
        ("UTF-8", "utf-16"),
    ):
        path.write_bytes(text.replace("UTF-8", declared).encode(encoding))
        assert sentences(path) == sentences(path, passing=False) != []


@pytest.mark.parametrize("block", [1, 100, 5000, 1 << 16])
def test_pieces_of_any_size(written, monkeypatch, block):
    monkeypatch.setattr(rules, "BLOCK", block)
    for name in FILES:
        assert check_gephi(written / name) == []


@pytest.mark.parametrize("block", [1, 64, 1 << 16])
def test_the_line_is_right_after_passed_ones(written, tmp_path, monkeypatch, block):
    monkeypatch.setattr(rules, "BLOCK", block)
    lines = (written / FILES[0]).read_text("utf-8").splitlines(keepends=True)
    at = len(lines) - 3
    lines[at] = lines[at].replace('<data key="weight">', '<data key="weight">-')
    (tmp_path / "ab.graphml").write_text("".join(lines), "utf-8")
    assert [line.split(":")[0] for line in check_gephi(tmp_path / "ab.graphml")] == [
        f"line {at + 1}"
    ]
    lines[at] = lines[at].replace("</edge>", "</egde>")
    (tmp_path / "ab.graphml").write_text("".join(lines), "utf-8")
    assert f"line {at + 1}: mismatched tag" in check_gephi(tmp_path / "ab.graphml")[-1]


@given(st.text())
def test_plain_text_is_changed_by_no_reader(text):
    if re.fullmatch(TEXT, text):
        assert "INF" not in text
        assert text.isprintable() or not re.search("[\x00-\x1f\x7f-\x9f]", text)
        assert not set('&<>"') & set(text)


@given(st.floats(min_value=1e-9, max_value=1e8))
def test_weights_as_python_writes_them(weight):
    text = repr(weight)
    assert re.fullmatch(VALUES["double"], text)
    if "e" not in text:
        assert re.fullmatch(WEIGHT, text)


@pytest.mark.parametrize("text", ["0.0", "0", "-0.5", "1e-46", "nan", "inf", "", ".5", "1_0.0"])
def test_doubtful_weights_are_looked_at(text):
    assert not re.fullmatch(WEIGHT, text)
