"""`stratagraph neurons lesion`: cut out each module and see what is lost."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn

from graphs.errors import RunError
from graphs.export.modules import write_modules_graphml
from graphs.files import digest_json
from graphs.lesions import combine, lesion_table, summarize_lesions
from graphs.neighbors import Device
from graphs.plots_lesions import lesions_size, plot_lesion_classes, plot_lesions
from graphs.schema import TableName
from pipeline.console import fill, plural, show_table
from pipeline.data import DatasetName, ImageData, load_data
from pipeline.devices import require_writable, resolve_device
from pipeline.figures import save_figure
from pipeline.models import load_model
from pipeline.neurons.double_lesions import double_lesions, pairs_of
from pipeline.neurons.lesion_folder import LesionFolder
from pipeline.neurons.lesions import LesionBench, Module, lesion_layer
from pipeline.neurons.mixtures import Mixture, mix
from pipeline.neurons.partitions import Clusters, Partition, find_clusters
from pipeline.options import Flag
from pipeline.progress import progress_bar
from pipeline.training.checkpoints import digest_state

Tables = dict[TableName, pd.DataFrame]


def lesion_neurons(
    out: Path,
    *,
    model: str = "mlp-256-256-256-256",
    weights: str = "random",
    dataset: DatasetName = "digits",
    data: Path | None = None,
    split: str = "test",
    normalize: str = "none",
    mixture: Mixture = "none",
    modules: Partition = "weights",
    clusters: int = 10,
    random_sets: int = 100,
    pair_sets: int = 50,
    seed: int = 0,
    device: Device = "auto",
    force: Flag = False,
    progress: bool = True,
) -> Path:
    """Cut out each cluster of neurons, layer by layer, and compare with random sets.

    A layer is finished when its part is written: the same command goes on after an interruption.

    Parameters
    ----------
    out
        Folder for `metrics/lesions.parquet` and the other tables, figures, and the dependencies
        between modules as GraphML.
    model
        A name (`mlp-256-256`, `vgg8`, ...) or your own `file.py:factory`.
    weights
        A checkpoint, such as the `pruned.pt` of `neurons train`, or `random`.
    dataset
        What accuracy is measured on.
    data
        File or folder of the data set.
    split
        Which part of it.
    normalize
        `none` (as `neurons train` has it), `auto`, the name of a data set, or `m,m,m/s,s,s`.
    mixture
        As for `neurons train`.
    modules
        Clusters of the graph of `weights`; of that of each layer and its neighbours (`local`); or
        of correlations between what hidden neurons put out (`activations`).
    clusters
        Clusters of the whole network; a module is what one of them has in one layer.
    random_sets
        Sets of neurons of the same layer and size that each module is compared with.
    pair_sets
        The same for each module of a pair of important modules; 0 leaves pairs out.
    seed
        Of the clusters and the random sets.
    device
        `auto` takes a GPU where there is one.
    force
        Replace what the folder holds.
    progress
        Show a progress bar.

    Returns
    -------
    Path
        The folder.
    """
    _check(random_sets, pair_sets, seed)
    place = resolve_device(device)
    require_writable(out)
    images = mix(load_data(dataset, path=data, split=split, normalize=normalize), mixture)
    shape, classes = images.input_shape, len(images.label_names)
    network = load_model(model, weights=weights, classes=classes, input_shape=shape, seed=seed)
    found = find_clusters(network, images, modules, clusters=clusters, seed=seed, device=place)
    parameters = {
        "model": model,
        "weights": weights,
        "dataset": images.name,
        "split": split,
        "modules": modules,
        "clusters": clusters,
        "random_sets": random_sets,
        "pair_sets": pair_sets,
        "seed": seed,
    }
    folder = LesionFolder(out, _digest(parameters, network, images, found), force=force)
    bench = LesionBench(network, images, found, device=place)
    sets, by_class = _single(bench, folder, random_sets, seed=seed, show=progress)
    table = lesion_table(sets)
    pairs = _double(bench, folder, table, count=pair_sets, seed=seed, show=progress)
    tables: Tables = {
        "lesion_sets": sets,
        "lesion_classes": by_class,
        "lesions": table,
        "dependencies": pairs,
    }
    return _report(folder, tables, parameters)


def _check(random_sets: int, pair_sets: int, seed: int) -> None:
    if random_sets < 1 or pair_sets < 0:
        raise RunError(
            f"{random_sets} random sets a module and {pair_sets} a pair compare with nothing",
            "give --random-sets of at least 1 and --pair-sets of at least 0",
        )
    if seed < 0:
        raise RunError(f"--seed {seed} is negative", "give 0 or more")


def _digest(
    parameters: Mapping[str, Any], network: nn.Module, images: ImageData, clusters: Clusters
) -> str:
    """Tell one lesion test from another, wherever the weights lie."""
    made_from = {
        **{name: value for name, value in parameters.items() if name != "weights"},
        "network": digest_state(network),
        "images": images.digest(),
        "labels": [[name, part.tolist()] for name, part in clusters.items()],
    }
    return digest_json(made_from)


def _report(folder: LesionFolder, tables: Tables, parameters: Mapping[str, Any]) -> Path:
    """Write tables, figures and the graph of modules, and say what came out."""
    out, table, pairs = folder.root, tables["lesions"], tables["dependencies"]
    files = {name: folder.write(name, found) for name, found in tables.items()}
    figure = _draw(out, table, tables["lesion_classes"])
    network = f"{parameters['model']} {parameters['dataset']}"
    write_modules_graphml(table, pairs, out / "exports" / "dependencies.graphml", network=network)
    said = reading(table, pairs)
    folder.finish(parameters, reading=said)
    text = f"\n{fill(said)}\n\nfigure   {figure}\ntable    {files['lesions']}"
    show_table("lesions", text, reading=said, figure=figure, file=files["lesions"])
    return out


def _draw(out: Path, table: pd.DataFrame, by_class: pd.DataFrame) -> Path:
    figures, classes = out / "figures", by_class["class"].nunique()
    save_figure(figures / "lesions", lambda ax: plot_lesions(table, ax), size=lesions_size(table))
    size = (2.2 + 0.42 * classes, 1.2 + 0.2 * len(table))
    save_figure(figures / "classes", lambda ax: plot_lesion_classes(by_class, ax), size=size)
    return figures / "lesions.png"


def _single(
    bench: LesionBench, folder: LesionFolder, random_sets: int, *, seed: int, show: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    total = len(bench.modules()) * (random_sets + 1) * len(bench.batches.labels)
    parts = []
    with progress_bar("lesions", total, show=show, unit="images") as advance:
        for layer in bench.clusters:

            def make(
                layer: str = layer, advance: Callable[[int], None] = advance
            ) -> tuple[pd.DataFrame, ...]:
                return lesion_layer(
                    bench, layer, random_sets=random_sets, seed=seed, advance=advance
                )

            name = f"layer={bench.layer_indices[layer]:03d}"
            parts.append(folder.part(name, ("lesion_sets", "lesion_classes"), make))
    sets, by_class = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
    return sets, by_class


def _double(
    bench: LesionBench,
    folder: LesionFolder,
    table: pd.DataFrame,
    *,
    count: int,
    seed: int,
    show: bool,
) -> pd.DataFrame:
    chosen = table[table["kind"] == "important"] if count else table.iloc[:0]
    modules = [
        Module(layer_index=int(row["layer_index"]), layer=row["layer"], cluster=int(row["module"]))
        for _, row in chosen.iterrows()
    ]
    pairs = pairs_of(modules)
    total = len(pairs) * (3 + 2 * count) * len(bench.batches.labels)
    frames = [double_lesions(bench, [], random_sets=max(count, 1))]
    with progress_bar("pairs", total, show=show, unit="images") as advance:
        for earlier, later in pairs:

            def make(
                pair: tuple[Module, Module] = (earlier, later),
                advance: Callable[[int], None] = advance,
            ) -> tuple[pd.DataFrame, ...]:
                return (double_lesions(bench, pair, random_sets=count, seed=seed, advance=advance),)

            name = "-".join(f"{m.layer_index:03d}.{m.cluster:02d}" for m in (earlier, later))
            frames += folder.part(name, ("dependencies",), make)
    return pd.concat(frames[1:] or frames, ignore_index=True)


def reading(table: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """Say in a few sentences what came out.

    Parameters
    ----------
    table, pairs : DataFrame
        The tables ``lesions`` and ``dependencies``.
    """
    kinds = summarize_lesions(table)
    layers = table[table["kind"] == "important"].groupby("layer", sort=False)["module"].count()
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    where = ", ".join(f"{count} in {layer}" for layer, count in layers.items())
    worst = table.sort_values("lost", kind="stable").iloc[-1]
    combined = combine(table["p"], int(table["n_random"].iloc[0]))
    found = [
        f"{plural(len(table), 'module')}: {listed}.",
        f"Important: {where}." if where else "None is important.",
        f"The largest loss, {100 * worst['lost']:.1f} points, is that of cluster "
        f"{worst['module']} in {worst['layer']} ({plural(int(worst['size']), 'neuron')}); random "
        f"sets of its size cost {100 * (worst['intact'] - worst['random_mean']):.1f}.",
        f"Fisher's p over all modules is {combined:.2g}, descriptive only.",
    ]
    if not pairs.empty:
        counts = pairs["kind"].value_counts(sort=False).sort_index()
        kinds_of_pairs = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        found.append(f"{plural(len(pairs), 'pair')} of important modules: {kinds_of_pairs}.")
    return " ".join(found)
