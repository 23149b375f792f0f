"""Graphs of features: neighbours, modularity, communities, exports. Arrays in, tables out."""

from graphs.modularity import modularity
from graphs.neighbors import KnnGraph, knn
from graphs.snapshots import DynamicGraph, Snapshot

__all__ = ["DynamicGraph", "KnnGraph", "Snapshot", "knn", "modularity"]
