"""k-nearest-neighbour graphs: one function, one file an engine."""

from graphs.neighbors.knn import knn
from graphs.neighbors.knn_graph import Device, KnnGraph, Metric

__all__ = ["Device", "KnnGraph", "Metric", "knn"]
