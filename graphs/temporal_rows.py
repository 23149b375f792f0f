"""The metric tables that follow communities from layer to layer: flows and events.

What the columns mean, where the name alone does not say it:

=================== =============================================================================
community, matched  of a layer, as in ``metrics/communities``; next_community, next_matched: of the
                    layer after it
count               samples that are in both
jaccard             of a flow: samples in both / samples in either; of an event: the largest one
event               birth, merge, split or death (`graphs.temporal.community_events`); it stands in
                    the row of the layer that shows it first, the later one
matched (events)    the community it happened to: of this layer for a birth or merge, of the layer
                    before for a split or death
size                its samples
others              matched communities of the other layer, separated by commas: those that merged
                    or came of the split; for a birth or death the one that shares most samples
nmi_previous, ...   agreement of a layer's Leiden communities with those of the layer before
=================== =============================================================================
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from graphs.communities import partition_agreement
from graphs.matching import MATCHED
from graphs.schema import COLUMNS, TableName
from graphs.temporal import community_events, community_flow


class _Layer(NamedTuple):
    """Where a layer stands, and its communities as numbered in it, and matched, shape (n,)."""

    where: dict[str, object]
    community: NDArray[np.int32]
    matched: NDArray[np.int32]


def flow_rows(nodes: pd.DataFrame) -> pd.DataFrame:
    """Build the table ``flows`` of one node set: a row a pair of communities that share samples.

    Parameters
    ----------
    nodes : DataFrame
        The metric table ``nodes`` of one variant and repeat.

    Returns
    -------
    DataFrame
        Sorted by layer, matched community, next matched community.
    """
    rows: list[dict[str, object]] = []
    for this, after in _steps(nodes):
        flow = community_flow(this.matched, after.matched)
        own, following = _numbers(this), _numbers(after)
        there = {
            "next_layer_index": after.where["layer_index"],
            "next_layer": after.where["layer"],
        }
        pairs = zip(flow.previous, flow.current, flow.count, flow.jaccard, strict=True)
        rows += [
            {
                **this.where,
                "community": own[previous],
                "matched": previous,
                **there,
                "next_community": following[current],
                "next_matched": current,
                "count": count,
                "jaccard": jaccard,
            }
            for previous, current, count, jaccard in pairs
        ]
    return _frame(rows, "flows")


def event_rows(nodes: pd.DataFrame, *, threshold: float = MATCHED) -> pd.DataFrame:
    """Build the table ``events`` of one node set: a row an event.

    Parameters
    ----------
    nodes : DataFrame
        The metric table ``nodes`` of one variant and repeat.
    threshold : float
        As in `graphs.temporal.community_events`.

    Returns
    -------
    DataFrame
        Sorted by layer; births, merges, splits and deaths; matched community.
    """
    rows: list[dict[str, object]] = []
    for before, this in _steps(nodes):
        rows += [
            {
                **this.where,
                "event": event.kind,
                "matched": event.community,
                "size": event.size,
                "others": ",".join(map(str, event.others)),
                "jaccard": event.jaccard,
            }
            for event in community_events(before.matched, this.matched, threshold=threshold)
        ]
    return _frame(rows, "events")


def agreement_columns(nodes: pd.DataFrame) -> pd.DataFrame:
    """Compare the communities of each layer with those of the layer before.

    Parameters
    ----------
    nodes : DataFrame
        The metric table ``nodes`` of one variant and repeat.

    Returns
    -------
    DataFrame
        A row a layer, in order of depth: ``nmi_previous, ami_previous, ari_previous``; NaN in the
        first layer.
    """
    none = {"nmi": np.nan, "ami": np.nan, "ari": np.nan}
    found = [
        partition_agreement(before.matched, this.matched)._asdict()
        for before, this in _steps(nodes)
    ]
    return pd.DataFrame([none, *found]).add_suffix("_previous")


_WHERE = ("variant", "repeat", "layer_index", "layer")


def _steps(nodes: pd.DataFrame) -> Iterator[tuple[_Layer, _Layer]]:
    """Pairs of neighbouring layers, in order of depth."""
    before: _Layer | None = None
    for _, layer in nodes.groupby("layer_index", sort=True):
        first = layer.iloc[0]
        this = _Layer(
            where={name: first[name] for name in _WHERE},
            community=layer["community"].to_numpy(np.int32),
            matched=layer["matched"].to_numpy(np.int32),
        )
        if before is not None:
            yield before, this
        before = this


def _numbers(layer: _Layer) -> dict[int, int]:
    """Map matched communities to their numbers in the layer."""
    return dict(zip(layer.matched.tolist(), layer.community.tolist(), strict=True))


def _frame(rows: list[dict[str, object]], name: TableName) -> pd.DataFrame:
    """Rows as a table, of the types that its file has; also without any."""
    frame: pd.DataFrame = pa.Table.from_pylist(rows, schema=COLUMNS[name]).to_pandas()
    return frame
