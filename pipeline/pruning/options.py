"""The options of `stratagraph plan`."""

from dataclasses import dataclass, fields
from pathlib import Path

from cyclopts import Group, Parameter

from graphs.confidence import DRAWS
from graphs.curves import PATIENCE, TOLERANCE
from graphs.errors import PlanError
from pipeline.pruning.budget import Budget
from pipeline.pruning.plan import Surgery
from pipeline.pruning.rules import RuleName


@Parameter(name="*", group=Group("What goes", sort_key=2))
@dataclass(frozen=True, kw_only=True)
class Goal:
    """How the layers are chosen: by a rule on the curve, a criterion and a budget, or counts.

    Attributes
    ----------
    rule
        `increment` keeps layers that add more than the threshold to the layer before,
        `running_maximum` those above all before, `plateau` those outside of stretches that add
        no more than the threshold.
    threshold
        What a layer must add.
    patience
        Of `plateau`: so many layers in a row make a stretch.
    criterion
        Score every layer, and remove the lowest first until the budget is met: `modularity`,
        `cka`, `random` ..., or `all` for a table of all of them (budget by default: half of the
        layers that can go). By default `modularity` where a budget is given.
    macs
        Budget: the share of the multiply-accumulates that may be left, such as 0.5.
    params
        Budget: the share of the parameters.
    latency
        Budget: the share of the time of one image, measured.
    remove
        Budget: how many layers go.
    stages
        How many layers each stage keeps, its first ones: `2,3,6`.
    surgery
        `identity` removes layers whose input and output have the same shape; `depth` builds the
        network with fewer layers in each stage and fills it with the weights of the kept ones.
        By default `depth` with --stages, else `identity`.
    """

    rule: RuleName | None = None
    threshold: float = TOLERANCE
    patience: int = PATIENCE
    criterion: str | None = None
    macs: float | None = None
    params: float | None = None
    latency: float | None = None
    remove: int | None = None
    stages: str | None = None
    surgery: Surgery | None = None

    def budgets(self) -> list[Budget]:
        """Return the budgets that were given."""
        given = {
            "macs": self.macs, "params": self.params, "latency": self.latency,
            "layers": self.remove,
        }  # fmt: skip
        return [
            Budget(quantity=name, value=value)  # type: ignore[arg-type]  # the names of Quantity
            for name, value in given.items()
            if value is not None
        ]


@Parameter(name="*", group=Group("Network", sort_key=1))
@dataclass(frozen=True, kw_only=True)
class Alone:
    """A network without a run.

    Attributes
    ----------
    model
        A name (`resnet56`, `vgg19`, ...) or your own `file.py:factory`.
    weights
        A checkpoint file, `default` (torchvision's own), or `random` (untrained).
    curve
        CSV with the columns `layer_index,modularity`, perhaps `layer` and `repeat`.
    input_shape
        Channels, height and width of an image.
    classes
        Number of classes.
    """

    model: str | None = None
    weights: str = "random"
    curve: Path | None = None
    input_shape: tuple[int, int, int] = (3, 32, 32)
    classes: int = 10


def check_options(
    run: Path | None, alone: Alone, goal: Goal, *, draws: int = DRAWS, seed: int = 0
) -> None:
    """Refuse options that contradict one another, or that are no possible number.

    Raises
    ------
    PlanError
        Naming them.
    """
    if run is None and alone.model is None:
        raise PlanError("there is no network to plan for", "give a run, or --model NAME")
    own = [
        f"--{f.name.replace('_', '-')}"
        for f in fields(alone)
        if getattr(alone, f.name) != f.default
    ]
    if run is not None and own:
        raise PlanError(
            f"{run} has a network and curves of its own, {', '.join(own)} would not be read",
            "leave out the run, or these options",
        )
    for name, value in (("draws", draws), ("seed", seed)):
        if value < 0:
            raise PlanError(f"--{name} {value} is negative", "give 0 or more")
    budgets = goal.budgets()
    ways = {"--rule": goal.rule, "--criterion": goal.criterion, "--stages": goal.stages}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1:
        raise PlanError(f"{' and '.join(given)} choose layers each in its way", "give one of them")
    if len(budgets) > 1:
        names = " and ".join(budget.option for budget in budgets)
        raise PlanError(f"{names} are two budgets", "give one of them")
    if budgets and given and goal.criterion is None:
        raise PlanError(
            f"{given[0]} and {budgets[0].option} choose layers each in its way",
            "give --criterion with a budget",
        )
    if goal.criterion not in (None, "all") and not budgets:
        raise PlanError(
            f"--criterion {goal.criterion} needs a budget",
            "give --macs 0.5, --params, --latency or --remove",
        )
    _require_read(goal, draws)


def _require_read(goal: Goal, draws: int) -> None:
    """Refuse numbers of another way than the one that chooses."""
    way = (
        "--stages" if goal.stages is not None
        else f"--criterion {goal.criterion or 'modularity'}" if goal.criterion or goal.budgets()
        else f"--rule {goal.rule or 'increment'}"
    )  # fmt: skip
    unread = []
    if goal.threshold != TOLERANCE and way not in ("--rule increment", "--rule plateau"):
        unread.append("--threshold")
    if goal.patience != PATIENCE and way != "--rule plateau":
        unread.append("--patience")
    if draws != DRAWS and not way.startswith("--rule"):
        unread.append("--draws")
    if goal.surgery is not None and goal.criterion == "all":
        unread.append("--surgery")
    if unread:
        raise PlanError(f"{', '.join(unread)} would not be read with {way}", "leave it out")


def stage_counts(text: str) -> list[int]:
    """Read how many layers each stage keeps.

    Raises
    ------
    PlanError
        When it is no list of numbers.

    Examples
    --------
    >>> stage_counts("[2,3,6]")
    [2, 3, 6]
    """
    words = [word.strip() for word in text.strip(" []").split(",")]
    if not all(word.isdecimal() for word in words):
        raise PlanError(f"--stages {text!r} is no list of numbers", "write --stages 2,3,6")
    return [int(word) for word in words]
