"""Stage 1: a network and images in, activation shards and node tables out."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.errors import DataError, RunError, TableError
from graphs.files import digest_file, digest_json
from graphs.runs import Run
from graphs.tables import read_metadata
from pipeline.console import command_line, log, progress_bar
from pipeline.data import Draw, ImageData, draw_samples, load_data
from pipeline.devices import (
    format_bytes,
    parse_bytes,
    require_disk,
    require_writable,
    resolve_device,
)
from pipeline.dumping import NodeSet, dump_node_set
from pipeline.forward import Forward
from pipeline.hooks import resolve_layers
from pipeline.layer_info import LayerInfo, Pool
from pipeline.models import load_model
from pipeline.options import Features, Images, Machine, Network, channels_for

VARIANT = "clean"


def dump_activations(
    out: Path,
    *,
    network: Network,
    images: Images | None = None,
    features: Features | None = None,
    machine: Machine | None = None,
) -> Path:
    """Stage 1: run a network on images and write what its layers put out.

    One forward pass serves all layers. Flattened activations go to Parquet shards while the next
    batch is computed; `nodes.parquet` holds labels, predictions and confidences. Shards that are
    there already are left alone.

    Parameters
    ----------
    out
        The run folder.
    network
        Model and weights.
    images
        Data set, sampling, samples and repeats.
    features
        Layers, pooling, storage type.
    machine
        Memory, device, and whether to do everything again.

    Returns
    -------
    Path
        The run folder.

    Raises
    ------
    ModelError, WeightsError, LayerError
        When the network, its weights or its layers cannot be used.
    DataError
        When the images cannot be had, are too few, or of one class only.
    ActivationError
        When a layer puts out NaN or infinity.
    RunError, ResourceError
        When `out` belongs to another run, or the disk or device cannot hold it.
    """
    images, features, machine = images or Images(), features or Features(), machine or Machine()
    memory, device = parse_bytes(machine.memory), resolve_device(machine.device)
    require_writable(out)
    data = load_data(
        images.dataset,
        path=images.data,
        split=images.split,
        normalize=images.normalize,
        channels=channels_for(network.model),
        size=images.image_size,
    )
    draw = draw_samples(
        data.labels, images.samples, images.repeats, sampling=images.sampling, seed=images.seed
    )
    check_classes(data, draw.indices)
    model = load_model(
        network.model,
        weights=network.weights,
        classes=len(data.label_names),
        input_shape=data.input_shape,
        seed=images.seed,
    )
    layers = resolve_layers(model, features.layers, data.images([0]))
    identity = describe(network, images, features, data)
    run = claim(out, identity, force=machine.force)
    run.sweep()
    sets = [
        _node_set(run, repeat, indices, identity, layers)
        for repeat, indices in enumerate(draw.indices)
    ]
    todo = [node_set.missing_parts() for node_set in sets]
    waiting = sum(len(nodes) for parts in todo for nodes in parts)
    needed = waiting * stored_bytes(layers, features)
    _announce(sets, waiting, needed, draw)
    require_disk(out, needed)
    entry = {
        "identity": digest_json(identity),
        "parameters": {
            **identity,
            "repeats": images.repeats,
            "layers": features.layers,
            "given": {
                "model": network.model,
                "weights": network.weights,
                "data": str(images.data) if images.data else None,
                "normalize": images.normalize,
                "memory": machine.memory,
            },
        },
        "label_names": list(data.label_names),
        "device": str(device),
        "sets": [_describe_set(node_set, features.pool) for node_set in sets],
    }
    if waiting or run.recorded("activations").get("sets") != entry["sets"]:
        run.reopen("activations")
    forward = Forward.prepare(
        model,
        data,
        layers,
        memory=memory,
        device=device,
        pool=features.pool,
        dtype=features.dtype,
    )
    with progress_bar("reading", waiting, show=machine.progress, unit="images") as advance:
        for node_set, parts in zip(sets, todo, strict=True):
            dump_node_set(node_set, parts, forward, advance=advance)
            _remove_other_layers(node_set)
    run.finish("activations", entry, command=command_line())
    return out


def check_classes(data: ImageData, indices: Sequence[NDArray[np.int64]]) -> None:
    """Check that every node set holds at least two classes.

    Raises
    ------
    DataError
        Where all samples of a repeat are of one class: modularity is 0 then, whatever the graph.
    """
    for repeat, samples in enumerate(indices):
        found = np.unique(data.labels[samples])
        if len(found) == 1:
            raise DataError(
                f"all {len(samples)} samples of repeat {repeat} are of class "
                f"{data.label_names[int(found[0])]!r}: one class leaves nothing to separate",
                "use --sampling random or stratified, or more --samples",
            )


def describe(
    network: Network, images: Images, features: Features, data: ImageData
) -> dict[str, Any]:
    """Return what activations depend on, by content: two runs that agree in it are the same run.

    Neither repeats nor layers are in it: a run can be given more of both.
    """
    script, is_file, factory = network.model.rpartition(".py:")
    return {
        "model": f"{Path(script).name}.py:{factory}" if is_file else network.model,
        "model_file": digest_file(Path(f"{script}.py")) if is_file else None,
        "weights": network.weights if network.weights in ("default", "random") else "file",
        "weights_file": digest_file(path) if (path := Path(network.weights)).is_file() else None,
        "dataset": images.dataset,
        "split": images.split,
        "image_size": images.image_size,
        "data": data.digest(),
        "normalize": [list(data.normalization.mean), list(data.normalization.std)],
        "samples": images.samples,
        "sampling": images.sampling,
        "seed": images.seed,
        "pool": features.pool,
        "dtype": features.dtype,
    }


def claim(out: Path, identity: dict[str, Any], *, force: bool) -> Run:
    """Open the run folder for a run of this identity.

    Raises
    ------
    RunError
        When the folder holds another run, and `force` is off.
    """
    run = Run(out)
    if force:
        run.clear()
    found = _identity_on_disk(run)
    if found in (None, digest_json(identity)):
        return run
    there = run.recorded("activations").get("parameters", {})
    changed = [
        f"{key} was {there[key]!r} and is now {value!r}" if key not in CONTENTS else f"other {key}"
        for key, value in identity.items()
        if key in there and there[key] != value
    ]
    raise RunError(
        f"{out} holds another run ({', '.join(changed) or 'unfinished, of other inputs'})",
        "choose another --out, or --force to replace it",
    )


CONTENTS = ("model_file", "weights_file", "data")  # digests: not for people


def _identity_on_disk(run: Run) -> str | None:
    """Whose files lie in the folder: as the manifest says, or the first file that can tell."""
    known = run.recorded("activations").get("identity")
    if known is not None:
        return str(known)
    for kind, pattern in (
        ("nodes", "nodes.parquet"),
        ("nodes", "predictions/part-*.parquet"),
        ("activations", "activations/layer=*/part-*.parquet"),
    ):
        for path in run.root.glob(f"variant=*/repeat=*/{pattern}"):
            try:
                return read_metadata(path, kind).get("identity")  # type: ignore[arg-type]
            except TableError:
                continue
    return None


def _node_set(
    run: Run,
    repeat: int,
    samples: NDArray[np.int64],
    identity: dict[str, Any],
    layers: tuple[LayerInfo, ...],
) -> NodeSet:
    return NodeSet(
        folder=run.repeat(VARIANT, repeat),
        samples=samples,
        identity=digest_json(identity),
        digest=digest_json({"identity": identity, "samples": samples.tolist()}),
        layers=layers,
    )


def stored_bytes(layers: Sequence[LayerInfo], features: Features) -> int:
    """Return what one image's activations take on disk, in bytes."""
    values = sum(layer.stored_values(features.pool) for layer in layers)
    return values * np.dtype(features.dtype).itemsize


def _announce(sets: Sequence[NodeSet], waiting: int, needed: int, draw: Draw) -> None:
    """Say what will be written before it is."""
    total = sum(len(node_set.samples) for node_set in sets)
    if draw.note:
        log.warning("%s", draw.note)
    log.info(
        "stage 1: %d layers, %d samples x %d repeats; %s",
        len(sets[0].layers), len(sets[0].samples), len(sets),
        f"{format_bytes(needed)} to write" if waiting == total
        else f"{total - waiting} of {total} are there, {format_bytes(needed)} to write"
        if waiting else "all of it is there, nothing to do",
    )  # fmt: skip


def _describe_set(node_set: NodeSet, pool: Pool) -> dict[str, Any]:
    """Return what the later stages need to know of a node set."""
    return {
        "variant": node_set.folder.variant,
        "repeat": node_set.folder.repeat,
        "digest": node_set.digest,
        "layers": [
            {
                "index": index,
                "name": layer.name,
                "type": layer.type,
                "shape": list(layer.shape),
                "values": layer.stored_values(pool),
                "digest": node_set.layer_digest(layer),
            }
            for index, layer in enumerate(node_set.layers)
        ],
    }


def _remove_other_layers(node_set: NodeSet) -> None:
    """Remove shards of layers that an earlier --layers named: their numbers mean nothing now."""
    kept = {node_set.folder.layer(index) for index in range(len(node_set.layers))}
    for folder in (node_set.folder.path / "activations").glob("layer=*"):
        if folder not in kept:
            shutil.rmtree(folder)


if __name__ == "__main__":
    from pipeline.cli import run_command

    run_command("activations")
