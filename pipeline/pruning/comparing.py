"""What every criterion would remove for the same budget."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes

from graphs.agreement import criteria_agreement
from graphs.plots_pruning import plot_scores, scores_size
from graphs.tables import write_table
from pipeline.console import log
from pipeline.figures import save_figure
from pipeline.pruning.budget import Budget, order_of_removal
from pipeline.pruning.choosing import choose_removed
from pipeline.pruning.parts import Part, find_stages
from pipeline.pruning.profile import count_macs
from pipeline.pruning.scoring import score_matrix, score_subject
from pipeline.pruning.subject import Subject

LISTED = 44  # characters of a terminal's line that names of layers may take


def compare_criteria(
    subject: Subject, budget: Budget | None, folder: Path, *, seed: int, device: torch.device
) -> Path:
    """Score the layers by all criteria and compare what each would remove.

    Parameters
    ----------
    subject : Subject
        A finished run.
    budget : Budget or None
        The same for all; by default half of the layers that can go.
    folder : Path
        Where ``criteria.parquet``, ``agreement.parquet`` and the figure go.
    seed : int
        Of everything random.
    device : device
        Where the network runs.

    Returns
    -------
    Path
        The table of scores, with the column ``removed``.

    Raises
    ------
    PlanError
        When a criterion needs what is not there, or the budget cannot be met.
    """
    budget = budget or _half(subject)
    scores = score_subject(subject, ["all"], seed=seed, device=device)
    removed = {
        str(name): choose_removed(subject, score_matrix(rows).mean(axis=0), budget, device=device)
        for name, rows in scores.groupby("criterion", sort=False)
    }
    names = {criterion: [part.name for part in parts] for criterion, parts in removed.items()}
    free = [part.name for part in subject.parts if not part.problem]
    agreement = criteria_agreement(scores, names, removable=free)
    gone = [
        layer in names[criterion]
        for criterion, layer in zip(scores["criterion"], scores["layer"], strict=True)
    ]
    path = folder / "criteria.parquet"
    write_table(scores.assign(removed=gone), path, "criteria")
    write_table(agreement, folder / "agreement.parquet", "agreement")

    def draw(ax: Axes) -> None:
        plot_scores(scores, names, ax, removable=free)

    save_figure(folder / "criteria", draw, size=scores_size(scores))
    log.info("%s", lay_out(subject, removed, agreement))
    return path


def _half(subject: Subject) -> Budget:
    """Ask for half of the layers that can go: every network can meet that."""
    order = order_of_removal(
        subject.parts, np.zeros(len(subject.parts)), find_stages(subject.parts)
    )
    count = max(1, len(order) // 2)
    log.info(
        "no budget: each removes %d of the %d layers that can go, as one stays in every stage",
        count,
        len(order),
    )
    return Budget(quantity="layers", value=count)


def lay_out(subject: Subject, removed: dict[str, list[Part]], agreement: pd.DataFrame) -> str:
    """Return as text, at most 80 characters a line, what each criterion would remove.

    ``tau`` is Kendall's with the order by modularity, ``both`` the overlap with what that
    removes: layers that both remove, of those that either does.
    """
    total = count_macs(subject.model, subject.input_shape).total
    with_q = agreement[agreement["criterion_a"] == "modularity"]
    taus = dict(zip(with_q["criterion_b"], with_q["kendall"], strict=True))
    overlaps = dict(zip(with_q["criterion_b"], with_q["jaccard"], strict=True))
    lines = [f"{'':<16} {'MACs':>5} {'tau':>6} {'both':>5}  removes"]
    for name, parts in removed.items():
        left = 1 - sum(part.macs for part in parts) / total
        tau = f"{taus[name]:.2f}" if name in taus else ""
        both = f"{overlaps[name]:.2f}" if name in overlaps else ""
        ordered = sorted(parts, key=lambda part: part.index)
        listed = _shorten(" ".join(part.name for part in ordered))
        lines.append(f"{name:<16} {left:>5.0%} {tau:>6} {both:>5}  {listed}")
    lines += [
        "",
        "tau: Kendall's, of the order of the layers with that of modularity",
        "both: layers that this and modularity remove, of those that either does",
        "MACs: what is left; whole layers go, so that it may be less than was asked for",
    ]
    return "\n".join(line.rstrip() for line in lines)


def _shorten(text: str) -> str:
    """Cut a list of names between two of them."""
    if len(text) <= LISTED:
        return text
    return text[: text.rindex(" ", 0, LISTED - 3)] + " ..."
