"""The `stratagraph` command: names and where they lead. No logic, no torch."""

import re
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

from graphs.errors import StratagraphError
from pipeline.console import show_notes, warnings_as_events
from pipeline.events import event_line, send_event, sending_events, switch_events
from pipeline.interrupts import INTERRUPTED, MESSAGE, caused_by_interrupt, leaving_at_once
from pipeline.progress import stage

# cyclopts is imported where it is needed: Ctrl-C is taken care of before that
if TYPE_CHECKING:
    from cyclopts import App, CycloptsError, Token

DONE, ERROR, USAGE = 0, 1, 2

# name: (function, the first line of its docstring), in the order in which they are used
COMMANDS = {
    "demo": (
        "pipeline.demo:demo",
        "Train two small networks on handwritten digits and measure them.",
    ),
    "inspect": ("pipeline.inspect_command:inspect_layers", "List the layers of a network."),
    "train": ("pipeline.train_command:train_network", "Train a network by the paper's recipe."),
    "run": ("pipeline.run:run_stages", "Run the three stages one after the other."),
    "activations": (
        "pipeline.stage1_activations:dump_activations",
        "Stage 1: run a network on images and write what its layers put out.",
    ),
    "edges": (
        "pipeline.stage2_edges:build_edges",
        "Stage 2: link every sample to its most similar samples, in every layer.",
    ),
    "communities": (
        "pipeline.stage3_communities:measure_graphs",
        "Stage 3: measure the graphs; write tables, figures and files for Gephi.",
    ),
    "prune": (
        "pipeline.prune_command:prune_network",
        "Follow a plan: cut the network, tune what is left, measure and save it.",
    ),
    "report": (
        "pipeline.report_command:write_report",
        "Show runs as one page: a file that opens in any browser and needs no network.",
    ),
    "export": (
        "pipeline.export_command:export_graphs",
        "Write the graphs of a run for Gephi again.",
    ),
    "plan": (
        "pipeline.plan_command:plan_pruning",
        "Plan which layers to remove, with what that saves, before any training.",
    ),
    "study ablation": (
        "pipeline.studies.ablation:study_ablation",
        "See how the curve depends on k, samples, metric, layers and pooling.",
    ),
    "study dynamics": (
        "pipeline.studies.dynamics:study_dynamics",
        "Follow the curve over the epochs of a training, from the initialisation on.",
    ),
    "study random": (
        "pipeline.studies.untrained:study_random",
        "Compare the curve with those of the same network, untrained.",
    ),
    "study compare": (
        "pipeline.studies.compare:study_compare",
        "Show the curves of several runs in one figure, drops and plateaus marked.",
    ),
    "study similarity": (
        "pipeline.studies.similarity:study_similarity",
        "Compare all pairs of layers of a run, or of two runs on the same samples.",
    ),
    "study tsne": (
        "pipeline.studies.tsne:study_tsne",
        "Draw the samples of a run in the plane, layer by layer, beside Q.",
    ),
    "study multislice": (
        "pipeline.studies.multislice:study_multislice",
        "Find communities of all layers at once, and follow the samples through them.",
    ),
    "study adversarial": (
        "pipeline.studies.adversarial:study_adversarial",
        "See how the curve of attacked images differs from that of the clean ones.",
    ),
    "study prune-compare": (
        "pipeline.studies.prune_compare:study_prune_compare",
        "Prune by several criteria at the same budget, tune alike, and compare accuracy.",
    ),
    "neurons train": (
        "pipeline.neurons.train_command:train_for_neurons",
        "Train and prune a network whose neurons are to be clustered.",
    ),
    "neurons run": (
        "pipeline.neurons.run_command:run_neurons",
        "Cluster a network's neurons by their weights, and compare with shuffled weights.",
    ),
    "neurons lesion": (
        "pipeline.neurons.lesion_command:lesion_neurons",
        "Cut out each cluster of neurons, layer by layer, and compare with random sets.",
    ),
    "neurons check": (
        "pipeline.neurons.checks:check_neurons",
        "Compare with published figures of the modularity of weights.",
    ),
    "bench": ("pipeline.bench:run_benchmarks", "Time stratagraph against what it replaces."),
}
# what commands of two words have in common
GROUPS = {
    "study": "Compare variants of a run; each ends in a table, a figure and a sentence.",
    "neurons": "The modularity of a network's weights: its neurons as a graph.",
}


def _strict(kind: Any, tokens: "Sequence[Token]") -> Any:
    """Convert as cyclopts does, but refuse 20.5 for a whole number, and file:// without a root."""
    from cyclopts import convert

    text = tokens[0].value
    kinds = get_args(kind) or (kind,)
    if int in kinds and str not in kinds and not text.lstrip("+-").isdecimal():
        raise ValueError(f"{text!r} is no whole number")
    # a path would swallow one of the slashes and name a folder at the root of the disk
    if Path in kinds and re.match(r"file://(?!/|localhost/)", text, re.IGNORECASE):
        raise ValueError(f"{text!r} names a host; write file:///folder")
    return convert(kind, tokens)


def _build(tokens: Sequence[str]) -> "App":
    """Register the commands by import path; the one that is called shows its own docstring."""
    from importlib import metadata

    from cyclopts import App, Parameter

    app = App(
        name="stratagraph",
        help="How a network separates classes, layer by layer: k-NN graphs and their modularity.",
        version_flags=["--version"],
        version=lambda: metadata.version("stratagraph"),
        default_parameter=Parameter(converter=_strict, negative_iterable=()),
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )
    groups = {name: App(name=name, help=text) for name, text in GROUPS.items()}
    for place, (title, (path, summary)) in enumerate(COMMANDS.items()):
        group, _, name = title.rpartition(" ")
        home = groups[group] if group else app
        home.command(path, name=name, help=None if name in tokens else summary, sort_key=place)
        if group and groups[group].sort_key is None:
            groups[group].sort_key = place
            app.command(groups[group])
    return app


def main(tokens: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status."""
    given = sys.argv[1:] if tokens is None else list(tokens)
    # before anything is imported that could ask for it
    switch_events(on="--json" in given)
    try:
        with leaving_at_once(_interrupt_line()) as begin:
            status = _launch(given, begin)
    finally:
        switch_events(on=False)
    sys.exit(status)


def _with_default(tokens: Sequence[str]) -> list[str]:
    """Take `neurons --model x` for `neurons run --model x`."""
    first, *rest = tokens or [""]
    bare = bool(rest) and rest[0].startswith("-") and rest[0] not in ("--help", "-h")
    return [first, "run", *rest] if bare and f"{first} run" in COMMANDS else list(tokens)


def _launch(tokens: Sequence[str], begin: Callable[[], None]) -> int:
    from cyclopts import CycloptsError, Group, Parameter

    tokens = _with_default(tokens)
    app = _build(tokens)
    group = Group("For programs and for faults", sort_key=99)

    @app.meta.default
    def launch(
        *rest: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        json: Annotated[bool, Parameter(negative="", group=group, show_default=False)] = False,
        debug: Annotated[bool, Parameter(negative="", group=group, show_default=False)] = False,
    ) -> int:
        """Run one command and turn what comes back into an exit status.

        Parameters
        ----------
        json
            Tell what happens in JSON, one object a line, on standard error: for programs.
        debug
            Show where in the program an error arose.
        """

        def command() -> object:
            # the command's modules are imported here, which takes seconds, and options checked
            function, bound, _ = app.parse_args(rest)
            begin()
            name = _name(function)
            with stage(name) if name else nullcontext():  # help has none
                return function(*bound.args, **bound.kwargs)

        del json  # main has seen it
        return _run(command, debug=debug)

    try:
        status: int = app.meta(tokens, result_action="return_value", exit_on_error=False)
    except CycloptsError as error:
        return _usage(error)
    return status


def _name(function: Callable[..., object]) -> str:
    """Return what the command is called that a function is."""
    path = f"{function.__module__}:{function.__name__}"
    return next((name for name, (there, _) in COMMANDS.items() if there == path), "")


def _run(command: Callable[[], object], *, debug: bool) -> int:
    from cyclopts import CycloptsError

    show_notes()
    try:
        with warnings_as_events():
            result = command()
    except KeyboardInterrupt:
        return _interrupted()
    except CycloptsError:
        raise  # wrong usage
    except Exception as error:  # noqa: BLE001 (the last stop: a fault of ours is one line too)
        if caused_by_interrupt(error):
            return _interrupted()
        if not isinstance(error, StratagraphError):
            error = _fault(error)
        return _fail(error, ERROR, debug=debug)
    send_event("result", value=None if result is None else str(result))
    if result is not None:
        sys.stdout.write(f"{result}\n")
    return DONE


def _fault(error: Exception) -> StratagraphError:
    """Turn what nobody expected into an error in one line."""
    cause = " ".join(f"{type(error).__name__}: {error}".split())
    fault = StratagraphError(
        f"unexpected {cause}",
        "this is a fault of stratagraph: run it again with --debug and report what it shows",
    )
    return fault.with_traceback(error.__traceback__)


def _fail(error: StratagraphError, status: int, *, debug: bool = False) -> int:
    """Tell of an error; return the exit status."""
    trace = "".join(traceback.format_exception(error)) if debug else ""
    if sending_events():
        more = {"traceback": trace} if debug else {}
        send_event(
            "error", status=status, kind=type(error).__name__, text=str(error),
            problem=error.problem, remedy=error.remedy, **more,
        )  # fmt: skip
    else:
        sys.stderr.write(f"{trace}stratagraph: error: {error}\n")
    return status


def _interrupt_line() -> str:
    if not sending_events():
        return MESSAGE
    text = MESSAGE.removeprefix("stratagraph: ").strip()
    return event_line("interrupted", status=INTERRUPTED, text=text)


def _interrupted() -> int:
    sys.stderr.write(_interrupt_line())
    return INTERRUPTED


def _usage(error: "CycloptsError") -> int:
    text = " ".join(str(error).split())
    if sending_events():
        send_event("error", status=USAGE, kind="UsageError", text=text, problem=text,
                   remedy="see --help")  # fmt: skip
    else:
        sys.stderr.write(f"stratagraph: error: {text}\n")
    return USAGE


def run_command(name: str) -> None:
    """Run one command with the arguments of this process: the door of the stage scripts."""
    main([name, *sys.argv[1:]])


def run_script(function: Callable[..., object], tokens: Sequence[str] | None = None) -> None:
    """Run a function that is no command as commands are run: errors in one line, exit status.

    Parameters
    ----------
    function : callable
        Its parameters are the options, its docstring is the help.
    tokens : sequence of str, optional
        The arguments; those of this process without it.
    """
    from cyclopts import App, CycloptsError, Parameter

    app = App(
        default_parameter=Parameter(converter=_strict),
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )
    app.default(function)
    try:
        status = _run(lambda: app(tokens), debug=False)
    except CycloptsError as error:
        status = _usage(error)
    sys.exit(status)


if __name__ == "__main__":
    main()
