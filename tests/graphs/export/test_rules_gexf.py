"""One file a rule, made from a clean one so that this rule alone is broken."""

import re

import pytest

from graphs.export import check_gephi, rules, write_dynamic_gexf
from graphs.export.rule_tables import GEXF_RULES

NODE = '<node id="s3" label="s3 cat"><attvalues>'
FIRST = '<node id="s3" label="s3 cat">'
EDGE = '<edge id="s3-s8" source="s3" target="s8">'
TIME = 'start="-0.4" end="0.4"'
WEIGHT = f'<attvalue for="weight" value="0.25" {TIME}/>'
SPELL = f"<spell {TIME}/>"
BODY = f"<attvalues>{WEIGHT}</attvalues><spells>{SPELL}</spells>"
WHOLE = f"{EDGE}{BODY}</edge>\n"
STATIC = '<attributes class="node" mode="static">\n'
NODES = "<nodes>\n"
COLOR = '<viz:color r="1" g="115" b="178"/>'
PLACE = '<viz:position x="-500.0" y="0.25"/>'
EDGES_END = "</edges>\n"
META_END = "</meta>\n"


def attribute(name, *, title=None, kind="integer"):
    """Declare a further static node attribute, which nothing uses."""
    title = name if title is None else title
    return STATIC, f'{STATIC}<attribute id="{name}" title="{title}" type="{kind}"/>\n'


def value(kind, text):
    """Declare an attribute and give the first node a value."""
    return attribute("z", kind=kind), (NODE, f'{NODE}<attvalue for="z" value="{text}"/>')


def edge(edge_id="more", source="s5", target="s8", more=""):
    """Add an edge of layer 0."""
    name = f' id="{edge_id}"' if edge_id else ""
    text = f'<edge{name} source="{source}" target="{target}"{more}>{BODY}</edge>\n'
    return EDGES_END, text + EDGES_END


def both(old, new):
    """Change weight and spell of one edge alike."""
    return WHOLE, WHOLE.replace(old, new)


def swapped(text):
    """Two times of an edge in falling order."""
    one, two = TIME, 'start="0.6" end="1.4"'
    return text.replace(WEIGHT, WEIGHT.replace(one, two) + WEIGHT).replace(
        SPELL, SPELL.replace(one, two) + SPELL
    )


BROKEN = [
    ("xml", ("</gexf>", "")),
    ("doctype", ("<gexf ", "<!DOCTYPE gexf>\n<gexf ")),
    ("encoding", ("UTF-8", "ISO-8859-1")),
    ("schema-location", ("<gexf ", '<gexf xmlns:xsi="http://x" xsi:schemaLocation="a b" ')),
    ("root", ("<gexf ", "<graphml "), ("</gexf>", "</graphml>")),
    ("namespace", ('"http://gexf.net/1.3"', '"http://www.gexf.net/1.3"')),
    ("namespace", ('"http://gexf.net/1.3/viz"', '"http://gexf.net/1.2draft/viz"')),
    ("version", ('version="1.3"', 'version="1.2"')),
    ("version", (' version="1.3"', "")),
    ("prefix", (NODE, f"{FIRST}<ns0:x/><attvalues>")),
    ("prefix", ("<gexf ", '<gexf xmlns:ns0="http://gexf.net/1.3" ')),
    ("element", (META_END, "<title>t</title></meta>\n")),
    ("element", (NODE, f"{FIRST}<parents></parents><attvalues>")),
    ("element", (EDGE, f'{EDGE}<viz:position x="1" y="1"/>')),
    ("attribute", (EDGE, EDGE.replace(">", ' kind="x">'))),
    ("attribute", (SPELL, f'<spell {TIME} startopen="1"/>')),
    ("attribute", ('<graph mode="dynamic"', '<graph mode="dynamic" name="x"')),
    ("attribute", (WEIGHT, f"<attvalue {TIME}/>{WEIGHT}")),
    ("attribute", (FIRST, f'<node timestamps="&lt;[0]&gt;" {FIRST[6:]}')),
    ("order", ("</graph>", "</graph><meta></meta>")),
    ("one-graph", ("</graph>", '</graph><graph defaultedgetype="undirected"></graph>')),
    ("one-graph", ("</edges>\n", "</edges><edges></edges>")),
    ("date", ("<meta>", '<meta lastmodifieddate="2026-01-01+20:00">')),
    ("date", ("<meta>", '<meta lastmodifieddate="1/1/26">')),
    ("edge-default", (' defaultedgetype="undirected"', "")),
    ("edge-default", ('"undirected"', '"directed"')),
    ("edge-type", edge(more=' type="directed"')),
    ("time-format", ('timeformat="double"', 'timeformat="integer"')),
    ("time-format", (' timeformat="double"', "")),
    ("time-representation", (' timerepresentation="interval"', "")),
    ("time-kind", both(TIME, 'timestamp="0"')),
    ("time-kind", both(TIME, 'start="-0.4"')),
    ("time-kind", both(TIME, f'{TIME} timestamp="0"')),
    ("time-value", both(TIME, 'start="-0.4" end="inf"')),
    ("time-value", both(TIME, 'start="2026-01-01" end="2026-01-02"')),
    ("time-width", both(TIME, 'start="0" end="0"')),
    ("time-width", both(TIME, 'start="0.4" end="-0.4"')),
    ("time-static", (NODE, f'{NODE}<attvalue for="z" value="1" {TIME}/>'), attribute("z")),
    ("time-order", (WHOLE, swapped(WHOLE))),
    ("time-order", (WHOLE, WHOLE.replace(WEIGHT, WEIGHT * 2).replace(SPELL, SPELL * 2))),
    ("time-touching", both(TIME, 'start="0.4" end="0.5"')),
    ("time-touching", both(TIME, 'start="-0.5" end="0.5"')),
    ("edge-spells", (f"<spells>{SPELL}</spells>", "")),
    ("edge-spells", (f"<attvalues>{WEIGHT}</attvalues>", "")),
    ("edge-spells", (WHOLE, WHOLE.replace(SPELL, '<spell start="0.6" end="1.4"/>'))),
    ("weight-id", ('<attribute id="weight" title="weight"', '<attribute id="w" title="w"'),
     ('for="weight"', 'for="w"')),
    ("weight-id", ('<attributes class="edge" mode="dynamic">', '<attributes class="edge">'),
     (re.compile(r'<attvalue for="weight"[^>]*/>'), "")),
    ("weight-twice", edge(more=' weight="0.5"')),
    ("attributes-class", (NODES, f'<attributes class="graph" mode="static"></attributes>{NODES}')),
    ("attributes-class", (NODES, f'<attributes class="both" mode="slice"></attributes>{NODES}')),
    ("attributes-last", (NODES, f'<attributes class="edge" mode="static"></attributes>{NODES}')),
    ("attributes-last", (NODES, f'<attributes class="node" mode="dynamic"></attributes>{NODES}')),
    ("attribute-type", attribute("z", kind="int")),
    ("attribute-id", attribute("7")),
    ("attribute-id", attribute("7", title="seven")),
    ("attribute-id", attribute("z z")),
    ("attribute-unique", attribute("Class_id")),
    ("attribute-reserved", attribute("timeset")),
    ("value-for", (NODE, f'{NODE}<attvalue for="nothing" value="1"/>')),
    ("value-for", (NODE, f'{NODE}<attvalue for="weight" value="1"/>')),
    ("value-for", (NODE, f'{NODE}<attvalue for="class_id" value="0"/>')),
    ("node-label", (' label="s3 cat"', "")),
    ("node-label", (' label="s3 cat"', ' label=""')),
    ("node-id", ('"s13"', '"13"')),
    ("node-unique", ("</nodes>", '<node id="s3" label="x"></node></nodes>')),
    ("edge-id", edge("")),
    ("edge-id", edge("s3-s5")),
    ("edge-end", edge(target="s99")),
    ("edge-pair", edge(source="s8", target="s3")),
    ("self-loop", edge(source="s8", target="s8")),
    ("edge-weight", (WEIGHT, WEIGHT.replace("0.25", "0"))),
    ("edge-weight", (WEIGHT, WEIGHT.replace("0.25", "nan"))),
    ("color", (COLOR, COLOR.replace("178", "256"))),
    ("color", (COLOR, COLOR.replace("178", "178.0"))),
    ("color", (COLOR, '<viz:color hex="0173b2"/>')),
    ("color", (COLOR, COLOR.replace("/>", ' a="2"/>'))),
    ("position", (PLACE, '<viz:position x="nan" y="0"/>')),
    ("size", (COLOR, f'{COLOR}<viz:size value="10"/>')),
    ("size", (COLOR, f'{COLOR}<viz:size value="big"/>')),
    ("shape", (COLOR, f'{COLOR}<viz:shape value="solid"/>')),
    ("shape", (EDGE, f'{EDGE}<viz:shape value="disc"/>')),
    ("count", (NODES, '<nodes count="3">\n')),
    ("count", ("<edges>", '<edges count="four">')),
    ("value-integer", *value("integer", "3.0")),
    ("value-integer", *value("integer", "")),
    ("value-integer", *value("short", "32768")),
    ("value-number", *value("double", "None")),
    ("value-number", *value("float", "nan")),
    ("value-number", (EDGE, f'{EDGE}<viz:thickness value="inf"/>')),
    ("value-boolean", *value("boolean", "True")),
    ("value-control", *value("string", "a&#10;b")),
    ("value-control", ("s3 cat", "s3&#9;cat")),
    ("value-inf", *value("string", "INFANT")),
    ("value-inf", ("s3 cat", "INF cat")),
    ("value-inf", edge(more=' label="INF"')),
]  # fmt: skip

# A static file has rules of its own.
STATIC_FILE = """<gexf xmlns="http://gexf.net/1.3" version="1.3">
<graph defaultedgetype="undirected">
<attributes class="node"><attribute id="z" title="z" type="integer"/></attributes>
<nodes count="2"><node id="a" label="a"><attvalues><attvalue for="z" value="1"/></attvalues></node>
<node id="b" label="b"/></nodes>
<edges count="1"><edge id="a-b" source="a" target="b" weight="0.5"/></edges>
</graph></gexf>
"""
BROKEN_STATIC = [
    ("order", ("</graph>", '<attributes class="edge"></attributes></graph>')),
    ("graph-mode", ("<graph ", '<graph mode="slice" ')),
    ("time-static", ('<attributes class="node">', '<attributes class="node" mode="dynamic">')),
    ("time-static", (' weight="0.5"/>', f' weight="0.5"><spells>{SPELL}</spells></edge>')),
    ("edge-weight", ('weight="0.5"', 'weight="0.0"')),
    ("one-graph", ("<edges", "<!--<edges"), ("</edges>", "</edges>-->")),
]  # fmt: skip


@pytest.fixture(autouse=True, params=[1 << 16, 1], ids=["whole", "by line"])
def pieces(request, monkeypatch):
    """Read whole files at once, and line by line: then all but the broken lines are passed."""
    monkeypatch.setattr(rules, "BLOCK", request.param)


@pytest.fixture
def clean(tmp_path, dynamic, attributes):
    path = write_dynamic_gexf(dynamic, tmp_path / "ab.gexf", attributes=attributes)
    return path.read_text("utf-8")


def broken(path, text, *, changes, everywhere=False):
    for old, new in changes:
        if isinstance(old, re.Pattern):
            assert old.search(text)
            text = old.sub(new, text)
            continue
        assert old in text
        text = text.replace(old, new) if everywhere else text.replace(old, new, 1)
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: f"{case[0]}-{case[-1][-1][-30:]!a}")
def test_the_rule_and_no_other(tmp_path, fired, clean, case):
    rule, *changes = case
    everywhere = rule in ("node-id", "weight-id")
    path = broken(tmp_path / "broken.gexf", clean, changes=changes, everywhere=everywhere)
    found = fired(path)
    # a spell that says nothing cannot be the time of the weight, and the reverse
    follows = {"edge-spells"} if rule in ("time-kind", "time-value", "time-width") else set()
    assert rule in found
    assert found <= {rule} | follows


@pytest.mark.parametrize("case", BROKEN_STATIC, ids=lambda case: case[0])
def test_a_rule_of_static_files(tmp_path, fired, case):
    rule, *changes = case
    path = broken(tmp_path / "broken.gexf", STATIC_FILE, changes=changes)
    assert fired(path) == {rule}


def test_a_static_file_may_be_clean(tmp_path):
    path = broken(tmp_path / "good.gexf", STATIC_FILE, changes=[])
    assert check_gephi(path) == []


def test_every_rule_is_tried():
    tried = {case[0] for case in (*BROKEN, *BROKEN_STATIC)}
    assert tried | {"file-name"} == set(GEXF_RULES)


def test_timestamps(tmp_path, fired, dynamic):
    path = write_dynamic_gexf(dynamic, tmp_path / "ab.gexf", representation="timestamp")
    text = path.read_text("utf-8")
    assert check_gephi(path) == []
    for new in ('start="0" end="1"', 'timestamp="0" start="0"', ""):
        wrong = broken(path, text, changes=[('timestamp="0"', new)], everywhere=True)
        assert fired(wrong) - {"edge-spells"} == {"time-kind"}


def test_file_names(tmp_path, fired, clean):
    for name in ("a.b.gexf", "a.gexf"):
        assert fired(broken(tmp_path / name, clean, changes=[])) == {"file-name"}


@pytest.mark.parametrize(
    "change",
    [
        ("<meta>", '<meta lastmodifieddate="2026-01-31">'),
        (COLOR, '<viz:color hex="#0173b2"/>'),
        (COLOR, COLOR.replace("/>", ' a="0.5"/>')),
        (COLOR, f'{COLOR}<viz:shape value="square"/>'),
        (EDGE, f'{EDGE}<viz:shape value="dashed"/><viz:thickness value="2"/>'),
        (EDGE, EDGE.replace(">", ' label="x" type="undirected">')),
        ("<edges>", '<edges count="4">'),
        (STATIC, STATIC + '<attribute id="z" title="z" type="long"><default/></attribute>'),
    ],
)  # fmt: skip
def test_what_is_allowed(tmp_path, clean, change):
    assert check_gephi(broken(tmp_path / "good.gexf", clean, changes=[change])) == []
