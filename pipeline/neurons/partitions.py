"""The modules of a network: clusters of its neurons, found in one of three ways."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from graphs.correlation_graph import correlation_graph
from graphs.local_partition import local_partition
from graphs.neuron_graph import NeuronGraph
from graphs.spectral import spectral_partition
from pipeline.data import ImageData
from pipeline.neurons.activations import neuron_activations
from pipeline.neurons.channel_flow import weight_layers
from pipeline.neurons.weight_graph import neuron_graph
from pipeline.tracing import trace_model

Partition = Literal["weights", "local", "activations"]
Clusters = dict[str, NDArray[np.int32]]


def find_clusters(
    model: nn.Module,
    data: ImageData,
    partition: Partition = "weights",
    *,
    clusters: int,
    seed: int = 0,
    device: torch.device | None = None,
) -> Clusters:
    """Cluster the neurons of a network.

    Parameters
    ----------
    model : Module
        Left as it was.
    data : ImageData
        For its shape, and for ``activations`` up to 5,000 of its images.
    partition : {"weights", "local", "activations"}
        The graph of weights; that of each layer and its neighbours, with as many clusters as the
        layer has in the whole; or correlations between what hidden neurons put out before their
        activation function.
    clusters : int
        Of the whole network.
    seed : int
        Of k-means and of the images.
    device : torch.device, optional
        By default the CPU.

    Returns
    -------
    dict of str to ndarray of int32, shape (width,)
        Clusters of the neurons of each layer, -1 for those that are not in the graph.

    Raises
    ------
    GraphError, LayerError
        As `pipeline.neurons.weight_graph.neuron_graph` and `graphs.spectral.spectral_partition`.
    """
    graph = neuron_graph(model, data.input_shape)
    if partition == "activations":
        *before, _ = weight_layers(trace_model(model, data.images([0])))
        hidden = [layer.name for layer in before if layer.name in graph.layer_names]
        graph = correlation_graph(neuron_activations(model, data, hidden, seed=seed, device=device))
    labels = spectral_partition(graph.adjacency, clusters, seed=seed)
    if partition == "local":
        labels = local_partition(graph, labels, seed=seed)
    return by_layer(graph, labels)


def by_layer(graph: NeuronGraph, labels: NDArray[np.integer]) -> Clusters:
    """Give each layer's neurons their clusters, as `LesionBench` takes them."""
    return dict(zip(graph.layer_names, graph.by_layer(labels), strict=True))
