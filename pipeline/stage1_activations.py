"""Stage 1: a network and images in, activation shards and node tables out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from graphs.errors import DataError
from graphs.files import digest_json, remove_tree
from graphs.runs import Run
from graphs.tables import read_frame
from pipeline.console import command_line, log, plural
from pipeline.data import Draw, ImageData, draw_samples
from pipeline.devices import (
    format_bytes,
    memory_budget,
    output_folder,
    require_disk,
    require_writable,
    resolve_device,
)
from pipeline.dumping import PART_ROWS, NodeSet, dump_node_set
from pipeline.forward import Forward
from pipeline.identity import describe, require_same_run
from pipeline.layer_info import LayerInfo, Pool
from pipeline.opening import open_images, open_network
from pipeline.options import Features, Images, Machine, Network, Work, brings_weights
from pipeline.parallel import open_cluster
from pipeline.part_worker import Recipe, dump_on_cluster
from pipeline.progress import progress_bar, skip_stage, stage

VARIANT = "clean"


@stage("activations")
def dump_activations(
    out: Path,
    *,
    network: Network,
    images: Images | None = None,
    features: Features | None = None,
    machine: Machine | None = None,
    work: Work | None = None,
) -> Path:
    """Stage 1: run a network on images and write what its layers put out.

    One forward pass serves all layers. Flattened activations go to Parquet shards while the next
    batch is computed; `nodes.parquet` holds labels, predictions and confidences. Shards that are
    there already are left alone.

    Parameters
    ----------
    out
        The run folder, or a URL such as `s3://bucket/run`.
    network
        Model and weights.
    images
        Data set, sampling, samples and repeats.
    features
        Layers, pooling, storage type.
    machine
        Memory and device.
    work
        Whether to do finished work again, and to show progress.

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
    images, features = images or Images(), features or Features()
    machine, work = machine or Machine(), work or Work()
    memory_budget(machine.memory)
    out = output_folder(out)
    require_writable(out)
    with open_cluster(machine, out) as cluster:
        device = torch.device("cpu") if cluster else resolve_device(machine.device)
        options = (network, images, features)
        plan = _make_plan(Run(out), options, force=work.force)
        # on a cluster, too: what cannot run at all shows here, before anything is removed
        forward = plan.prepare(features, memory_budget(machine.memory), device)
        described = [_describe_set(node_set, features.pool) for node_set, _ in plan.todo]
        _begin(plan, described, force=work.force)
        with progress_bar(
            "reading", plan.waiting, show=work.progress, unit="images", size=plan.needed
        ) as advance:
            if cluster:
                recipe = Recipe(*options, machine, digest_json(plan.identity), cluster.cpus_each)
                dump_on_cluster(cluster, plan.todo, recipe, advance=advance)
            else:
                for node_set, parts in plan.todo:
                    dump_node_set(node_set, parts, forward, advance=advance)
        sets = [node_set for node_set, _ in plan.todo]
        _remove_others(sets)
        _tell_accuracy(sets, network, plan.data)
        entry = {
            "identity": digest_json(plan.identity),
            "parameters": plan.identity | _resolved(network, images, features, machine),
            "label_names": list(plan.data.label_names),
            "device": cluster.device if cluster else str(device),
            "sets": described,
        }
        plan.run.finish("activations", entry, command=command_line())
    return out


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What there is to do, for which network and images."""

    run: Run
    data: ImageData
    model: nn.Module
    layers: tuple[LayerInfo, ...]
    identity: dict[str, Any]
    todo: list[tuple[NodeSet, list[range]]]
    each: int  # bytes that an image takes

    @property
    def waiting(self) -> int:
        """Images to run."""
        return sum(len(nodes) for _, parts in self.todo for nodes in parts)

    @property
    def needed(self) -> int:
        """Bytes to write."""
        return self.waiting * self.each

    def prepare(self, features: Features, memory: int, device: torch.device) -> Forward:
        """Make the network ready to run."""
        return Forward.prepare(
            self.model,
            self.data,
            self.layers,
            memory=memory,
            device=device,
            pool=features.pool,
            dtype=features.dtype,
        )


def _make_plan(run: Run, options: tuple[Network, Images, Features], *, force: bool) -> _Plan:
    """Open the images and the network, and find out what is missing; say it."""
    network, images, features = options
    data, draw = _draw_images(network, images)
    model, layers = open_network(network, images, features, data=data)
    identity = describe(network, images, features, data=data, model=model)
    if not force:
        require_same_run(run, identity)
    sets = [
        _node_set(run, repeat, indices, identity, layers)
        for repeat, indices in enumerate(draw.indices)
    ]
    plan = _Plan(
        run=run,
        data=data,
        model=model,
        layers=layers,
        identity=identity,
        todo=[(item, item.parts() if force else item.missing_parts()) for item in sets],
        each=stored_bytes(layers, features),
    )
    _announce(sets, plan.waiting, plan.needed, draw)
    # of a run that is replaced, the room is free again before the first byte is written
    room = max(0, plan.needed - run.size()) if force else plan.needed
    require_disk(run.root, room, at_once=min(plan.needed, PART_ROWS * plan.each))
    return plan


def _begin(plan: _Plan, described: list[dict[str, Any]], *, force: bool) -> None:
    """Take back what was recorded, where files are about to change."""
    if force:
        plan.run.clear()
    elif plan.waiting or plan.run.recorded("activations").get("sets") != described:
        plan.run.reopen("activations")
    else:
        skip_stage()
    plan.run.sweep()


def _draw_images(network: Network, images: Images) -> tuple[ImageData, Draw]:
    """Open the data set and draw the samples of every repeat."""
    data = open_images(network, images)
    draw = draw_samples(
        data.labels, images.samples, images.repeats, sampling=images.sampling, seed=images.seed
    )
    check_classes(data, draw.indices)
    return data, draw


def _resolved(
    network: Network, images: Images, features: Features, machine: Machine
) -> dict[str, Any]:
    """Return the options that are not part of the identity, as they were given."""
    return {
        "repeats": images.repeats,
        "layers": features.layers,
        "given": {
            "model": network.model,
            "weights": network.weights,
            "data": str(images.data) if images.data else None,
            "normalize": images.normalize,
            "memory": machine.memory,
        },
    }


def check_classes(data: ImageData, indices: Sequence[NDArray[np.int64]]) -> None:
    """Check that every node set holds at least two classes.

    Raises
    ------
    DataError
        Where all samples of a repeat are of one class: modularity is 0 then, whatever the graph.
    """
    every = np.unique(data.labels)
    if len(every) == 1:
        raise DataError(
            f"all {len(data)} images of {data.name} are of class "
            f"{data.label_names[int(every[0])]!r}: one class leaves nothing to separate",
            "choose another data set or split",
        )
    for repeat, samples in enumerate(indices):
        found = np.unique(data.labels[samples])
        if len(found) == 1:
            raise DataError(
                f"all {len(samples)} samples of repeat {repeat} are of class "
                f"{data.label_names[int(found[0])]!r}: one class leaves nothing to separate",
                "use --sampling random or stratified, or more --samples",
            )


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
    if not waiting:
        what = "all of it is there, nothing to do"
    elif waiting == total:
        what = f"{format_bytes(needed)} to write"
    else:
        what = f"{total - waiting} of {total} are there, {format_bytes(needed)} to write"
    log.info(
        "stage 1: %s, %d samples x %s; %s",
        plural(len(sets[0].layers), "layer"),
        len(sets[0].samples),
        plural(len(sets), "repeat"),
        what,
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


def _tell_accuracy(sets: Sequence[NodeSet], network: Network, data: ImageData) -> None:
    """Say how often the network is right: a low figure shows wrong weights or normalisation."""
    nodes = pd.concat([read_frame(item.folder.nodes, "nodes") for item in sets])
    if network.weights == "random" and not brings_weights(network.model):
        log.warning("the network is untrained (--weights random)")
    elif nodes["predicted"].notna().all():
        log.info(
            "accuracy on these samples: %.3f (normalisation: %s)",
            (nodes["predicted"] == nodes["label"]).mean(),
            data.normalization.name,
        )


def _remove_others(sets: Sequence[NodeSet]) -> None:
    """Remove layers and repeats that are not in the run any more: they would be read as its own."""
    repeats = {node_set.folder.path for node_set in sets}
    for place in sets[0].folder.path.parent.glob("repeat=*"):
        if place not in repeats:
            log.warning("%s is not part of this run any more and is removed", place)
            remove_tree(place)
    for node_set in sets:
        kept = {f"layer={index:03d}" for index in range(len(node_set.layers))}
        for path in node_set.folder.path.glob("activations/layer=*"):
            if path.name not in kept:
                remove_tree(path)
        for path in node_set.folder.path.glob("edges/layer=*"):
            if path.stem not in kept:
                path.unlink()


if __name__ == "__main__":
    from pipeline.cli import run_command

    run_command("activations")
