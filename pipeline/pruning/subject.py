"""What a plan is made from: a finished run, a curve in a file, or a network alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from graphs.errors import PlanError
from graphs.files import digest_json
from graphs.places import resolve_folder
from pipeline.data import ImageData
from pipeline.graph_sets import GraphSet
from pipeline.identity import describe
from pipeline.models import load_model
from pipeline.opening import open_images
from pipeline.options import Features, Images, Network
from pipeline.pruning.parts import Part, find_parts
from pipeline.studies.stored import layer_modularity, open_sets

CURVE_COLUMNS = ("layer_index", "modularity")


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A network with what is known about its layers.

    Attributes
    ----------
    network : Network
        Name and weights.
    classes : int
        Outputs.
    input_shape : tuple of int
        Channels, height, width.
    model : Module
        The network itself.
    parts : tuple of Part
        Its layers.
    curves : ndarray of float64, shape (repeats, L)
        Q of every layer; no rows where nothing was measured.
    images : Images or None
        How the run drew its samples.
    data : ImageData or None
        All images of the run's split.
    sets : list of GraphSet
        The run's node sets, one a repeat.
    """

    network: Network
    classes: int
    input_shape: tuple[int, ...]
    model: nn.Module
    parts: tuple[Part, ...]
    curves: NDArray[np.float64]
    images: Images | None = None
    data: ImageData | None = None
    sets: Sequence[GraphSet] = ()


def open_run(location: Path) -> Subject:
    """Open the network of a run, with the curves of its repeats.

    Parameters
    ----------
    location : Path
        The run folder, or its URL; stages 1 and 2 are finished.

    Raises
    ------
    PlanError
        When network, weights or images are not any more those of the run, or its layers are not
        the network's blocks.
    RunError, ModelError, WeightsError, DataError
        When the run, the network, the weights or the images cannot be opened.
    """
    if (pruned := resolve_folder(location) / "prune.json").exists():
        raise PlanError(
            f"{location} is a pruned network, not a run",
            f"make a run of it first: stratagraph run --model {pruned.parent / 'model.pt'}",
        )
    sets = open_sets(location)
    source = sets[0].run.stage("activations")
    network, images, features = recorded_options(source["parameters"])
    data = open_images(network, images)
    classes = len(data.label_names)
    model = load_model(
        network.model,
        weights=network.weights,
        classes=classes,
        input_shape=data.input_shape,
        seed=images.seed,
    )
    if (
        digest_json(describe(network, images, features, data=data, model=model))
        != (source["identity"])
    ):
        raise PlanError(
            f"network, weights or images are not those that {sets[0].run.root} was made from",
            "put them back, or make the run again",
        )
    parts = find_parts(model, data.input_shape)
    _require_layers([layer["name"] for layer in sets[0].layers], parts, features.layers)
    curves = [[layer_modularity(item, at) for at in range(len(parts))] for item in sets]
    return Subject(
        network=network,
        classes=classes,
        input_shape=tuple(data.input_shape),
        model=model,
        parts=parts,
        curves=np.array(curves),
        images=images,
        data=data,
        sets=sets,
    )


def recorded_options(said: dict[str, Any]) -> tuple[Network, Images, Features]:
    """Read the options of stage 1 from its record."""
    given = said["given"]
    return (
        Network(model=given["model"], weights=given["weights"]),
        Images(
            dataset=said["dataset"],
            data=Path(given["data"]) if given["data"] else None,
            split=said["split"],
            image_size=said["image_size"],
            normalize=given["normalize"],
            samples=said["samples"],
            repeats=said["repeats"],
            sampling=said["sampling"],
            seed=said["seed"],
        ),
        Features(layers=said["layers"], pool=said["pool"], dtype=said["dtype"]),
    )


def _require_layers(names: Sequence[str], parts: Sequence[Part], spec: str) -> None:
    blocks = [part.name for part in parts]
    # --layers reference reads some of them elsewhere, and calls these otherwise
    if list(names) != blocks and not (spec == "reference" and len(names) == len(blocks)):
        raise PlanError(
            f"the run has {len(names)} layers (--layers {spec}), the network {len(blocks)} blocks",
            "make a run with --layers blocks",
        )


def open_analyzed(
    model: nn.Module,
    input_shape: Sequence[int],
    *,
    names: Sequence[str],
    curves: NDArray[np.float64],
) -> Subject:
    """Take a network that was measured in memory.

    Parameters
    ----------
    model : Module
        The network.
    input_shape : sequence of int
        Channels, height, width.
    names : sequence of str
        Its measured layers.
    curves : ndarray of float64, shape (repeats, L)
        Their Q.

    Raises
    ------
    PlanError
        When the layers are not the network's blocks.
    """
    parts = find_parts(model, input_shape)
    _require_layers(names, parts, "in this analysis")
    return Subject(
        network=Network(model=type(model).__name__),
        classes=0,
        input_shape=tuple(input_shape),
        model=model,
        parts=parts,
        curves=curves,
    )


def open_network(
    network: Network,
    *,
    classes: int,
    input_shape: Sequence[int],
    curve: Path | None = None,
) -> Subject:
    """Open a network by name, with a curve from a file.

    Parameters
    ----------
    network : Network
        Name and weights.
    classes : int
        Outputs.
    input_shape : sequence of int
        Channels, height, width.
    curve : Path, optional
        CSV with the columns ``layer_index, modularity``, and perhaps ``layer`` and ``repeat``.

    Raises
    ------
    PlanError
        When the curve cannot be read or has other layers than the network.
    ModelError, WeightsError
        When the network cannot be opened.
    """
    model = load_model(
        network.model, weights=network.weights, classes=classes, input_shape=input_shape
    )
    parts = find_parts(model, input_shape)
    curves = np.empty((0, len(parts)))
    if curve is not None:
        curves = read_curve(curve, parts, model=network.model)
    return Subject(
        network=network,
        classes=classes,
        input_shape=tuple(input_shape),
        model=model,
        parts=parts,
        curves=curves,
    )


def read_curve(path: Path, parts: Sequence[Part], *, model: str) -> NDArray[np.float64]:
    """Read a curve, or those of several repeats, and check that they are of these layers.

    Returns
    -------
    ndarray of float64, shape (repeats, L)

    Raises
    ------
    PlanError
        When it cannot be read, lacks a column or a layer, or names other layers.
    """
    table = _read_table(path)
    repeats = table["repeat"] if "repeat" in table.columns else pd.Series(0, index=table.index)
    return np.stack(
        [
            _one_curve(rows, parts, path=path, model=model)
            for _, rows in table.groupby(repeats, sort=True)
        ]
    )


def _read_table(path: Path) -> pd.DataFrame:
    """Read the file of a curve and check its columns."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise PlanError(f"{path} cannot be read ({reason})", "give a CSV file") from error
    for column in CURVE_COLUMNS:
        if column not in table.columns:
            raise PlanError(
                f"{path} has no column {column!r}: it has {', '.join(map(str, table.columns))}",
                f"the curve needs {', '.join(CURVE_COLUMNS)}",
            )
    if table.empty:
        raise PlanError(f"{path} has no rows", "give the modularity of every layer")
    if "repeat" in table.columns and table["repeat"].isna().any():
        raise PlanError(f"{path} has rows without a repeat", "fill the column, or leave it out")
    table = table.assign(
        **{name: pd.to_numeric(table[name], errors="coerce") for name in CURVE_COLUMNS}
    )
    if not np.isfinite(table["modularity"]).all():
        raise PlanError(f"{path} has a modularity that is no number", "write Q such as 0.314")
    return table


def _one_curve(
    rows: pd.DataFrame, parts: Sequence[Part], *, path: Path, model: str
) -> NDArray[np.float64]:
    """Return the curve of one repeat, by depth, after checking that it is of these layers."""
    if sorted(rows["layer_index"]) != list(range(len(parts))):
        raise PlanError(
            f"{path} has {len(rows)} layers, {model} has {len(parts)}",
            f"give one row for each layer_index from 0 to {len(parts) - 1}",
        )
    rows = rows.sort_values("layer_index")
    if "layer" in rows.columns:
        for part, name in zip(parts, rows["layer"], strict=True):
            if part.name != name:
                raise PlanError(
                    f"{path} calls layer {part.index} {name!r}, in {model} it is {part.name!r}",
                    "take the curve of this network, or leave the column out",
                )
    return rows["modularity"].to_numpy(np.float64)
