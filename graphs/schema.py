"""Columns, types and versions of every table: the contract with those who read the files.

Every file says in its metadata what it is: ``stratagraph.schema = "edges/1"``. Columns are added
within a version, never renamed or removed.
"""

from typing import Literal, get_args

import pyarrow as pa

from graphs.errors import SchemaError

TableName = Literal[
    "nodes",
    "activations",
    "edges",
    "layers",
    "classes",
    "class_pairs",
    "communities",
    "node_metrics",
    "samples",
    "flows",
    "events",
    "ablation",
    "dynamics",
    "random",
    "compare",
    "similarity",
    "tsne",
    "multislice",
    "multislice_nodes",
    "adversarial",
    "prune",
    "copies",
    "criteria",
    "agreement",
    "prune_compare",
    "single_layers",
    "lesion_sets",
    "lesions",
    "lesion_classes",
    "dependencies",
    "neurons",
    "neuron_clusters",
    "neuron_layers",
    "neuron_partition",
    "neuron_shuffles",
    "neuron_nulls",
]
TABLE_NAMES: tuple[TableName, ...] = get_args(TableName)
VERSION = 1
KEY = "stratagraph.schema"


def _column(name: str, kind: pa.DataType, *, null: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=null)


_WHERE = [
    _column("variant", pa.string()),
    _column("repeat", pa.int32()),
    _column("layer_index", pa.int32()),
    _column("layer", pa.string()),
]

_MODULE = [
    _column("layer_index", pa.int32()),
    _column("layer", pa.string()),
    _column("module", pa.int32()),  # the cluster
]

# of a forward pass with one image and with a full batch
_TIMES = [
    _column(f"{name}_{batch}{end}", pa.float64())
    for batch in (1, 64)
    for name, end in (("seconds", ""), ("seconds", "_low"), ("seconds", "_high"), ("speedup", ""))
]

COLUMNS: dict[TableName, pa.Schema] = {
    "nodes": pa.schema(
        [
            _column("node", pa.int32()),
            _column("sample", pa.int64()),
            _column("label", pa.int32()),
            _column("label_name", pa.string()),
            _column("predicted", pa.int32(), null=True),
            _column("confidence", pa.float32(), null=True),
        ]
    ),
    "activations": pa.schema([_column("node", pa.int32())]),  # and `activation`, sized by layer
    "edges": pa.schema(
        [
            _column("source", pa.int32()),
            _column("target", pa.int32()),
            _column("rank", pa.int16()),
            _column("weight", pa.float32()),
        ]
    ),
    "layers": pa.schema(
        [
            *_WHERE,
            _column("n_nodes", pa.int32()),
            _column("k", pa.int32()),
            _column("metric", pa.string()),
            _column("engine", pa.string()),
            _column("exact", pa.bool_()),
            _column("modularity", pa.float64()),
            _column("modularity_max", pa.float64()),
            _column("inside_fraction", pa.float64()),
            _column("n_edges", pa.int64()),
            _column("n_components", pa.int32()),
            _column("n_communities", pa.int32()),
            _column("modularity_leiden", pa.float64()),
            _column("nmi", pa.float64()),
            _column("ami", pa.float64()),
            _column("ari", pa.float64()),
        ]
    ),
    "classes": pa.schema(
        [
            *_WHERE,
            _column("class", pa.int32()),
            _column("class_name", pa.string()),
            _column("size", pa.int32()),
            _column("inside", pa.float64()),
            _column("share", pa.float64()),
            _column("modularity_term", pa.float64()),
            _column("conductance", pa.float64(), null=True),
            _column("purity", pa.float64()),
        ]
    ),
    "communities": pa.schema(
        [
            *_WHERE,
            _column("community", pa.int32()),
            _column("size", pa.int32()),
            _column("inside", pa.float64()),
            _column("share", pa.float64()),
            _column("modularity_term", pa.float64()),
            _column("conductance", pa.float64(), null=True),
            _column("purity", pa.float64()),
        ]
    ),
    "node_metrics": pa.schema(
        [
            *_WHERE,
            _column("node", pa.int32()),
            _column("community", pa.int32()),
            _column("degree", pa.int32()),
            _column("strength", pa.float64()),
            _column("own_class_weight", pa.float64()),
            _column("core_number", pa.int32()),
        ]
    ),
    "class_pairs": pa.schema(
        [
            *_WHERE,
            _column("class_a", pa.int32()),
            _column("class_a_name", pa.string()),
            _column("class_b", pa.int32()),
            _column("class_b_name", pa.string()),
            _column("observed", pa.float64()),
            _column("expected", pa.float64()),
            _column("excess", pa.float64(), null=True),
            _column("z", pa.float64(), null=True),
        ]
    ),
    "samples": pa.schema(
        [
            _column("variant", pa.string()),
            _column("repeat", pa.int32()),
            _column("node", pa.int32()),
            _column("sample", pa.int64()),
            _column("label", pa.int32()),
            _column("label_name", pa.string()),
            _column("predicted", pa.int32(), null=True),
            _column("predicted_name", pa.string(), null=True),
            _column("neighbor_label", pa.int32(), null=True),
            _column("neighbor_label_name", pa.string(), null=True),
            _column("settled_index", pa.int32(), null=True),
            _column("settled_layer", pa.string(), null=True),
            _column("lost", pa.string()),  # layers, separated by commas
            _column("own_share", pa.float64()),
            _column("score", pa.float64()),
            _column("rank", pa.int32()),
            _column("suspect", pa.bool_()),
        ]
    ),
    # of communities through depth
    "flows": pa.schema(
        [
            *_WHERE,
            _column("community", pa.int32()),
            _column("matched", pa.int32()),
            _column("next_layer_index", pa.int32()),
            _column("next_layer", pa.string()),
            _column("next_community", pa.int32()),
            _column("next_matched", pa.int32()),
            _column("count", pa.int32()),
            _column("jaccard", pa.float64()),
        ]
    ),
    "events": pa.schema(
        [
            *_WHERE,
            _column("event", pa.string()),  # birth, merge, split or death
            _column("matched", pa.int32()),
            _column("size", pa.int32()),
            _column("others", pa.string()),  # matched communities, separated by commas
            _column("jaccard", pa.float64()),
        ]
    ),
    # of the studies
    "ablation": pa.schema(
        [
            _column("varied", pa.string()),
            _column("setting_a", pa.string()),
            _column("setting_b", pa.string()),
            _column("n_layers", pa.int32()),
            _column("spearman", pa.float64(), null=True),
            _column("kendall", pa.float64(), null=True),
            _column("largest_difference", pa.float64()),
            _column("layer", pa.string()),
        ]
    ),
    "dynamics": pa.schema(
        [
            _column("epoch", pa.int32()),
            _column("accuracy", pa.float64(), null=True),
            _column("test_accuracy", pa.float64(), null=True),
            _column("layer_index", pa.int32()),
            _column("layer", pa.string()),
            _column("modularity", pa.float64()),
            _column("sd", pa.float64(), null=True),
            _column("spearman", pa.float64(), null=True),  # of the layer, over all epochs
        ]
    ),
    "random": pa.schema(
        [
            _column("variant", pa.string()),
            _column("seed", pa.int64(), null=True),
            _column("range", pa.float64()),
            _column("slope", pa.float64(), null=True),
            _column("spearman", pa.float64(), null=True),
            _column("first_q", pa.float64()),
            _column("last_q", pa.float64()),
        ]
    ),
    "compare": pa.schema(
        [
            _column("run", pa.string()),
            _column("model", pa.string()),
            _column("dataset", pa.string()),
            _column("layer_index", pa.int32()),
            _column("layer", pa.string()),
            _column("depth", pa.float64()),
            _column("modularity", pa.float64()),
            _column("sd", pa.float64(), null=True),
            _column("step", pa.float64(), null=True),
            _column("mark", pa.string()),
        ]
    ),
    "similarity": pa.schema(
        [
            _column("run_a", pa.string()),
            _column("layer_a_index", pa.int32()),
            _column("layer_a", pa.string()),
            _column("run_b", pa.string()),
            _column("layer_b_index", pa.int32()),
            _column("layer_b", pa.string()),
            _column("repeat", pa.int32()),
            _column("modularity_difference", pa.float64()),
            _column("cka", pa.float64(), null=True),  # features that do not vary have none
            _column("neighbor_overlap", pa.float64()),
        ]
    ),
    "tsne": pa.schema(
        [
            _column("layer_index", pa.int32()),
            _column("layer", pa.string()),
            _column("node", pa.int32()),
            _column("sample", pa.int64()),
            _column("label", pa.int32()),
            _column("label_name", pa.string()),
            _column("x", pa.float32()),
            _column("y", pa.float32()),
        ]
    ),
    "multislice": pa.schema(
        [
            _column("repeat", pa.int32()),
            _column("layer_index", pa.int32()),
            _column("layer", pa.string()),
            _column("coupling", pa.float64()),
            _column("n_communities", pa.int32()),
            _column("modularity", pa.float64()),  # of the communities, within the layer
            _column("modularity_leiden", pa.float64()),  # of those of the layer on its own
            _column("ami", pa.float64()),  # with the classes
            _column("ami_leiden", pa.float64()),
            _column("kept", pa.float64(), null=True),  # samples in the community as before
            _column("kept_leiden", pa.float64(), null=True),
        ]
    ),
    "multislice_nodes": pa.schema(
        [
            _column("repeat", pa.int32()),
            _column("layer_index", pa.int32()),
            _column("layer", pa.string()),
            _column("node", pa.int32()),
            _column("sample", pa.int64()),
            _column("label", pa.int32()),
            _column("label_name", pa.string()),
            _column("community", pa.int32()),  # one numbering for all layers
        ]
    ),
    "adversarial": pa.schema(
        [
            _column("attack", pa.string()),
            _column("attempted", pa.int32()),
            _column("succeeded", pa.int32()),
            _column("success_rate", pa.float64(), null=True),
            _column("time_limit_reached", pa.bool_()),
            _column("n_nodes", pa.int32()),
            _column("mean_l2", pa.float64(), null=True),
            _column("mean_linf", pa.float64(), null=True),
            _column("pixels_changed", pa.float64(), null=True),
            _column("last_layer", pa.string(), null=True),
            _column("last_layer_clean", pa.float64(), null=True),
            _column("last_layer_attacked", pa.float64(), null=True),
            _column("largest_drop", pa.float64(), null=True),
            _column("largest_drop_layer", pa.string(), null=True),
            _column("peak_attacked", pa.float64(), null=True),
        ]
    ),
    # of pruned networks
    "prune": pa.schema(
        [
            _column("step", pa.int32()),
            _column("state", pa.string()),
            _column("removed", pa.string()),  # in this step, separated by commas
            _column("accuracy", pa.float64()),
            _column("accuracy_low", pa.float64()),
            _column("accuracy_high", pa.float64()),
            _column("correct", pa.int64()),
            _column("images", pa.int64()),
            _column("parameters", pa.int64()),
            _column("macs", pa.int64()),
            *_TIMES,
            _column("device", pa.string()),
        ]
    ),
    "copies": pa.schema(
        [
            _column("tensor", pa.string()),
            _column("source", pa.string()),  # empty for fresh values
            _column("state", pa.string()),
            _column("values", pa.int64()),
        ]
    ),
    # of pruning
    "criteria": pa.schema(
        [
            _column("criterion", pa.string()),
            _column("repeat", pa.int32()),
            _column("layer_index", pa.int32()),
            _column("layer", pa.string()),
            _column("score", pa.float64(), null=True),
        ]
    ),
    "agreement": pa.schema(
        [
            _column("criterion_a", pa.string()),
            _column("criterion_b", pa.string()),
            _column("n_layers", pa.int32()),  # removable ones with a score in both
            _column("kendall", pa.float64(), null=True),
            _column("n_removed_a", pa.int32()),
            _column("n_removed_b", pa.int32()),
            _column("n_removed_both", pa.int32()),
            _column("jaccard", pa.float64()),
        ]
    ),
    "prune_compare": pa.schema(
        [
            _column("criterion", pa.string()),
            _column("same_as", pa.string()),  # the criterion that removes the same, or empty
            _column("removed", pa.string()),  # separated by commas
            _column("n_removed", pa.int32()),
            _column("parameters", pa.int64()),
            _column("macs", pa.int64()),
            _column("macs_left", pa.float64()),
            _column("images", pa.int64()),
            _column("original", pa.float64()),
            _column("surgery", pa.float64()),
            _column("tuned", pa.float64()),
            _column("tuned_low", pa.float64()),
            _column("tuned_high", pa.float64()),
            *_TIMES,
            _column("device", pa.string()),
        ]
    ),
    "single_layers": pa.schema(
        [
            _column("layer_index", pa.int32()),
            _column("layer", pa.string()),
            _column("gain", pa.float64()),
            _column("gain_sd", pa.float64(), null=True),
            _column("last_q", pa.float64()),
            _column("last_q_lost", pa.float64()),
            _column("accuracy", pa.float64()),
            _column("accuracy_low", pa.float64()),
            _column("accuracy_high", pa.float64()),
            _column("accuracy_lost", pa.float64()),
        ]
    ),
    # of lesions: meanings in graphs/lesions.py
    "lesion_sets": pa.schema(
        [
            *_MODULE,
            _column("set", pa.int32()),  # -1 is the module itself
            _column("size", pa.int32()),
            _column("alive", pa.int32()),  # neurons of the layer that are in a cluster
            _column("width", pa.int32()),
            _column("intact", pa.float64()),
            _column("accuracy", pa.float64()),
            _column("mean_class_accuracy", pa.float64()),
            _column("class_range", pa.float64()),
        ]
    ),
    "lesions": pa.schema(
        [
            *_MODULE,
            _column("size", pa.int32()),
            _column("alive", pa.int32()),
            _column("kind", pa.string()),
            _column("intact", pa.float64()),
            _column("accuracy", pa.float64()),
            _column("lost", pa.float64()),
            _column("random_mean", pa.float64()),
            _column("random_sd", pa.float64()),
            _column("random_low", pa.float64()),
            _column("random_high", pa.float64()),
            _column("n_random", pa.int32()),
            _column("z", pa.float64(), null=True),  # random sets may all cost the same
            _column("p", pa.float64()),
            _column("p_published", pa.float64()),
            _column("p_class", pa.float64()),
            _column("class_range", pa.float64()),
            _column("p_range", pa.float64()),
        ]
    ),
    "lesion_classes": pa.schema(
        [
            *_MODULE,
            _column("class", pa.int32()),
            _column("class_name", pa.string()),
            _column("intact", pa.float64()),
            _column("accuracy", pa.float64()),
            _column("random_mean", pa.float64()),
        ]
    ),
    "dependencies": pa.schema(
        [
            _column("layer_a_index", pa.int32()),
            _column("layer_a", pa.string()),
            _column("module_a", pa.int32()),
            _column("layer_b_index", pa.int32()),
            _column("layer_b", pa.string()),
            _column("module_b", pa.int32()),
            _column("intact", pa.float64()),
            _column("accuracy_a", pa.float64()),
            _column("accuracy_b", pa.float64()),
            _column("accuracy_both", pa.float64()),
            _column("lost_a_given_b", pa.float64()),
            _column("p_a_given_b", pa.float64()),
            _column("lost_b_given_a", pa.float64()),
            _column("p_b_given_a", pa.float64()),
            _column("n_random", pa.int32()),
            _column("kind", pa.string()),
        ]
    ),
    # of the weights' modularity: meanings in graphs/neuron_rows.py
    "neurons": pa.schema(
        [
            _column("layer_index", pa.int32()),
            _column("layer", pa.string()),
            _column("unit", pa.int32()),
            _column("cluster", pa.int32(), null=True),  # dropped neurons have none
            _column("degree", pa.int32()),
            _column("strength", pa.float64()),
        ]
    ),
    "neuron_clusters": pa.schema(
        [
            _column("cluster", pa.int32()),
            _column("size", pa.int32()),
            _column("volume", pa.float64()),
            _column("volume_share", pa.float64()),
            _column("cut", pa.float64()),
            _column("cut_share", pa.float64()),
            _column("modularity_term", pa.float64()),
            _column("n_layers", pa.int32()),
            _column("main_layer", pa.string()),
            _column("main_share", pa.float64()),
            _column("whole_layers", pa.bool_()),
        ]
    ),
    "neuron_layers": pa.schema(
        [
            _column("layer_index", pa.int32()),
            _column("layer", pa.string()),
            _column("width", pa.int32()),
            _column("alive", pa.int32()),
            _column("cluster", pa.int32()),
            _column("size", pa.int32()),
            _column("share", pa.float64()),
        ]
    ),
    "neuron_partition": pa.schema(
        [
            _column("n_neurons", pa.int64()),
            _column("n_dropped", pa.int64()),
            _column("n_nodes", pa.int64()),
            _column("n_edges", pa.int64()),
            _column("n_components", pa.int32()),
            _column("clusters", pa.int32()),
            _column("n_clusters", pa.int32()),
            _column("n_weightless", pa.int32()),
            _column("ncut", pa.float64()),
            _column("modularity", pa.float64()),
            _column("in_out", pa.float64()),
            _column("whole_layer_clusters", pa.int32()),
            _column("layer_ami", pa.float64()),
        ]
    ),
    "neuron_shuffles": pa.schema(
        [
            _column("null", pa.string()),
            _column("shuffle", pa.int32()),
            _column("ncut", pa.float64()),
            _column("modularity", pa.float64()),
            _column("n_nodes", pa.int64()),
            _column("n_clusters", pa.int32()),
            _column("n_components", pa.int32()),
        ]
    ),
    "neuron_nulls": pa.schema(
        [
            _column("null", pa.string()),
            _column("shuffles", pa.int32()),
            _column("mean", pa.float64()),
            _column("sd", pa.float64()),
            _column("low", pa.float64()),
            _column("high", pa.float64()),
            _column("at_most", pa.int32()),
            _column("p", pa.float64()),
            _column("z", pa.float64(), null=True),  # shuffles may all give the same
            _column("n_clusters", pa.float64()),
            _column("n_components", pa.float64()),
        ]
    ),
}


def activation_schema(values: int, dtype: Literal["float32", "float16"]) -> pa.Schema:
    """Return the schema of one layer's activations.

    A non-nullable list of fixed size reads back several times faster than a nullable one.
    """
    kind = pa.float32() if dtype == "float32" else pa.float16()
    element = pa.field("element", kind, nullable=False)
    return COLUMNS["activations"].append(_column("activation", pa.list_(element, values)))


def label(name: TableName) -> str:
    """Return what stands in a file's metadata: name and version.

    Examples
    --------
    >>> label("edges")
    'edges/1'
    """
    return f"{name}/{VERSION}"


def validate(schema: pa.Schema, name: TableName, *, where: str) -> None:
    """Check that a file's schema is a known version of the table that a reader expects.

    Parameters
    ----------
    schema : pyarrow.Schema
        The schema as read, with its metadata.
    name : str
        The table that is expected.
    where : str
        The file, for the message.

    Raises
    ------
    SchemaError
        When the file is another table, another version, or lacks a column.
    """
    found = (schema.metadata or {}).get(KEY.encode(), b"").decode()
    if not found:
        raise SchemaError(
            f"{where} does not say what it is: {KEY} is missing from its metadata",
            "write it with stratagraph, other programs drop the metadata",
        )
    if found != label(name):
        raise SchemaError(
            f"{where} is of schema {found}, this version reads {label(name)}",
            "use the version of stratagraph that wrote it, or run the stage again",
        )
    for column in COLUMNS[name]:
        if column.name not in schema.names:
            raise SchemaError(
                f"{where} has no column {column.name!r}: it has {', '.join(schema.names)}",
                "run the stage that writes it again",
            )
        kind = schema.field(column.name).type
        if kind != column.type:
            raise SchemaError(
                f"{where}: column {column.name!r} is {kind}, not {column.type}",
                "run the stage that writes it again",
            )
