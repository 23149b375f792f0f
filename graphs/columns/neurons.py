"""Tables of neuron graphs and of lesions: meanings in `graphs.neuron_rows` and `graphs.lesions`."""

import pyarrow as pa

from graphs.columns.fields import LAYER, flag, large, real, table, text, whole

MODULE = LAYER + whole("module")  # the cluster

TABLES: dict[str, pa.Schema] = {
    "lesion_sets": table(
        MODULE,
        whole("set"),  # -1 is the module itself
        whole("size"),
        whole("alive"),  # neurons of the layer that are in a cluster
        whole("width"),
        real("intact", "accuracy", "mean_class_accuracy", "class_range"),
    ),
    "lesions": table(
        MODULE,
        whole("size", "alive"),
        text("kind"),
        real("intact", "accuracy", "lost", "random_mean", "random_sd", "random_low", "random_high"),
        whole("n_random"),
        real("z", null=True),  # random sets may all cost the same
        real("p", "p_published", "p_class", "class_range", "p_range"),
    ),
    "lesion_classes": table(
        MODULE,
        whole("class"),
        text("class_name"),
        real("intact", "accuracy", "random_mean"),
    ),
    "dependencies": table(
        whole("layer_a_index"),
        text("layer_a"),
        whole("module_a", "layer_b_index"),
        text("layer_b"),
        whole("module_b"),
        real(
            "intact",
            "accuracy_a",
            "accuracy_b",
            "accuracy_both",
            "lost_a_given_b",
            "p_a_given_b",
            "lost_b_given_a",
            "p_b_given_a",
        ),
        whole("n_random"),
        text("kind"),
    ),
    "neurons": table(
        LAYER,
        whole("unit"),
        whole("cluster", null=True),  # dropped neurons have none
        whole("degree"),
        real("strength"),
    ),
    "neuron_clusters": table(
        whole("cluster", "size"),
        real("volume", "volume_share", "cut", "cut_share", "modularity_term"),
        whole("n_layers"),
        text("main_layer"),
        real("main_share"),
        flag("whole_layers"),
    ),
    "neuron_layers": table(
        LAYER,
        whole("width", "alive", "cluster", "size"),
        real("share"),
    ),
    "neuron_partition": table(
        large("n_neurons", "n_dropped", "n_nodes", "n_edges"),
        whole("n_components", "clusters", "n_clusters", "n_weightless"),
        real("ncut", "modularity", "in_out"),
        whole("whole_layer_clusters"),
        real("layer_ami"),
    ),
    "neuron_shuffles": table(
        text("null"),
        whole("shuffle"),
        real("ncut", "modularity"),
        large("n_nodes"),
        whole("n_clusters", "n_components"),
    ),
    "neuron_nulls": table(
        text("null"),
        whole("shuffles"),
        real("mean", "sd", "low", "high"),
        whole("at_most"),
        real("p"),
        real("z", null=True),  # shuffles may all give the same
        real("n_clusters", "n_components"),
    ),
}
