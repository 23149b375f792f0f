"""One file a rule, made from a clean one so that this rule alone is broken."""

import pytest

from graphs.export import check_gephi, rules, write_layer_graphml
from graphs.export.rule_tables import GRAPHML_RULES


def key(key_id, *, name=None, kind="int", domain="node"):
    """Declare a further key, which nothing uses."""
    name = key_id if name is None else name
    text = f'<key id="{key_id}" for="{domain}" attr.name="{name}" attr.type="{kind}"/>\n'
    return GRAPH, text + GRAPH


def value(key_id, kind, text):
    """Declare a key and give the first node a value."""
    _, keys = key(key_id, kind=kind)
    return (GRAPH, keys), (NODE, f'{NODE}<data key="{key_id}">{text}</data>')


GRAPH = '<graph id="L00"'
NODE = '<node id="s3">'
EDGE = '<edge id="s3-s5" source="s3" target="s5">'
WEIGHT = '<data key="weight">0.5</data>'
SECOND = '<edge id="s3-s8" source="s3" target="s8">'
END = "</graph></graphml>"
NODE_LINE = '<node id="s99"></node>\n'


def edge(edge_id="more", source="s5", target="s8", more=""):
    """Add an edge with a weight."""
    name = f' id="{edge_id}"' if edge_id else ""
    text = f'<edge{name} source="{source}" target="{target}"{more}>{WEIGHT}</edge>\n'
    return END, text + END


# rule -> one or more files, each made by one or more replacements
BROKEN = [
    ("xml", (END, "</graph>")),
    ("xml", ("s3 cat", "s3 \x01 cat")),
    ("xml", ("s3 cat", "s3 & cat")),
    ("doctype", ("<graphml ", "<!DOCTYPE graphml>\n<graphml ")),
    ("encoding", ("UTF-8", "ISO-8859-1")),
    ("root", ("<graphml ", "<gml "), ("</graphml>", "</gml>")),
    ("namespace", ("graphdrawing.org/xmlns", "graphdrawing.org/xmlns/1.1")),
    ("namespace", (' xmlns="http://graphml.graphdrawing.org/xmlns"', "")),
    ("namespace", ("?>\n", "?>\n" + 20 * "\n")),
    ("prefix", ("<graphml ", '<graphml xmlns:y="http://y" ')),
    ("prefix", (NODE, f"{NODE}<y:label/>")),
    ("prefix", (NODE, NODE.replace(">", ' xmlns="">'))),
    (
        "schema-location",
        ("<graphml ", '<graphml xmlns:xsi="http://x" xsi:schemaLocation="http://g g.xsd" '),
    ),
    ("element", (NODE, f'{NODE}<port name="p"/>')),
    ("element", (END, '<hyperedge><endpoint node="s3"/></hyperedge>' + END)),
    ("element", ("<key ", '<data key="weight">1</data><key ')),
    ("attribute", (NODE, '<node id="s3" class="1">')),
    ("attribute", (END, f"<node></node>{END}")),
    ("attribute", (END, f'<edge id="q" source="s3">{WEIGHT}</edge>{END}')),
    ("order", (END, f"</graph>{key('late')[1].removesuffix(GRAPH)}</graphml>")),
    ("order", (END, NODE_LINE + END)),
    ("order", (END, f'<data key="g_k">1</data>{END}'), ('<data key="g_k">2</data>', "")),
    ("key-domain", key("extra", domain="all")),
    ("key-domain", (GRAPH, f'<key id="extra" attr.name="extra" attr.type="int"/>{GRAPH}')),
    ("key-type", key("extra", kind="listfloat")),
    ("key-type", key("extra", kind="integer")),
    ("key-type", (GRAPH, f'<key id="extra" for="node" attr.name="extra"/>{GRAPH}')),
    ("key-name", key("d0", name="extra")),
    ("key-name", key("g_extra", name="extra")),
    ("key-token", key("z z")),
    ("key-token", (GRAPH, f'<key id="extra" for="node" attr.type="int"/>{GRAPH}')),
    ("key-unique", key("Degree")),
    ("key-unique", key("degree", domain="edge")),
    ("key-reserved", key("timeset", kind="string")),
    ("key-reserved", key("Id")),
    ("key-special", key("b", kind="boolean")),
    ("key-special", key("size", kind="string")),
    ("key-special", key("edgelabel", domain="edge")),
    (
        "default",
        (GRAPH, key("extra")[1].replace("/>", "><default>0</default></key>")),
    ),
    ("data-key", (NODE, f'{NODE}<data key="nothing">1</data>')),
    ("data-key", (NODE, f'{NODE}<data key="same_class">true</data>')),
    ("data-key", (NODE, f'{NODE}<data key="class_id">0</data>')),
    ("data-key", (EDGE, f'{EDGE}<data key="class_id">0</data>')),
    ("node-id", ('"s13"', '"13"')),
    ("node-id", ('"s13"', '"s 13"')),
    ("node-id", ('"s13"', '"s&amp;13"')),
    ("node-unique", (EDGE, f'<node id="s3"></node>\n{EDGE}')),
    ("edge-id", edge("")),
    ("edge-id", edge("s3-s5")),
    ("edge-end", edge(target="s99")),
    ("edge-pair", edge("more", "s5", "s3")),
    ("edge-pair", edge("more", "s3", "s5")),
    ("self-loop", edge("more", "s5", "s5")),
    ("edge-default", (' edgedefault="undirected"', "")),
    ("edge-default", ('"undirected"', '"directed"')),
    ("edge-directed", edge(more=' directed="false"')),
    ("edge-label", edge(more=' label="x"')),
    *(
        ("edge-weight", (WEIGHT, WEIGHT.replace("0.5", wrong)))
        for wrong in ("0", "0.0", "-0.5", "nan", "NaN", "inf", "1e-46", "1e39", "", "0,5", "1_0")
    ),
    ("edge-weight", (WEIGHT, "")),
    ("one-graph", (END, '</graph><graph id="L01" edgedefault="undirected"></graph></graphml>')),
    ("color", ("#0173b2", "#0173b")),
    ("color", ("#0173b2", "red")),
    ("size", *value("size", "double", "10")),
    ("size", *value("size", "double", "4.0")),
    *(
        ("value-integer", *value("extra", "int", wrong))
        for wrong in ("3.0", "", "None", "2147483648", "1e3", "1_0", " 3", "9" * 5000)
    ),
    ("value-integer", *value("extra", "long", "9223372036854775808")),
    *(
        ("value-number", *value("extra", "double", wrong))
        for wrong in ("nan", "NaN", "inf", "-inf", "None", "", "1e999", "1_0", "0x1p3")
    ),
    ("value-number", *value("extra", "float", "nan")),
    *(("value-boolean", *value("extra", "boolean", wrong)) for wrong in ("True", "1", "", "None")),
    ("value-control", ("s3 cat", "s3\tcat")),
    ("value-control", ("s3 cat", "s3 cat\x85")),
    ("value-control", *value("extra", "string", "a\nb")),
    ("value-inf", ("s3 cat", "INFANT")),
    ("value-inf", ('<data key="g_layer">conv1', '<data key="g_layer">INF')),
    ("value-blank", ("s3 cat", "A &amp; &lt;B>")),
    ("value-blank", ("s3 cat", " &amp;B")),
    ("value-blank", ("s3 cat", "A&amp; ")),
]


@pytest.fixture(autouse=True, params=[1 << 16, 1], ids=["whole", "by line"])
def pieces(request, monkeypatch):
    """Read whole files at once, and line by line: then all but the broken lines are passed."""
    monkeypatch.setattr(rules, "BLOCK", request.param)


@pytest.fixture
def clean(tmp_path, dynamic, attributes):
    path = write_layer_graphml(dynamic, 0, tmp_path / "ab.graphml", attributes=attributes)
    return path.read_text("utf-8")


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: f"{case[0]}-{case[-1][-1][-30:]!a}")
def test_the_rule_and_no_other(tmp_path, fired, clean, case):
    rule, *changes = case
    text = clean
    for old, new in changes:
        assert old in text
        text = text.replace(old, new) if rule == "node-id" else text.replace(old, new, 1)
    path = tmp_path / "broken.graphml"
    path.write_text(text, "utf-8", newline="\n")
    assert fired(path) == {rule}


def test_every_rule_is_tried():
    assert {case[0] for case in BROKEN} | {"file-name"} == set(GRAPHML_RULES)


@pytest.mark.parametrize("name", ["a.b.graphml", "a.graphml", ".graphml"])
def test_file_names(tmp_path, fired, clean, name):
    path = tmp_path / name
    path.write_text(clean, "utf-8")
    assert fired(path) == {"file-name"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ((NODE, f'{NODE}<data key="extra">-2147483648</data>'), "the least int"),
        ((WEIGHT, WEIGHT.replace("0.5", "1e-40")), "a weight that Java's float still holds"),
        ((WEIGHT, WEIGHT.replace("0.5", "+.5E0")), "another way to write a weight"),
        (("s3 cat", "s3 <![CDATA[cat]]>"), "a piece of CDATA"),
        (("s3 cat", "None"), "a class that is called None"),
        (("s3 cat", ""), "an empty word"),
        (("s3 cat", "A & <B>".replace("&", "&amp;").replace("<", "&lt;")), "no-break spaces"),
        ((NODE, f"{NODE}<desc>about it</desc>"), "a description"),
        (('<?xml version="1.0" encoding="UTF-8"?>\n', ""), "no declaration"),
        ((NODE, f"<!-- about it -->{NODE}"), "a comment"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_allowed(tmp_path, clean, change, why):
    old, new = change
    text = clean.replace(old, new.replace("& <", "&\u00a0<").replace("&amp; ", "&amp;\u00a0"), 1)
    text = text.replace(*key("extra"))
    assert new != old
    path = tmp_path / "good.graphml"
    path.write_text(text, "utf-8")
    assert check_gephi(path) == []


def test_sizes_from_4_to_100_are_allowed(tmp_path, clean):
    text = clean.replace(*key("size", kind="double"))
    for node, size in (("s3", "4.0"), ("s5", "20.5"), ("s8", "100")):
        start = f'<node id="{node}">'
        text = text.replace(start, f'{start}<data key="size">{size}</data>')
    path = tmp_path / "good.graphml"
    path.write_text(text, "utf-8")
    assert check_gephi(path) == []


def test_the_sentence_says_where_what_and_why(tmp_path, clean):
    path = tmp_path / "broken.graphml"
    path.write_text(clean.replace(WEIGHT, '<data key="weight">0</data>'), "utf-8")
    line = 1 + clean[: clean.index(WEIGHT)].count("\n")
    assert check_gephi(path) == [
        f"line {line}: edge s3-s5 has the weight '0' (edge-weight: {GRAPHML_RULES['edge-weight']})"
    ]


def test_twenty_violations_of_a_rule_are_told_and_the_rest_counted(tmp_path, clean):
    more = "".join(f'<edge id="e{i}" source="s5" target="s8"/>' for i in range(50))
    path = tmp_path / "broken.graphml"
    path.write_text(clean.replace(END, more + END), "utf-8")
    found = check_gephi(path)
    # the first of the fifty is a new pair; each lacks its weight
    assert sum("(edge-pair: " in sentence for sentence in found) == 20
    assert "29 more places break the rule edge-pair" in found
    assert "30 more places break the rule edge-weight" in found
    assert len(found) == 20 + 20 + 2
