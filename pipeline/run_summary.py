"""What a run wrote and how long each stage took, in a few lines."""

from graphs.runs import METRIC_TABLES, SET_TABLES, Run
from pipeline.console import plural, show_table
from pipeline.devices import format_bytes
from pipeline.progress import Stage


def tell_stages(run: Run, whole: Stage) -> None:
    """Show for every stage how long it took and what is there now.

    Parameters
    ----------
    run : Run
        Finished.
    whole : Stage
        The command, whose parts are the three stages.
    """
    there = describe_stages(run)
    rows = [
        {
            "stage": part.name,
            "seconds": round(part.seconds, 3),
            "skipped": part.skipped,
            "there": there[part.name],
        }
        for part in whole.parts
    ]
    lines = []
    for part in whole.parts:
        took = "was there" if part.skipped else _time(part.seconds)
        lines.append(f"{part.name:<12} {took:>9}  {there[part.name]}")
    show_table("stages", "\n".join([*lines, ""]), rows=rows)


def describe_stages(run: Run) -> dict[str, str]:
    """Say what each stage of a finished run left on disk."""
    sets, samples = (run.stage("activations")[key] for key in ("sets", "parameters"))
    layers = sets[0]["layers"]
    values = sum(int(layer["values"]) for layer in layers)
    n, bits = int(samples["samples"]), 16 if samples["dtype"] == "float16" else 32
    size = format_bytes(len(sets) * n * values * bits // 8)
    measured = run.stage("communities")
    graphs = len(sets) * len(layers)
    return {
        "activations": f"{size}: {plural(len(layers), 'layer')}, {plural(n, 'sample')}, "
        f"{plural(len(sets), 'repeat')}",
        "edges": f"{plural(graphs, 'graph')}, {run.stage('edges')['parameters']['k']} neighbours "
        "a sample",
        "communities": f"{plural(len(METRIC_TABLES + SET_TABLES), 'table')}, "
        f"{plural(len(measured['figures']), 'figure')}, "
        f"{plural(len(measured['exports']), 'graph file')}",
    }


def _time(seconds: float) -> str:
    """Write a time for people.

    Examples
    --------
    >>> [_time(seconds) for seconds in (0.04, 3.14, 75, 4000)]
    ['0.0 s', '3.1 s', '1:15 min', '1:06 h']
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"
