import numpy as np
import pandas as pd

from graphs.published import Published
from pipeline.studies.attacks.batches import Found
from pipeline.studies.attacks.pairs import make_pair
from pipeline.studies.attacks.summary import CLEAN, PUBLISHED, TITLES, read_attacks, summarize


def found(samples, *, attempted=8, pixels=None):
    shape = (len(samples), 1, 8, 8)
    return Found(
        attempted=attempted,
        samples=np.array(samples, np.int64),
        pixels=np.ones(shape, np.float32) if pixels is None else pixels,
    )


def test_a_pair_holds_the_first_successes_in_the_order_of_the_data(scene):
    pixels = np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1) / 4 * np.ones((3, 1, 8, 8), "f4")
    pair = make_pair("fgsm", found([9, 4, 6], pixels=pixels), scene.raw, wanted=2)
    assert pair.labels.tolist() == scene.raw.labels[[4, 9]].tolist()
    assert np.array_equal(pair.clean, scene.raw.images([4, 9]).numpy())
    assert pair.attacked[:, 0, 0, 0].tolist() == [0.25, 0.0]


def test_pairs_that_make_a_graph(scene):
    labels = scene.raw.labels
    of_one = np.flatnonzero(labels == labels[0])[:5]
    mixed = np.arange(5)
    assert not make_pair("pgd", found(of_one), scene.raw, wanted=9).usable(3)
    assert make_pair("pgd", found(mixed), scene.raw, wanted=9).usable(3)
    assert not make_pair("pgd", found(mixed), scene.raw, wanted=9).usable(5)
    assert not make_pair("pgd", found([]), scene.raw, wanted=9).usable(1)


def test_the_table_has_every_attack(scene):
    pairs = [
        make_pair("fgsm", found([1, 2, 3, 4]), scene.raw, wanted=2),
        make_pair("cw", found([], attempted=0), scene.raw, wanted=2),
    ]
    curves = pd.DataFrame(
        {
            "attack": ["fgsm"],
            "last_layer": ["fc"],
            "last_layer_clean": [0.9],
            "last_layer_attacked": [0.1],
            "largest_drop": [0.8],
            "largest_drop_layer": ["fc"],
            "peak_attacked": [0.2],
        }
    )
    table = summarize(pairs, curves)
    assert table["attack"].tolist() == ["fgsm", "cw"]
    assert table["success_rate"].tolist()[0] == 4 / 8
    assert table["n_nodes"].tolist() == [2, 0]
    assert np.isnan(table["success_rate"][1])
    assert np.isnan(table["last_layer_clean"][1])
    said = read_attacks(table)
    assert "lower after the attack than before in 1 of 1 attack" in said
    assert "FGSM 0.100 (clean 0.900, 2 images, 50% of those attacked became wrong)" in said
    assert "clean 0.823, FGSM 0.096." in said
    assert "Too few images for a graph: CW (changed 0 of 0). Q depends" in said


def test_fewer_images_are_said():
    table = pd.DataFrame(
        {
            "attack": ["pgd", "onepixel"],
            "n_nodes": [200, 28],
            "success_rate": [1.0, 0.2],
            "last_layer_clean": [0.8, 0.3],
            "last_layer_attacked": [0.5, 0.1],
            "time_limit_reached": [False, True],
        }
    )
    said = read_attacks(table)
    assert "Ended by --time-limit: OnePixel. Q depends on the number of images: " in said
    assert "number of images: OnePixel had fewer. Published" in said
    assert "number of images. Published" in read_attacks(table.assign(n_nodes=200))
    assert "number of images" not in read_attacks(table.assign(n_nodes=500))


def test_every_attack_has_a_title_and_a_published_end():
    assert {CLEAN, *TITLES} == set(PUBLISHED)
    assert list(PUBLISHED.values()) == sorted(PUBLISHED.values(), reverse=True)


def test_published_ends_of_another_network_are_named():
    table = pd.DataFrame(
        {
            "attack": ["localsearch"], "n_nodes": [200], "success_rate": [1.0],
            "last_layer_clean": [0.8], "last_layer_attacked": [0.5],
            "time_limit_reached": [False],
        }
    )  # fmt: skip
    rows = pd.DataFrame(
        {
            "setting": ["LocalSearch"] * 2 + ["Normal"] * 2,
            "x": [1, 2] * 2,
            "Q": [0.1, 0.3, 0.1, 0.9],
        }
    )
    near = Published(rows=rows, model="ResNet18", dataset="CIFAR-10", layers=2, same=False)
    assert read_attacks(table, near).endswith(
        "Published for ResNet18, CIFAR-10 (Lu et al. 2022), 500 images each, by attacks "
        "with numbers of their own: clean 0.900, Local Search 0.300."
    )
