"""Comparing the layers of one node set, in one run or two, within a budget of memory."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.cka_sums import CHUNK_BYTES, CkaSums, Gram, feature_gram
from graphs.errors import ActivationError, ResourceError
from graphs.layer_pairs import pair_table
from graphs.row_batches import STEP, gather_rows, split_batches
from graphs.similarity import modularity_differences, neighbor_overlaps
from graphs.tables import largest_group
from pipeline.devices import format_bytes
from pipeline.graph_sets import GraphSet
from pipeline.options import Machine
from pipeline.studies.stored import layer_modularity, layer_rows, side

_COPIES = 4  # of a piece of a layer in float64, while it is centred and multiplied
_READING = 5  # of a row group, while Arrow decodes it
_GRAMS = 3  # of every layer's Gram matrices: as computed, and centred twice


class Comparison:
    """All pairs of layers of one node set.

    Batches are dealt at random, with the run's seed. As many of them as fit into the memory are
    worked on at a time, so that a layer is read as seldom as possible; all layers' Gram matrices
    of these batches are held, and everything else of one layer alone.

    Parameters
    ----------
    items : sequence of GraphSet
        One, or the same samples in two runs.
    names : sequence of str
        What the runs are called.
    batch : int
        Samples a batch.
    memory : int
        Bytes.
    machine : Machine
        As in the stages.

    Raises
    ------
    ResourceError
        When one batch does not fit into the memory.
    CorruptFileError
        When features are missing or damaged.
    """

    def __init__(
        self,
        items: Sequence[GraphSet],
        names: Sequence[str],
        *,
        batch: int,
        memory: int,
        machine: Machine,
    ) -> None:
        self._items, self._names, self._machine = items, names, machine
        self.repeat: int = items[0].folder.repeat
        self._places = [(item, at) for item in items for at in range(len(item.layers))]
        self.layers = len(self._places)
        rows, columns = (len(items[0].layers), len(items[-1].layers))
        self.pairs = rows * columns if len(items) > 1 else rows * (rows - 1) // 2
        seed = int(np.random.SeedSequence([items[0].seed, self.repeat]).generate_state(1)[0])
        batches = split_batches(items[0].n_nodes, batch, seed=seed)
        at_once = self._fitting(max(map(len, batches)), batch, memory)
        self._groups = [batches[i : i + at_once] for i in range(0, len(batches), at_once)]
        self.inputs: list[Any] = ["unbiased", batch, seed, *names]
        self.inputs += [[layer["name"] for layer in item.layers] for item in items]
        self.inputs += [[item.digests, item.links["parameters"]] for item in items]

    @property
    def steps(self) -> int:
        """How often features of a layer are read."""
        return self.layers * len(self._groups)

    def _fitting(self, largest: int, batch: int, memory: int) -> int:
        """Return how many batches fit at a time."""
        width = max(int(item.layers[at]["values"]) for item, at in self._places)
        reading = max(
            int(item.layers[at]["values"])
            * largest_group(item.folder.shard(item.layers[at]["index"], 0))
            for item, at in self._places
        )
        once = 4 * (_READING * reading + width * (STEP + largest)) + _COPIES * CHUNK_BYTES
        each = 4 * width * largest + 8 * self.layers * largest**2
        needed = once + each + 8 * (_GRAMS - 1) * self.layers * largest**2
        if needed > memory:
            raise ResourceError(
                f"a batch of {largest} samples with up to {width} values takes "
                f"{format_bytes(needed)}, --memory {self._machine.memory} is less",
                f"raise --memory, or lower --batch {batch}",
            )
        return 1 + (memory - needed) // each

    def compare(self, advance: Callable[[int], None]) -> pd.DataFrame:
        """Measure all pairs.

        Parameters
        ----------
        advance : callable
            Is told of every step (`steps`).

        Returns
        -------
        DataFrame
            Table ``similarity`` of this repeat.

        Raises
        ------
        ActivationError, CorruptFileError
            When features cannot be used or read; the layer is named.
        """
        sums = CkaSums(self.layers)
        for group in self._groups:
            grams = [self._grams(place, group, advance) for place in range(self.layers)]
            for batch in zip(*grams, strict=True):
                sums.add(batch)
        lists = [item.neighbours(at).indices for item, at in self._places]
        q = np.array([layer_modularity(item, at) for item, at in self._places])
        rows, columns = self._blocks()
        measures: dict[str, NDArray[np.float64]] = {
            "modularity_difference": modularity_differences(q[rows], q[columns]),
            "cka": sums.cka()[rows, columns],
            "neighbor_overlap": neighbor_overlaps(lists)[rows, columns],
        }
        first, second = self._items[0], self._items[-1]
        return pair_table(
            side(first, self._names[0]),
            side(second, self._names[-1]),
            repeat=self.repeat,
            measures=measures,
        )

    def _blocks(self) -> Iterator[slice]:
        """Return which layers stand in the rows, and which in the columns."""
        cut = len(self._items[0].layers)
        yield slice(0, cut)
        yield slice(cut, None) if len(self._items) > 1 else slice(0, cut)

    def _grams(
        self, place: int, group: list[NDArray[np.int64]], advance: Callable[[int], None]
    ) -> list[Gram]:
        """Return the Gram matrix of every batch in one layer."""
        item, at = self._places[place]
        wanted = np.sort(np.concatenate(group))
        held = gather_rows(layer_rows(item, at, self._machine), wanted)
        try:
            grams = [feature_gram(held[np.searchsorted(wanted, batch)]) for batch in group]
        except ActivationError as error:
            layer = item.layers[at]
            raise ActivationError(
                f"layer {layer['index']} ({layer['name']}): {error.problem}", error.remedy
            ) from error
        advance(1)
        return grams
