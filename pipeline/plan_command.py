"""`stratagraph plan`: which layers could go, and what that would save."""

from dataclasses import replace
from pathlib import Path

import torch

from graphs.confidence import DRAWS
from graphs.errors import PlanError
from graphs.neighbors import Device
from graphs.places import resolve_folder
from pipeline.console import log, show_table
from pipeline.devices import require_writable, resolve_device
from pipeline.options import Network
from pipeline.pruning.choosing import Choice, choose_by_counts, choose_by_rule, choose_by_scores
from pipeline.pruning.comparing import compare_criteria
from pipeline.pruning.options import Alone, Goal, check_options, stage_counts
from pipeline.pruning.plan import read_plan, write_plan
from pipeline.pruning.plan_table import show_plan
from pipeline.pruning.planning import make_plan
from pipeline.pruning.rules import Rule
from pipeline.pruning.saved import is_saved, read_architecture
from pipeline.pruning.scoring import score_matrix, score_subject
from pipeline.pruning.subject import Subject, open_network, open_run

NAME = "plan.json"


def plan_pruning(
    run: Path | None = None,
    *,
    alone: Alone | None = None,
    goal: Goal | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    device: Device = "auto",
    out: Path | None = None,
) -> Path:
    """Plan which layers to remove, with what that saves, before any training.

    From a finished run, or from a network and a curve in a file. Nothing is changed: the plan is
    a JSON file that `prune` follows.

    Parameters
    ----------
    run
        Folder of a run with stages 1 and 2 done.
    alone
        A network without a run.
    goal
        How the layers are chosen; without it `--rule increment`.
    draws
        Bootstrap draws that say how sure a rule is.
    seed
        Of everything random.
    device
        Where latency is measured; `auto` takes a GPU where there is one.
    out
        The plan's file; by default `plan.json` in the run, without a run in the folder where you
        are.

    Returns
    -------
    Path
        The plan; with `--criterion all` the table of scores `criteria.parquet`, with
        `agreement.parquet` and `criteria.png` beside it.

    Raises
    ------
    PlanError
        When the choice makes no sense, a budget cannot be met, or nothing would go.
    """
    alone, goal = alone or Alone(), goal or Goal()
    check_options(run, alone, goal, draws=draws, seed=seed)
    if goal.budgets() and goal.criterion is None:
        goal = replace(goal, criterion="modularity")
    path = out or (resolve_folder(run) / NAME if run else Path(NAME))
    require_writable(path.parent)
    _require_plan_or_nothing(path)
    subject = _open(run, alone)
    place = resolve_device(device)
    if goal.criterion == "all":
        budget = next(iter(goal.budgets()), None)
        return compare_criteria(subject, budget, path.parent, seed=seed, device=place)
    choice = _choose(subject, goal, draws=draws, seed=seed, device=place)
    surgery = goal.surgery or ("depth" if goal.stages else "identity")
    plan = make_plan(subject, choice, surgery=surgery, device=place, seed=seed)
    if path.exists():
        log.warning("the plan %s is replaced", path)
    write_plan(plan, path)
    show_table("plan", show_plan(plan), kept=plan.kept, removed=plan.removed)
    if run is None and out is None:
        log.info("without a run, the plan is written here: %s", path.absolute())
    return path


def _require_plan_or_nothing(path: Path) -> None:
    """Replace no file but an earlier plan."""
    if not path.exists():
        return
    try:
        read_plan(path)
    except PlanError as error:
        raise PlanError(
            f"{path} is there already and is no plan of this version",
            "choose another --out, or remove it",
        ) from error


def _open(run: Path | None, alone: Alone) -> Subject:
    if run is not None:
        return open_run(run)
    name = alone.model or ""
    own = read_architecture(Path(name)) if is_saved(name) else alone
    return open_network(
        Network(model=name, weights=alone.weights),
        classes=own.classes,
        input_shape=own.input_shape,
        curve=alone.curve,
    )


def _choose(subject: Subject, goal: Goal, *, draws: int, seed: int, device: torch.device) -> Choice:
    if goal.stages is not None:
        return choose_by_counts(subject, stage_counts(goal.stages))
    if goal.criterion is not None:
        table = score_subject(subject, [goal.criterion], draws=1, seed=seed, device=device)
        scores = score_matrix(table)
        return choose_by_scores(
            subject, scores, goal.budgets()[0], criterion=goal.criterion, device=device
        )
    rule = Rule(name=goal.rule or "increment", threshold=goal.threshold, patience=goal.patience)
    return choose_by_rule(subject, rule, draws=draws, seed=seed)
