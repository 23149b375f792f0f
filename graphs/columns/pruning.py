"""Tables of plans and of pruned networks."""

import pyarrow as pa

from graphs.columns.fields import LAYER, large, real, table, text, whole

# of a forward pass with one image and with a full batch
TIMES = [
    column
    for batch in (1, 64)
    for name, end in (("seconds", ""), ("seconds", "_low"), ("seconds", "_high"), ("speedup", ""))
    for column in real(f"{name}_{batch}{end}")
]

TABLES: dict[str, pa.Schema] = {
    "prune": table(
        whole("step"),
        text("state"),
        text("removed"),  # in this step, separated by commas
        real("accuracy", "accuracy_low", "accuracy_high"),
        large("correct", "images", "parameters", "macs"),
        TIMES,
        text("device"),
    ),
    "copies": table(
        text("tensor"),
        text("source"),  # empty for fresh values
        text("state"),
        large("values"),
    ),
    "criteria": table(
        text("criterion"),
        whole("repeat"),
        LAYER,
        real("score", null=True),
    ),
    "agreement": table(
        text("criterion_a", "criterion_b"),
        whole("n_layers"),  # removable ones with a score in both
        real("kendall", null=True),
        whole("n_removed_a", "n_removed_b", "n_removed_both"),
        real("jaccard"),
    ),
    "prune_compare": table(
        text("criterion"),
        text("same_as"),  # the criterion that removes the same, or empty
        text("removed"),  # separated by commas
        whole("n_removed"),
        large("parameters", "macs"),
        real("macs_left"),
        large("images"),
        real("original", "surgery", "tuned", "tuned_low", "tuned_high"),
        TIMES,
        text("device"),
    ),
    "single_layers": table(
        LAYER,
        real("gain"),
        real("gain_sd", null=True),
        real("last_q", "last_q_lost", "accuracy", "accuracy_low", "accuracy_high", "accuracy_lost"),
    ),
}
