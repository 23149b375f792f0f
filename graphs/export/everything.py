"""All files of one dynamic graph."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphs.export.attributes import ExportAttributes
from graphs.export.gexf import Representation, write_dynamic_gexf
from graphs.export.graphml import write_layer_graphml
from graphs.export.layout import joint_layout
from graphs.export.text import dynamic_file_name, export_file_name, union_file_name
from graphs.export.union import write_union_graphml
from graphs.snapshots import DynamicGraph


def export_dynamic(
    dynamic: DynamicGraph,
    folder: Path,
    *,
    communities: NDArray[np.integer] | None = None,
    modularity: Sequence[float] | None = None,
    class_names: Mapping[int, str] | None = None,
    k: int | None = None,
    metric: str | None = None,
    representation: Representation = "interval",
    gzip: bool = False,
    seed: int = 0,
) -> list[Path]:
    """Write a GraphML file a layer, their union and a dynamic GEXF file, with one layout.

    Parameters
    ----------
    dynamic : DynamicGraph
        The graphs over one node set.
    folder : Path
        Where the files go; it is made. Files of the same name are replaced.
    communities : ndarray of int, shape (L, n), optional
        Community of each node in each layer, matched between layers; negative for none.
    modularity : sequence of float, length L, optional
        Modularity of the true classes in each layer.
    class_names : mapping of int to str, optional
        Names of classes that may be predicted but have no sample among the nodes.
    k, metric : optional
        How the neighbours were found.
    representation : {"interval", "timestamp"}
        How the dynamic file tells time (`write_dynamic_gexf`).
    gzip : bool
        Whether to pack the files; Gephi, igraph and NetworkX open them, Gephi Lite does not.
    seed : int
        Seed of the layout.

    Returns
    -------
    list of Path
        The files: layers in order, union, dynamic.

    Raises
    ------
    ExportError
        When the graph has something that graph programs would misread.
    RunError, ResourceError
        When a file cannot be written.
    """
    attributes = ExportAttributes(
        layout=joint_layout(dynamic, seed=seed),
        communities=communities,
        modularity=modularity,
        class_names=class_names,
        k=k,
        metric=metric,
    )
    paths = []
    for position, layer in enumerate(dynamic.snapshots):
        name = export_file_name(dynamic.name, layer.layer_index, layer.layer, gzip=gzip)
        paths.append(write_layer_graphml(dynamic, position, folder / name, attributes=attributes))
    union = folder / union_file_name(dynamic.name, gzip=gzip)
    timed = folder / dynamic_file_name(dynamic.name, gzip=gzip)
    return [
        *paths,
        write_union_graphml(dynamic, union, attributes=attributes),
        write_dynamic_gexf(dynamic, timed, attributes=attributes, representation=representation),
    ]
