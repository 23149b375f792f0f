import pytest

from graphs.errors import ExportError
from graphs.export import dynamic_file_name, export_file_name, union_file_name
from graphs.export.text import gephi_text, xml_attribute, xml_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cat", "cat"),
        ("INFANT", "InfANT"),
        ("-INF", "-Inf"),
        ("INFINF", "InfInf"),
        ("inf", "inf"),
        ("A & B", "A & B"),
        ("A & <B>", "A &\u00a0<B>"),
        ("& & &", "&\u00a0&\u00a0&"),
        ("<  >", "<\u00a0\u00a0>"),
        ("  two ends ", "two ends"),
        ("é 中文 🐈", "é 中文 🐈"),
        ("None", "None"),
        ("nan", "nan"),
        ("", ""),
    ],
)
def test_gephi_shows_the_text_unchanged(text, shown):
    assert gephi_text(text, what="class 0") == shown


@pytest.mark.parametrize("sign", ["\x00", "\x1b", "\t", "\n", "\x7f", "\x85", "\ud800", "\uffff"])
def test_a_control_character_is_named(sign):
    with pytest.raises(ExportError, match=rf"of class 7 holds the character U\+{ord(sign):04X}.*;"):
        gephi_text(f"a{sign}b", what="class 7")


def test_escaping():
    assert xml_text("a<b>&\"'") == "a&lt;b&gt;&amp;\"'"
    assert xml_attribute("a<b>&\"'") == "a&lt;b&gt;&amp;&quot;'"


@pytest.mark.parametrize(
    ("name", "index", "layer", "file"),
    [
        ("clean-r0", 3, "layer1.2", "clean-r0_L03_layer1-2.graphml"),
        ("clean-r0", 0, "a/b\\c:d*é", "clean-r0_L00_a-b-c-d.graphml"),
        ("resnet56[2,3,6]-r1", 101, "", "resnet56-2-3-6-r1_L101.graphml"),
        ("k-05-r0", 2, "../..", "k-05-r0_L02.graphml"),
        ("x", 1, "y" * 300, f"x_L01_{'y' * 80}.graphml"),
        ("", 1, "fc", "L01_fc.graphml"),
    ],
)
def test_layer_file_names(name, index, layer, file):
    assert export_file_name(name, index, layer) == file
    assert export_file_name(name, index, layer, gzip=True) == file + ".gz"


def test_other_file_names():
    assert union_file_name("clean-r0") == "clean-r0_union.graphml"
    assert dynamic_file_name("clean-r0") == "clean-r0_dynamic.gexf"
    assert union_file_name("a.b", gzip=True) == "a-b_union.graphml.gz"
    assert dynamic_file_name("...") == "graph_dynamic.gexf"
