"""From a network to its neuron graph: absolute weights between the neurons of its layers."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from torch import Tensor, nn

from graphs.errors import LayerError
from graphs.neuron_graph import Drop, NeuronGraph, WeightBlock
from pipeline.neurons.channel_flow import WeightLayer, weight_layers
from pipeline.neurons.channels import INPUT, Branch
from pipeline.tracing import trace_model

Norm = Literal["l1", "matrix"]
Layers = Literal["auto", "all", "hidden"]


def neuron_graph(
    model: nn.Module,
    input_shape: Sequence[int],
    *,
    layers: Layers = "auto",
    norm: Norm = "l1",
    normalize: bool = False,
    drop: Drop = "isolated",
) -> NeuronGraph:
    """Build the graph of a network's neurons; the edge between two is their absolute weight.

    A node is a unit of a linear layer, a channel of a convolution, or a pixel of the input of an
    MLP. Biases count for nothing (Filan et al. 2020, section 2). Batch normalisation is folded
    into the weights before it, or behind it where it follows an addition. Pooling and activation
    functions leave neurons what they are. Where layers are added, whoever reads the sum has an
    edge to each of them.

    Parameters
    ----------
    model : Module
        Linear layers and convolutions as chains or with residual additions or concatenations. Left
        as it was.
    input_shape : sequence of int
        Of one image: channels, height, width.
    layers : {"auto", "all", "hidden"}
        ``all`` takes every layer, the input and the output included; ``hidden`` leaves these two
        out; ``auto`` is ``all`` for networks without convolutions, and otherwise the convolutions
        alone, without the input (Filan et al. 2021).
    norm : {"l1", "matrix"}
        How a kernel between two channels becomes one number: the sum of its absolute values, or
        the largest sum of a column, as the authors' released code has it (2-D kernels only).
    normalize : bool
        Scale every hidden neuron so that its incoming weights have the L2 norm 1, and its outgoing
        ones the other way round: networks that a rescaling of ReLU neurons makes of one another get
        one graph.
    drop : {"isolated", "detached", "negligible"}
        Which dead neurons are no nodes: see `NeuronGraph.build`.

    Raises
    ------
    ModelError
        When the network cannot run on such an input.
    LayerError
        When it has no linear layer or convolution, or does with them what no weight between two
        neurons describes (attention, gates, layers that run twice).
    GraphError
        When weights are not finite, or a layer has no neuron left.

    Examples
    --------
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> graph = neuron_graph(model, (1, 2, 2))
    >>> graph.layer_names, graph.widths
    (('input', '1', '3'), (4, 3, 2))
    >>> bool(graph.adjacency[0, 4] == model[1].weight[0, 0].abs())
    True
    """
    found = weight_layers(trace_model(model, torch.zeros(1, *input_shape)))
    kernels = [_kernel(layer) for layer in found]
    if normalize:
        _normalize(found, kernels)
    chosen = _choose(found, layers, type(model).__name__)
    widths = {INPUT: _input_width(found)} | {i: layer.width for i, layer in enumerate(found)}
    starts = dict(zip(chosen, np.cumsum([0, *(widths[i] for i in chosen)]), strict=False))
    blocks = [
        block
        for index, layer in enumerate(found)
        if index in starts
        for block in _blocks(layer, kernels[index], starts=starts, index=index, norm=norm)
    ]
    return NeuronGraph.build(
        blocks,
        layer_names=_names(found, chosen),
        widths=[widths[index] for index in chosen],
        drop=drop,
    )


def _choose(found: Sequence[WeightLayer], layers: Layers, what: str) -> list[int]:
    """Return the layers that become nodes, in order of depth."""
    everything = [INPUT, *range(len(found))]
    convolutions = [i for i, layer in enumerate(found) if not isinstance(layer.module, nn.Linear)]
    read = {int(i) for layer in found for b in layer.reads.branches for i in np.unique(b.layer)}
    chosen = everything
    if layers == "hidden":
        chosen = [index for index in everything[1:] if index in read]
    elif layers == "auto" and convolutions:
        chosen = convolutions
    if len(chosen) < 2:
        raise LayerError(
            f"layers={layers} leaves {len(chosen)} layer of neurons in {what}, so that there are "
            "no weights between two",
            "take layers='all', which counts the input and the output",
        )
    return chosen


def _names(found: Sequence[WeightLayer], chosen: Sequence[int]) -> list[str]:
    taken, image = {layer.name for layer in found}, "input"
    while image in taken:
        image = "image" if image == "input" else f"{image}_"
    return [image if index == INPUT else found[index].name for index in chosen]


def _input_width(found: Sequence[WeightLayer]) -> int:
    units = [b.unit[b.layer == INPUT] for layer in found for b in layer.reads.branches]
    return int(max(int(part.max()) for part in units if part.size)) + 1


def _kernel(layer: WeightLayer) -> Tensor:
    """Return absolute weights with batch normalisation folded in, shape (out, in / groups, ...)."""
    module: Any = layer.module
    weight: Tensor = module.weight.detach().to("cpu", torch.float64).abs()
    if getattr(module, "transposed", False):
        weight = _swap(weight, module.groups)
    shape = (-1, *[1] * (weight.ndim - 1))
    return weight * torch.from_numpy(layer.gain).reshape(shape)


def _swap(weight: Tensor, groups: int) -> Tensor:
    """Transposed convolutions keep (in, out / groups, ...): put the output first."""
    inputs, outputs, *rest = weight.shape
    parts = weight.reshape(groups, inputs // groups, outputs, *rest).transpose(1, 2)
    return parts.reshape(groups * outputs, inputs // groups, *rest)


def _normalize(found: Sequence[WeightLayer], kernels: list[Tensor]) -> None:
    """Scale hidden neurons to incoming norm 1, layer after layer."""
    norms: dict[int, NDArray[np.float64]] = {}
    read = {int(i) for layer in found for b in layer.reads.branches for i in np.unique(b.layer)}
    for index, layer in enumerate(found):
        if len(layer.reads.branches) > 1:
            raise LayerError(
                f"{layer.name} reads a sum of layers, whose neurons cannot be rescaled one by one",
                "leave the scale as it is in networks with residual additions",
            )
        (branch,) = layer.reads.branches
        incoming = np.ones(len(branch.unit))
        for source, scale in norms.items():
            there = branch.layer == source
            incoming[there] = scale[branch.unit[there]]
        kernels[index] = kernels[index] * _per_input(layer, incoming)
        if index in read:
            norm = kernels[index].flatten(1).norm(dim=1).numpy()
            norms[index] = np.where(norm > 0, norm, 1.0)
            shape = (-1, *[1] * (kernels[index].ndim - 1))
            kernels[index] = kernels[index] / torch.from_numpy(norms[index]).reshape(shape)


def _per_input(layer: WeightLayer, values: NDArray[np.float64]) -> Tensor:
    """Bring a number a channel that is read into the shape of the kernel."""
    module: Any = layer.module
    spread = torch.from_numpy(np.repeat(values, layer.reads.spread))
    if isinstance(module, nn.Linear):
        return spread
    groups = module.groups
    rows = spread.reshape(groups, -1).repeat_interleave(layer.width // groups, dim=0)
    return rows.reshape(*rows.shape, *[1] * (module.weight.ndim - 2))


def _matrix(layer: WeightLayer, kernel: Tensor, *, norm: Norm) -> csr_array:
    """Return one weight between each channel that is read and each neuron, shape (in, out)."""
    module: Any = layer.module
    if isinstance(module, nn.Linear):
        folded = kernel.reshape(layer.width, -1, layer.reads.spread).sum(dim=2)
        return csr_array(folded.numpy().T)
    if norm == "matrix" and kernel.ndim == 4:
        folded = kernel.sum(dim=-2).amax(dim=-1)
    else:
        folded = kernel.flatten(2).sum(dim=2)
    each = folded.shape[1]
    target = np.repeat(np.arange(layer.width), each)
    group = target // (layer.width // module.groups)
    source = group * each + np.tile(np.arange(each), layer.width)
    shape = (each * module.groups, layer.width)
    return coo_array((folded.numpy().ravel(), (source, target)), shape=shape).tocsr()


def _blocks(
    layer: WeightLayer, kernel: Tensor, *, starts: dict[int, int], index: int, norm: Norm
) -> list[WeightBlock]:
    """Return the edges into one layer: a block for each way of scaling what it reads."""
    matrix = _matrix(layer, kernel, norm=norm)
    targets = np.arange(starts[index], starts[index] + layer.width, dtype=np.int32)
    by_scale: dict[bytes, list[Branch]] = {}
    for branch in layer.reads.branches:
        by_scale.setdefault(branch.scale.tobytes(), []).append(branch)
    blocks = []
    for branches in by_scale.values():
        sources = tuple(nodes for b in branches if ((nodes := _nodes(b, starts)) >= 0).any())
        if sources:
            scaled = csr_array(matrix.multiply(branches[0].scale[:, None]))
            scaled.eliminate_zeros()
            blocks.append(
                WeightBlock(name=layer.name, weights=scaled, sources=sources, targets=targets)
            )
    return blocks


def _nodes(branch: Branch, starts: dict[int, int]) -> NDArray[np.int32]:
    """Return the number of the neuron behind each channel; -1 where it is no node."""
    nodes = np.full(len(branch.unit), -1, dtype=np.int32)
    for layer, start in starts.items():
        there = branch.layer == layer
        nodes[there] = start + branch.unit[there]
    return nodes
