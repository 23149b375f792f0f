"""`stratagraph study tsne`: the samples of some layers in the plane, beside the layers' Q."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from graphs.embedding import COMPONENTS, PERPLEXITY, check_perplexity, embed, neighbor_purity
from graphs.errors import ActivationError, LayerError, ResourceError, RunError
from graphs.files import digest_json
from graphs.plots_embedding import draw_samples
from graphs.runs import holds
from graphs.shards import LayerRows
from graphs.tables import read_frame, write_table
from pipeline.console import log, plural
from pipeline.devices import format_bytes, memory_budget
from pipeline.figures import save_panels
from pipeline.graph_sets import GraphSet
from pipeline.near_names import suggest
from pipeline.options import Machine, Work
from pipeline.progress import progress_bar
from pipeline.studies.folder import StudyFolder
from pipeline.studies.stored import (
    layer_modularity,
    layer_rows,
    open_sets,
    run_name,
    source_title,
    subject_of,
)

PANELS = 6  # layers that are drawn by default, as in figure 1 of Lu et al. 2022
_COPIES = 24  # bytes a value: as read, in float64, and twice in PCA


def study_tsne(
    run: Path,
    *,
    out: Path,
    layers: str | None = None,
    repeat: int = 0,
    perplexity: float = PERPLEXITY,
    machine: Machine | None = None,
    work: Work | None = None,
) -> Path:
    """Draw the samples of a run in the plane, layer by layer, beside Q.

    t-SNE of the features (the first 50 principal components), coloured by class. Reads what the
    run holds; no network is run. The seed is that of the run.

    Parameters
    ----------
    run
        A run folder, with stages 1 and 2 finished.
    out
        Folder of the study: `metrics/tsne.parquet`, `figures/tsne.png`.
    layers
        Indices or names, separated by commas. By default up to six layers, from the first to the
        last.
    repeat
        Which node set.
    perplexity
        How many neighbours a sample is to have, roughly; less than a third of the samples.
    machine
        The memory for the features of a layer.
    work
        Whether to do finished work again, and to show progress.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    RunError
        When the run is not finished, keeps no features, or has no such repeat.
    LayerError
        When it has no such layer.
    GraphError
        When the perplexity does not fit the number of samples.
    ResourceError
        When a layer does not fit into the memory.
    """
    machine, work = machine or Machine(), work or Work()
    sets = open_sets(run, features=True)
    item = _repeat(sets, repeat)
    chosen = choose_layers(layers, [layer["name"] for layer in item.layers])
    check_perplexity(perplexity, item.n_nodes)
    _require_memory(item, chosen, machine)
    # features that are missing are an error before anything is written
    rows = {at: layer_rows(item, at, machine) for at in chosen}
    folder = StudyFolder(out, "tsne", subject=subject_of(item.run), force=work.force)
    places = _embed_layers(folder, item, rows, perplexity=perplexity, show=work.progress)
    folder.write_own(places)
    summary = summarize(places, {at: layer_modularity(item, at) for at in chosen})
    title = f"{source_title(item)}  ·  t-SNE of {plural(item.n_nodes, 'sample')}"
    if len(sets) > 1:
        title += f"  ·  repeat {repeat}"
    files = _draw(folder, places, summary, title=title)
    sentence = read_pictures(summary)
    if len(sets) > 1:
        sentence += f" This is repeat {repeat}; the run's table has the means of {len(sets)}."
    parameters = {
        "run": run_name(item),
        "layers": chosen,
        "repeat": repeat,
        "perplexity": perplexity,
        "seed": item.seed,
    }
    return folder.finish(parameters, reading=sentence, files=files)


def choose_layers(given: str | None, names: list[str]) -> list[int]:
    """Return the indices of the layers that are drawn, in order of depth.

    Parameters
    ----------
    given : str or None
        Indices or names, separated by commas; None for up to six spread over the depth.
    names : list of str
        The run's layers.

    Raises
    ------
    LayerError
        When there is no such layer.

    Examples
    --------
    >>> choose_layers(None, [f"block{i}" for i in range(10)])
    [0, 2, 4, 5, 7, 9]
    >>> choose_layers("2,block0", ["block0", "block1", "block2"])
    [0, 2]
    """
    if given is None:
        count, last = min(PANELS, len(names)), len(names) - 1
        return sorted({round(i * last / max(count - 1, 1)) for i in range(count)})
    found = set()
    for word in filter(None, (part.strip() for part in given.split(","))):
        if word in names:
            found.add(names.index(word))
        elif word.isdecimal() and int(word) < len(names):
            found.add(int(word))
        else:
            raise LayerError(
                f"the run has no layer {word!r}",
                f"give indices from 0 to {len(names) - 1}, or names; {suggest(word, names)}",
            )
    if not found:
        raise LayerError(f"--layers {given!r} names no layer", "give indices or names: 0,4,9")
    return sorted(found)


def _repeat(sets: list[GraphSet], repeat: int) -> GraphSet:
    for item in sets:
        if item.folder.repeat == repeat:
            return item
    raise RunError(
        f"{sets[0].run.root} has no repeat {repeat}", f"give --repeat 0 to {len(sets) - 1}"
    )


def _require_memory(item: GraphSet, chosen: list[int], machine: Machine) -> None:
    budget = memory_budget(machine.memory)
    widest = max((item.layers[at] for at in chosen), key=lambda layer: int(layer["values"]))
    needed = _COPIES * item.n_nodes * int(widest["values"])
    if needed > budget:
        raise ResourceError(
            f"t-SNE of layer {widest['index']} ({widest['name']}) takes {format_bytes(needed)}, "
            f"--memory {machine.memory} is less",
            "raise --memory, or leave the layer out with --layers",
        )


def _embed_layers(
    folder: StudyFolder,
    item: GraphSet,
    rows: dict[int, LayerRows],
    *,
    perplexity: float,
    show: bool,
) -> pd.DataFrame:
    """Place the samples of every layer, unless its table is there."""
    nodes = item.nodes[["node", "sample", "label", "label_name"]]
    tables = []
    log.info("%s to draw", plural(len(rows), "layer"))
    with progress_bar("t-SNE", len(rows), show=show, unit="layers") as advance:
        for at, features in rows.items():
            layer = item.layers[at]
            path = folder.root / "variants" / f"layer-{at:03d}" / "tsne.parquet"
            digest = digest_json([layer["digest"], perplexity, item.seed, COMPONENTS])
            if not holds(path, "tsne", digest):
                held = features[0 : item.n_nodes]
                try:
                    x, y = embed(held, perplexity=perplexity, seed=item.seed % 2**32).T
                except ActivationError as error:
                    raise ActivationError(
                        f"layer {at} ({layer['name']}): {error.problem}", error.remedy
                    ) from error
                found = nodes.assign(layer_index=at, layer=layer["name"], x=x, y=y)
                folder.begin()
                write_table(found, path, "tsne", metadata={"digest": digest})
            tables.append(read_frame(path, "tsne"))
            advance(1)
    return pd.concat(tables, ignore_index=True)


def summarize(places: pd.DataFrame, modularity: dict[int, float]) -> pd.DataFrame:
    """Return a row a layer: ``layer_index, layer, modularity, purity`` of its picture."""
    rows = []
    for at, value in modularity.items():
        part = places[places["layer_index"] == at]
        purity = neighbor_purity(part[["x", "y"]].to_numpy(), part["label"].to_numpy())
        rows.append([at, part["layer"].iloc[0], value, purity])
    return pd.DataFrame(rows, columns=["layer_index", "layer", "modularity", "purity"])


def _draw(
    folder: StudyFolder, places: pd.DataFrame, summary: pd.DataFrame, *, title: str
) -> list[str]:
    titles = {
        at: f"{at}  {layer}   Q = {q:.2f}".replace("-", "−")
        for at, layer, q in zip(
            summary["layer_index"].tolist(), summary["layer"], summary["modularity"], strict=True
        )
    }

    def draw(figure: Figure) -> None:
        draw_samples(places, titles, figure)
        figure.suptitle(title, x=0.01, ha="left")

    columns = min(3, len(titles))
    if columns == 1:  # too narrow for one line
        title = title.replace("  ·  ", "\n", 1)
    size = (3.4 * columns + 1.6, 3.5 * -(-len(titles) // columns) + 0.5)
    return save_panels(folder.figures / "tsne", draw, size=size)


def read_pictures(summary: pd.DataFrame) -> str:
    """Say how far the pictures keep classes apart, beside Q.

    Examples
    --------
    >>> columns = {"layer_index": [0, 1], "layer": ["a", "b"]}
    >>> columns |= {"modularity": [0.1, 0.8], "purity": [0.25, 0.9]}
    >>> read_pictures(pd.DataFrame(columns))[:58]
    'From a to b, Q goes from 0.10 to 0.80; in the picture the '
    """
    first, last = summary.iloc[0], summary.iloc[-1]
    if len(summary) == 1:
        return (
            f"{first['layer']}: Q is {first['modularity']:.2f}; in the picture the nearest "
            f"neighbour of {100 * first['purity']:.0f} % of the samples is of their class."
        )
    return (
        f"From {first['layer']} to {last['layer']}, Q goes from {first['modularity']:.2f} to "
        f"{last['modularity']:.2f}; in the picture the nearest neighbour is of the same class for "
        f"{100 * first['purity']:.0f} % of the samples at first and {100 * last['purity']:.0f} % "
        "at last."
    )
