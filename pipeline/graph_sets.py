"""Stage 3's unit: the graphs of one node set, and the measures of each until all are done."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.confidence import DRAWS, PERMUTATIONS
from graphs.errors import CorruptFileError
from graphs.export import export_dynamic
from graphs.files import digest_json, read_json, write_json
from graphs.measures import LayerMeasures, MetricTables, follow, match_layer, measure_layer
from graphs.neighbors import KnnGraph
from graphs.runs import MetricTable, RepeatFolder, Run, holds
from graphs.samples import sample_table
from graphs.schema import TableName
from graphs.snapshots import DynamicGraph, Snapshot
from graphs.tables import read_frame, read_metadata, write_table
from pipeline.edge_files import edges_digest, read_edges

# file name: schema; of one layer, `layers` comes last: where it is, the others are
LAYER_TABLES: dict[MetricTable, TableName] = {
    "nodes": "node_metrics",
    "communities": "communities",
    "classes": "classes",
    "class_pairs": "class_pairs",
    "layers": "layers",
}
# of all layers
TABLES: dict[MetricTable, TableName] = {"flows": "flows", "events": "events", **LAYER_TABLES}


class GraphSet:
    """The graphs of one node set, and the measures of each that are kept until all are done.

    Parameters
    ----------
    run : Run
        The run.
    item : dict
        The node set as stage 1 recorded it.
    source, links : dict
        What stages 1 and 2 recorded.
    rewirings : int
        As in `graphs.measures.measure_layer`.
    """

    def __init__(
        self,
        run: Run,
        item: dict[str, Any],
        source: dict[str, Any],
        links: dict[str, Any],
        *,
        rewirings: int = 0,
    ) -> None:
        self.run, self.links, self.layers = run, links, item["layers"]
        self.folder: RepeatFolder = run.repeat(item["variant"], item["repeat"])
        self.nodes = read_frame(self.folder.nodes, "nodes")
        self.n_nodes = len(self.nodes)
        self.seed, self.rewirings = int(source["parameters"]["seed"]), rewirings
        self.class_names = dict(enumerate(source["label_names"]))
        self.parts = run.parts / self.folder.name
        self.digests = []
        chain = item["digest"]
        for layer in self.layers:
            # communities are matched to the layer before: a layer's tables depend on all of those
            edges = edges_digest(layer, links["parameters"])
            chain = digest_json([chain, edges, self.seed, PERMUTATIONS, DRAWS, rewirings])
            self.digests.append(chain)

    def is_measured(self, position: int) -> bool:
        """Whether the tables of a layer are there."""
        return holds(self._part(position, "layers"), "layers", self.digests[position])

    def measure(self, position: int) -> None:
        """Measure one layer, unless its tables are there."""
        if not self.is_measured(position):
            self.keep(position, self.measure_alone(position))

    def measure_alone(self, position: int) -> LayerMeasures:
        """Measure one layer without a look at the others.

        Raises
        ------
        GraphError, CorruptFileError
            When its graph cannot be measured or read.
        """
        knn = self.neighbours(position)
        return measure_layer(
            self._snapshot(position, knn),
            knn,
            self.nodes,
            variant=self.folder.variant,
            repeat=self.folder.repeat,
            seed=self.seed,
            rewirings=self.rewirings,
        )

    def keep(
        self,
        position: int,
        measures: LayerMeasures,
        *,
        previous: NDArray[np.int32] | None = None,
    ) -> NDArray[np.int32]:
        """Match the communities of a measured layer to the layer before and write its tables.

        Parameters
        ----------
        position : int
            Which layer.
        measures : LayerMeasures
            As `measure_alone` gives them.
        previous : ndarray of int32, shape (n,), optional
            What this returned for the layer before; read from its tables, if not given.

        Returns
        -------
        ndarray of int32, shape (n,)
            Matched community of every node.
        """
        if position:
            if previous is None:
                previous = self._read(position - 1, "nodes")["matched"].to_numpy(np.int32)
            measures = match_layer(measures, previous)
        for name, schema in LAYER_TABLES.items():
            path = self._part(position, name)
            digest = {"digest": self.digests[position]}
            write_table(getattr(measures, name), path, schema, metadata=digest)
        return measures.matched

    def export(self, *, gzip: bool) -> list[str]:
        """Write the graph files, unless they are there; return their names."""
        marker, digest = self.parts / "exports.json", digest_json([self.digests[-1], gzip])
        if marker.exists() and (found := read_json(marker))["digest"] == digest:
            names = list(found["files"])
            if all((self.run.exports / name).exists() for name in names):
                return names
        marker.unlink(missing_ok=True)  # before the files it speaks of change
        graph, first, layers = self.graph(), self.neighbours(0), range(len(self.layers))
        for old in self.run.graph_files(self.folder.name):
            old.unlink()
        files = export_dynamic(
            graph,
            self.run.exports,
            communities=np.array([self._read(at, "nodes")["matched"] for at in layers]),
            modularity=[self._read(at, "layers")["modularity"].item() for at in layers],
            class_names=self.class_names,
            k=first.k,
            metric=first.metric,
            gzip=gzip,
            seed=self.seed,
        )
        names = [path.name for path in files]
        write_json(marker, {"digest": digest, "files": names})
        return names

    def tables(self) -> MetricTables:
        """Return the measured tables of all layers."""
        return follow(
            LayerMeasures(**{name: self._read(position, name) for name in LAYER_TABLES})
            for position in range(len(self.layers))
        )

    def samples(self) -> pd.DataFrame:
        """Return the table of the samples: where each finds its class."""
        return sample_table(
            [self.neighbours(position) for position in range(len(self.layers))],
            self.nodes,
            [layer["name"] for layer in self.layers],
            class_names=self.class_names,
            variant=self.folder.variant,
            repeat=self.folder.repeat,
        )

    def neighbours(self, position: int) -> KnnGraph:
        """Read the directed list of a layer.

        Raises
        ------
        CorruptFileError
            When it is missing, damaged, or not from this run's stage 2.
        """
        layer = self.layers[position]
        path = self.folder.edges(layer["index"])
        expected = edges_digest(layer, self.links["parameters"])
        if read_metadata(path, "edges").get("digest") != expected:
            raise CorruptFileError(
                f"{path} is not from this run's stage 2", "run stage 2 (edges) again"
            )
        return read_edges(path, self.n_nodes)

    def graph(self) -> DynamicGraph:
        """Read the graphs of all layers.

        Raises
        ------
        CorruptFileError
            As in `neighbours`.
        """
        snapshots = (
            self._snapshot(position, self.neighbours(position))
            for position in range(len(self.layers))
        )
        return DynamicGraph(name=self.folder.name, nodes=self.nodes, snapshots=tuple(snapshots))

    def _part(self, position: int, name: str) -> Path:
        return self.parts / f"layer={position:03d}" / f"{name}.parquet"

    def _read(self, position: int, name: MetricTable) -> pd.DataFrame:
        return read_frame(self._part(position, name), LAYER_TABLES[name])

    def _snapshot(self, position: int, knn: KnnGraph) -> Snapshot:
        layer = self.layers[position]
        return Snapshot.from_knn(knn, layer_index=layer["index"], layer=layer["name"])
