"""Tables of studies."""

import pyarrow as pa

from graphs.columns.fields import LAYER, SAMPLE, flag, large, real, single, table, text, whole

TABLES: dict[str, pa.Schema] = {
    "ablation": table(
        text("varied", "setting_a", "setting_b"),
        whole("n_layers"),
        real("spearman", "kendall", null=True),
        real("largest_difference"),
        text("layer"),
    ),
    "dynamics": table(
        whole("epoch"),
        real("accuracy", "test_accuracy", null=True),
        LAYER,
        real("modularity"),
        real("sd", null=True),
        real("spearman", null=True),  # of the layer, over all epochs
    ),
    "random": table(
        text("variant"),
        large("seed", null=True),
        real("range"),
        real("slope", "spearman", null=True),
        real("first_q", "last_q"),
    ),
    "compare": table(
        text("run", "model", "dataset"),
        LAYER,
        real("depth", "modularity"),
        real("sd", "step", null=True),
        text("mark"),
    ),
    "similarity": table(
        text("run_a"),
        whole("layer_a_index"),
        text("layer_a", "run_b"),
        whole("layer_b_index"),
        text("layer_b"),
        whole("repeat"),
        real("modularity_difference"),
        real("cka", null=True),  # features that do not vary have none
        real("neighbor_overlap"),
    ),
    "tsne": table(
        LAYER,
        SAMPLE,
        single("x", "y"),
    ),
    "multislice": table(
        whole("repeat"),
        LAYER,
        real("coupling"),
        whole("n_communities"),
        real("modularity"),  # of the communities, within the layer
        real("modularity_leiden"),  # of those of the layer on its own
        real("ami"),  # with the classes
        real("ami_leiden"),
        real("kept", null=True),  # samples in the community as before
        real("kept_leiden", null=True),
    ),
    "multislice_nodes": table(
        whole("repeat"),
        LAYER,
        SAMPLE,
        whole("community"),  # one numbering for all layers
    ),
    "adversarial": table(
        text("attack"),
        whole("attempted", "succeeded"),
        real("success_rate", null=True),
        flag("time_limit_reached"),
        whole("n_nodes"),
        real("mean_l2", "mean_linf", "pixels_changed", null=True),
        text("last_layer", null=True),
        real("last_layer_clean", "last_layer_attacked", "largest_drop", null=True),
        text("largest_drop_layer", null=True),
        real("peak_attacked", null=True),
    ),
}
