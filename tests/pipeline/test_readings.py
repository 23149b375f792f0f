"""Sentences on chance, classes and samples, from tables of a few rows."""

import pandas as pd
import pytest

from pipeline.chance_reading import chance_sentences
from pipeline.class_reading import class_sentences
from pipeline.sample_reading import sample_sentences, suspects

NAMES = ("cat", "dog", "owl")
LAYERS = ("stem", "block1", "block2")


def layer_table(*curves, p=0.005):
    return pd.DataFrame(
        [
            {"repeat": repeat, "layer_index": index, "layer": LAYERS[index], "modularity": value}
            | {"modularity_p": p if isinstance(p, float) else p[repeat][index]}
            | {"modularity_low": value - 0.1, "modularity_high": value + 0.2}
            for repeat, curve in enumerate(curves)
            for index, value in enumerate(curve)
        ]
    )


def pair_table(curves, z=-9.0):
    """Excess of every layer by pair."""
    return pd.DataFrame(
        [
            {"repeat": 0, "layer_index": index, "layer": LAYERS[index]}
            | {"class_a": a, "class_a_name": NAMES[a], "class_b": b, "class_b_name": NAMES[b]}
            | {"excess": value, "z": z}
            for (a, b), curve in curves.items()
            for index, value in enumerate(curve)
        ]
    )


def sample_table(*rows):
    """Label, prediction, label of the neighbours, score, whether it is a suspect."""
    columns = ["label", "predicted", "neighbor_label", "score", "suspect"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.assign(repeat=0, node=range(len(table)), sample=range(100, 100 + len(table)))
    return table.assign(
        label_name=table["label"].map(lambda code: NAMES[code]),
        neighbor_label_name=table["neighbor_label"].map(lambda code: NAMES[code]),
    )


FINE = sample_table([0, 0, 0, -1.0, False], [1, 1, 1, -1.0, False])


def test_one_repeat_has_the_bootstrap_interval():
    assert chance_sentences(layer_table([0.1, 0.5])) == [
        "Q is above that of 200 permutations of the labels (p <= 0.01) in every layer.",
        "Q in block1 is between 0.40 and 0.70 in 95 % of bootstrap draws of these samples; other "
        "samples would spread wider.",
    ]


def test_repeats_have_the_interval_of_their_mean():
    # 0.5 ± 12.706 · √0.02 / √2 of 0.4 and 0.6
    assert chance_sentences(layer_table([0.4], [0.6]))[1] == (
        "Mean Q in stem: -0.77 to 1.77 (95 % interval by Student's t, 2 repeats)."
    )


@pytest.mark.parametrize(
    ("p", "where"),
    [
        ([[0.005, 0.005], [0.005, 0.2]], "except in block1 (p = 0.2)"),
        ([[0.5, 0.25], [0.005, 0.005]], "in no layer"),
        ([[0.01, 0.005], [0.005, 0.005]], "in every layer"),
    ],
)
def test_layers_like_chance_are_named_by_their_worst_repeat(p, where):
    sentence = chance_sentences(layer_table([0.1, 0.5], [0.2, 0.6], p=p))[0]
    assert sentence == (f"Q is above that of 200 permutations of the labels (p <= 0.01) {where}.")


def test_classes_that_separate_late_and_never():
    pairs = pair_table({(0, 1): [2, 1.5, 0.9], (0, 2): [0.6, 0.7, 0.2], (1, 2): [0.9, 0.1, 0.1]})
    samples = sample_table(
        [0, 1, 0, 0, False], [1, 0, 0, 0, False], [1, 2, 0, 0, False], [2, 2, 2, 0, False]
    )
    assert class_sentences(pairs, samples) == [
        "2 of 3 pairs of classes are apart in the last layer, block2: linked less than half as "
        "often as by chance.",
        "Not apart: cat and dog (0.90 times chance).",
        "Cat and owl separate only at block2; dog and owl already at block1.",
        "The network confuses most often cat and dog (2), dog and owl (1); rank correlation with "
        "the links 0.50, too few to rule out chance.",
    ]


@pytest.mark.parametrize(
    ("curve", "sentence"),
    [
        ([0.4, 0.3, 0.2], "They are so from the first layer on, stem."),
        ([1.0, 0.3, 0.2], "Cat and dog separate only at block1."),
    ],
)
def test_one_pair(curve, sentence):
    told = class_sentences(pair_table({(0, 1): curve}), FINE)
    start = "The two classes are apart in the last layer, block2: linked less than half as "
    assert told == [f"{start}often as by chance.", sentence]


def test_too_few_links_are_said():
    told = class_sentences(pair_table({(0, 1): [0.1, 0.1]}, z=-1.0), FINE)
    assert told[0].startswith("0 of 1 pair of classes are apart in the last layer, block1")
    assert told[1:] == ["Too few links to tell: 1 pair; take more samples."]


def test_confusions_with_classes_of_no_sample_are_not_told():
    pairs = pair_table({(0, 1): [1.0, 0.1]})
    told = class_sentences(pairs, sample_table([0, 7, 0, 0, False], [1, 8, 1, 0, False]))
    assert not any("confuses" in sentence for sentence in told)
    told = class_sentences(pairs, sample_table([0, 7, 0, 0, False], [1, 0, 1, 0, False]))
    assert told[-1].startswith("The network confuses most often cat and dog (1)")


def test_many_pairs_are_counted():
    names = tuple("abcdef")
    pairs = [(a, b) for a in range(6) for b in range(a + 1, 6)]
    table = pd.concat(
        pair_table({(0, 1): [1.0, 0.1]}).assign(
            class_a=a, class_b=b, class_a_name=names[a], class_b_name=names[b]
        )
        for a, b in pairs
    )
    told = class_sentences(table, FINE)
    assert told[1] == "A and b, a and c, a and d and 12 more pairs separate only at block1."


def test_suspects_are_ranked_and_named():
    samples = sample_table(
        [0, 1, 1, 0.3, True], [1, 1, 0, 0.9, True], [2, 2, 2, -1.0, False], [2, 0, 2, 0.0, True]
    )
    assert suspects(samples)["sample"].tolist() == [101, 100, 103]
    assert sample_sentences(samples) == [
        "3 of 4 samples (75%) never settle: in the last layer most of their links lead to other "
        "classes.",
        "Labels to check first: samples 101 (dog, neighbours cat), 100 (cat, neighbours dog).",
    ]
    assert sample_sentences(FINE) == [
        "Every sample settles: most of its links lead to its class in the end."
    ]


def test_a_sample_of_several_node_sets_counts_once():
    twice, once = [0, 1, 1, 0.9, True], [1, 1, 1, -1.0, False]
    first, second = sample_table(twice, once), sample_table(twice, [1, 0, 0, 0.2, True])
    samples = pd.concat([first, second.assign(repeat=1)], ignore_index=True)
    told = sample_sentences(samples)
    # sample 100 in both sets, 101 in one of two
    assert told[0].startswith("2 of 2 samples (100%) never settle in half or more of the node sets")
    assert told[1].count("100 (") == 1
    samples.loc[samples["sample"] == 101, "suspect"] = False
    assert sample_sentences(samples)[0].startswith("1 of 2 samples (50%)")
