"""Tables of a run: nodes, activations, edges, and what stage 3 measures."""

import pyarrow as pa

from graphs.columns.fields import (
    SAMPLE,
    WHERE,
    flag,
    large,
    real,
    short,
    single,
    table,
    text,
    whole,
)

TERMS = real("inside", "share", "modularity_term") + real("conductance", null=True) + real("purity")

TABLES: dict[str, pa.Schema] = {
    "nodes": table(
        SAMPLE,
        whole("predicted", null=True),
        single("confidence", null=True),
    ),
    "activations": table(
        whole("node"),  # and `activation`, sized by layer
    ),
    "edges": table(
        whole("source", "target"),
        short("rank"),
        single("weight"),
    ),
    "layers": table(
        WHERE,
        whole("n_nodes", "k"),
        text("metric", "engine"),
        flag("exact"),
        real("modularity", "modularity_max", "inside_fraction"),
        large("n_edges"),
        whole("n_components", "n_communities"),
        real("modularity_leiden", "nmi", "ami", "ari"),
    ),
    "classes": table(
        WHERE,
        whole("class"),
        text("class_name"),
        whole("size"),
        TERMS,
    ),
    "communities": table(
        WHERE,
        whole("community", "size"),
        TERMS,
    ),
    "node_metrics": table(
        WHERE,
        whole("node", "community", "degree"),
        real("strength", "own_class_weight"),
        whole("core_number"),
    ),
    "class_pairs": table(
        WHERE,
        whole("class_a"),
        text("class_a_name"),
        whole("class_b"),
        text("class_b_name"),
        real("observed", "expected"),
        real("excess", "z", null=True),
    ),
    "samples": table(
        text("variant"),
        whole("repeat"),
        SAMPLE,
        whole("predicted", null=True),
        text("predicted_name", null=True),
        whole("neighbor_label", null=True),
        text("neighbor_label_name", null=True),
        whole("settled_index", null=True),
        text("settled_layer", null=True),
        text("lost"),  # layers, separated by commas
        real("own_share", "score"),
        whole("rank"),
        flag("suspect"),
    ),
    "flows": table(
        WHERE,
        whole("community", "matched", "next_layer_index"),
        text("next_layer"),
        whole("next_community", "next_matched", "count"),
        real("jaccard"),
    ),
    "events": table(
        WHERE,
        text("event"),  # birth, merge, split or death
        whole("matched", "size"),
        text("others"),  # matched communities, separated by commas
        real("jaccard"),
    ),
}
