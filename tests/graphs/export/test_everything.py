import gzip

import numpy as np
import pytest

from graphs.errors import ExportError
from graphs.export import check_gephi, export_dynamic

LABELS = [
    ("A & <B>", "A &\u00a0<B>"),
    ("\"quoted\" 'words'", "\"quoted\" 'words'"),
    ("é 中文", "é 中文"),
    ("INFANT", "InfANT"),
    ("None", "None"),
    ("nan", "nan"),
    ("x" * 5000, "x" * 5000),
]


def test_all_files_of_a_graph(tmp_path, dynamic):
    communities = np.zeros((3, 4), dtype=np.int32)
    paths = export_dynamic(
        dynamic, tmp_path / "new" / "exports", communities=communities, modularity=[0.1, 0.2, 0.3]
    )
    assert [path.name for path in paths] == [
        "clean-r0_L00_conv1.graphml",
        "clean-r0_L01_layer1-2.graphml",
        "clean-r0_L02_fc.graphml",
        "clean-r0_union.graphml",
        "clean-r0_dynamic.gexf",
    ]
    assert sorted(paths) == sorted((tmp_path / "new" / "exports").iterdir())
    assert [check_gephi(path) for path in paths] == [[]] * 5


def test_the_same_seed_gives_the_same_files_packed_or_not(tmp_path, dynamic):
    plain = export_dynamic(dynamic, tmp_path / "a", seed=3)
    packed = export_dynamic(dynamic, tmp_path / "b", seed=3, gzip=True)
    other = export_dynamic(dynamic, tmp_path / "c", seed=4)
    assert [path.name for path in packed] == [f"{path.name}.gz" for path in plain]
    for one, two, three in zip(plain, packed, other, strict=True):
        assert gzip.decompress(two.read_bytes()) == one.read_bytes() != three.read_bytes()
        assert check_gephi(two) == []


@pytest.mark.parametrize(("label", "shown"), LABELS)
@pytest.mark.parametrize("place", ["class", "layer"])
def test_odd_words_survive(tmp_path, make_dynamic, label, shown, place):
    if place == "class":
        odd = make_dynamic(names={0: label, 1: label}, predicted=[1, 0, 1, 0])
    else:
        odd = make_dynamic(layer_names=[label] * 3)
    paths = export_dynamic(odd, tmp_path)
    assert [check_gephi(path) for path in paths] == [[]] * 5
    escaped = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f">{escaped}</data>" in paths[0].read_text("utf-8")


def test_a_control_character_in_a_layer_name(tmp_path, make_dynamic):
    with pytest.raises(ExportError, match=r"'a\\x00b' of layer 1 holds the character U\+0000"):
        export_dynamic(make_dynamic(layer_names=["a", "a\0b", "c"]), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"layers": [{(0, 1): 1.0}]},
        {"layers": [{(0, 1): 1.0}, {}]},
        {"labels": [0, 0, 0, 0]},
        {"names": {0: "", 1: None}},
        {"names": {0: "same", 1: "same"}},
        {"layers": [{}], "samples": [0], "labels": [5], "names": {5: "one"}},
        {"predicted": [1, 1, None, 9]},
        {"name": "resnet56[2,3,6]-r0 & INF"},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("representation", ["interval", "timestamp"])
def test_borderline_graphs(tmp_path, make_dynamic, change, representation):
    paths = export_dynamic(make_dynamic(**change), tmp_path, representation=representation)
    assert all(check_gephi(path) == [] for path in paths)
