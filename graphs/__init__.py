"""Graphs of features: neighbours, modularity, communities, exports. Arrays in, tables out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphs.modularity import modularity
    from graphs.neighbors import KnnGraph, knn
    from graphs.snapshots import DynamicGraph, Snapshot

__all__ = ["DynamicGraph", "KnnGraph", "Snapshot", "knn", "modularity"]

_HOMES = {
    "DynamicGraph": "graphs.snapshots",
    "KnnGraph": "graphs.neighbors",
    "Snapshot": "graphs.snapshots",
    "knn": "graphs.neighbors",
    "modularity": "graphs.modularity",
}


def __getattr__(name: str) -> Any:
    # On first use: `stratagraph --help` shall not wait for pandas and igraph.
    if name not in _HOMES:
        raise AttributeError(f"module 'graphs' has no attribute {name!r}")
    home = import_module(_HOMES[name])
    return home if _HOMES[name] == f"{__name__}.{name}" else getattr(home, name)
