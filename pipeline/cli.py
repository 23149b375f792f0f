"""The `stratagraph` command: names and where they lead. No logic, no torch."""

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from graphs.errors import StratagraphError
from pipeline.console import show_notes

DONE, ERROR, USAGE, INTERRUPTED = 0, 1, 2, 130

# name: (function, the first line of its docstring)
COMMANDS = {
    "demo": (
        "pipeline.demo:demo",
        "Train two small networks on handwritten digits and measure them.",
    ),
    "inspect": ("pipeline.inspect_command:inspect_layers", "List the layers of a network."),
    "train": ("pipeline.train_command:train_network", "Train a network by the paper's recipe."),
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
    "run": ("pipeline.run:run_stages", "Run the three stages one after the other."),
    "export": (
        "pipeline.export_command:export_graphs",
        "Write the graphs of a run for Gephi again.",
    ),
    "bench": ("pipeline.bench:run_benchmarks", "Time stratagraph against what it replaces."),
}

app = App(
    name="stratagraph",
    help="How a network separates classes, layer by layer: k-NN graphs and their modularity.",
    help_epilogue="A command says what it does and takes with --help. Every one knows --debug: "
    "the full traceback of an error.",
    version_flags=["--version"],
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
)
for _name, (_path, _help) in COMMANDS.items():
    app.command(_path, name=_name, help=_help)


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    debug: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run one command and turn what comes back into an exit status."""
    show_notes()
    try:
        result = app(tokens)
    except StratagraphError as error:
        if debug:
            traceback.print_exc()
        sys.stderr.write(f"stratagraph: error: {error}\n")
        return ERROR
    except CycloptsError as error:
        sys.stderr.write(f"stratagraph: {' '.join(str(error).split())}\n")
        return USAGE
    except KeyboardInterrupt:
        sys.stderr.write("stratagraph: interrupted; the same command goes on from here\n")
        return INTERRUPTED
    if result is not None:
        sys.stdout.write(f"{result}\n")
    return DONE


def main(tokens: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status."""
    sys.exit(app.meta(tokens, result_action="return_value", exit_on_error=False))


def run_command(name: str) -> None:
    """Run one command with the arguments of this process: the door of the stage scripts."""
    main([name, *sys.argv[1:]])


if __name__ == "__main__":
    main()
