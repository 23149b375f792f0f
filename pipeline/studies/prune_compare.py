"""`stratagraph study prune-compare`: criteria at the same budget, tuned alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from cyclopts import Group, Parameter
from matplotlib.figure import Figure

from graphs.errors import PlanError
from graphs.files import digest_json, remove_tree
from graphs.places import resolve_folder
from graphs.plots_pruned import plot_networks, plot_single_layers
from graphs.runs import holds
from graphs.schema import COLUMNS
from graphs.tables import read_frame, write_table
from pipeline.console import log
from pipeline.data import ImageData
from pipeline.devices import resolve_device
from pipeline.figures import caption, save_panels
from pipeline.options import Machine, Work
from pipeline.prune_command import OtherImages, open_scene, open_splits
from pipeline.pruning.budget import Budget
from pipeline.pruning.choosing import choose_by_scores
from pipeline.pruning.criteria import choose_criteria
from pipeline.pruning.folder import PruneFolder
from pipeline.pruning.plan import Plan, follow_plan, write_plan
from pipeline.pruning.planning import images_of, make_plan
from pipeline.pruning.scoring import score_matrix, score_subject
from pipeline.pruning.steps import Scene, take_steps
from pipeline.pruning.subject import Subject, open_run
from pipeline.pruning.surgery import remove_parts
from pipeline.pruning.tuning import Distillation, Tuning
from pipeline.studies.folder import StudyFolder, refuse_others
from pipeline.studies.prune_reading import read_comparison
from pipeline.studies.single_layers import remove_one_by_one
from pipeline.studies.stored import subject_of

WHOLE = "nothing removed"


@Parameter(name="*", group=Group("Comparison", sort_key=1))
@dataclass(frozen=True, kw_only=True)
class Contest:
    """What is compared.

    Attributes
    ----------
    criteria
        Separated by commas, or `all`.
    macs
        Share of the multiply-accumulates that may be left to each.
    draws
        Of the criterion `random`.
    """

    criteria: str = "modularity,cka,block_influence,random,tail"
    macs: float = 0.5
    draws: int = 3


def study_prune_compare(
    run: Path,
    out: Path,
    *,
    contest: Contest | None = None,
    images: OtherImages | None = None,
    tuning: Tuning | None = None,
    machine: Machine | None = None,
    work: Work | None = None,
) -> Path:
    """Prune by several criteria at the same budget, tune alike, and compare accuracy.

    Also removes one layer at a time, without tuning, and asks whether what a layer adds to Q says
    how much accuracy is lost without it. The whole network is tuned like the others, so that what
    tuning alone does is seen. The same command goes on after an interruption.

    Parameters
    ----------
    run
        Folder of a run with stages 1 and 2 done, of a network with its weights.
    out
        Folder of the study: `metrics/prune-compare.parquet`, `metrics/single-layers.parquet`,
        `metrics/criteria.parquet` with the scores, `figures/prune-compare.png`, `plans`, and
        `networks` with the tuned weights.
    contest
        Criteria and budget.
    images
        Which images, where those of the run are not in a folder with both splits.
    tuning
        How every network is trained on.
    machine, work
        As in the stages.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    PlanError
        When a criterion is unknown, or the budget cannot be met.
    RunError, DataError, ModelError
        When the run, the images or the network cannot be used.
    """
    contest, work = contest or Contest(), work or Work()
    images, tuning = images or OtherImages(), (tuning or Tuning()).decided()
    names = choose_criteria([name.strip() for name in contest.criteria.split(",")])
    budget = Budget(quantity="macs", value=contest.macs)
    device = resolve_device((machine or Machine()).device)
    subject = open_run(run)
    splits = open_splits(images_of(subject), images, model=subject.network.model)
    asked = {"contest": vars(contest), "tuning": tuning.as_dict()}
    digest = _identify(subject, asked, splits)
    refuse_others(out, "prune-compare", subject=digest, force=work.force)
    scores = None if work.force else _read_scores(out, digest)
    if scores is None:
        scores = score_subject(subject, names, draws=contest.draws, seed=tuning.seed, device=device)
    plans = _plan_each(subject, scores, budget, device=device)
    scene = open_scene(
        next(iter(plans.values())),
        splits,
        weights=subject.network.weights,
        tuning=tuning,
        distillation=Distillation(),
        device=device,
        progress=work.progress,
    )
    folder = StudyFolder(out, "prune-compare", subject=digest, force=work.force)
    if work.force:
        for place in ("networks", "plans"):
            remove_tree(folder.root / place)
    folder.begin()
    write_table(scores, folder.table("criteria"), "criteria", metadata={"digest": digest})
    table = _compare(folder, scene, plans, subject)
    write_table(table, folder.table("prune-compare"), "prune_compare")
    single = remove_one_by_one(folder, scene, subject)
    write_table(single, folder.table("single-layers"), "single_layers")
    files = _draw(folder, table, single, subject)
    sentence = read_comparison(table, single, epochs=tuning.epochs)
    return folder.finish(asked, reading=sentence, files=files)


def _identify(subject: Subject, asked: Mapping[str, Any], splits: Sequence[ImageData]) -> str:
    """Return a digest of what the study depends on."""
    graphs = [item.digests for item in subject.sets]  # k and repeats change the curves
    of_images = [data.digest() for data in splits]
    return digest_json([subject_of(subject.sets[0].run), graphs, asked, of_images])


def _read_scores(out: Path, digest: str) -> pd.DataFrame | None:
    """Return what an interrupted or finished study of the same scored; None where there is none.

    The folder is not opened yet: it is left alone until there is a plan.
    """
    path = resolve_folder(out) / "metrics" / "criteria.parquet"
    if not holds(path, "criteria", digest):
        return None
    log.info("the scores of the layers are there already (they are made again without %s)", path)
    return read_frame(path, "criteria")


def _plan_each(
    subject: Subject, scores: pd.DataFrame, budget: Budget, *, device: torch.device
) -> dict[str, Plan]:
    """Plan by every criterion for the same budget."""
    plans = {}
    for name, rows in scores.groupby("criterion", sort=False):
        choice = choose_by_scores(
            subject, score_matrix(rows), budget, criterion=str(name), device=device
        )
        plans[str(name)] = make_plan(subject, choice, surgery="identity", device=device)
    return plans


def _compare(
    folder: StudyFolder, scene: Scene, plans: dict[str, Plan], subject: Subject
) -> pd.DataFrame:
    """Cut, tune and measure by every plan; plans that remove the same share a network."""
    rows = [_tune_whole(folder, scene)]
    first: dict[tuple[str, ...], str] = {}
    for name, plan in plans.items():
        write_plan(plan, folder.root / "plans" / f"{name}.json")
        removed = tuple(plan.removed)
        same = first.setdefault(removed, name)
        log.info("%s: %s%s", name, ", ".join(removed), "" if same == name else f" (as {same})")
        cut = follow_plan(subject.model, plan)
        place = PruneFolder(folder.root / "networks" / same, {"removed": list(removed)})
        (before, after, tuned), _ = take_steps(replace(scene, plan=plan), place, [cut])
        rows.append(_row(name, before, after, tuned, plan=plan, same=same))
    return pd.DataFrame(rows, columns=COLUMNS["prune_compare"].names)


def _tune_whole(folder: StudyFolder, scene: Scene) -> dict[str, Any]:
    """Tune the network with all its layers like the others."""
    whole = remove_parts(scene.original, (), (), input_shape=scene.plan.input_shape)
    place = PruneFolder(folder.root / "networks" / "whole", {"removed": []})
    log.info("%s", WHOLE)
    whole_plan = replace(scene.plan, kept=[*scene.plan.kept, *scene.plan.removed], removed=[])
    (before, after, tuned), _ = take_steps(replace(scene, plan=whole_plan), place, [whole])
    return _row(WHOLE, before, after, tuned, plan=None, same=WHOLE)


def _row(
    name: str,
    before: dict[str, Any],
    after: dict[str, Any],
    tuned: dict[str, Any],
    *,
    plan: Plan | None,
    same: str,
) -> dict[str, Any]:
    """Put the three states of a network into one row."""
    removed = plan.removed if plan else []
    costs = [key for key in tuned if key.startswith(("seconds", "speedup"))]
    return {
        "criterion": name,
        "same_as": "" if same == name else same,
        "removed": ",".join(removed),
        "n_removed": len(removed),
        "parameters": tuned["parameters"],
        "macs": tuned["macs"],
        "macs_left": tuned["macs"] / before["macs"],
        "images": tuned["images"],
        "original": before["accuracy"],
        "surgery": after["accuracy"],
        "tuned": tuned["accuracy"],
        "tuned_low": tuned["accuracy_low"],
        "tuned_high": tuned["accuracy_high"],
        **{key: tuned[key] for key in costs},
        "device": tuned["device"],
    }


def _draw(
    folder: StudyFolder, table: pd.DataFrame, single: pd.DataFrame, subject: Subject
) -> list[str]:
    images = subject.images
    if images is None:  # a run has them
        raise PlanError("there are no images", "give a run")
    title = caption(subject.network.model, images.dataset, images.data)

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
        plot_networks(table, left)
        plot_single_layers(single, right)
        figure.suptitle(title, x=0.01, ha="left")

    height = max(4.2, 1.6 + 0.36 * len(table))
    return save_panels(folder.figures / "prune-compare", draw, size=(11.5, height))
