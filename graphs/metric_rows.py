"""The rows of one layer in the metric tables.

What the columns mean, where the name alone does not say it:

=================== =============================================================================
inside              e_cc: share of the layer's edge weight that links two nodes of the class
share               a_c: share of the strength that the class holds; modularity_term = e_cc − a_c²
conductance         weight cut off the class / min(strength of the class, strength of the rest);
                    empty where one side has none (Kannan, Vempala & Vetta 2004)
purity              of a class: largest share of its nodes that one Leiden community holds;
                    of a community: share of its nodes that are of its majority class
community           Leiden community, numbered in each layer from 0 by size
matched             the same community under a number that stays from layer to layer, as long as
                    its Jaccard overlap with the layer before is 0.3 or more
own_class_weight    undirected weight that links a node to its own class (strength: to any)
core_number         largest k so that the node belongs to the k-core (Seidman 1983), unweighted
participation       how evenly a node's links go to Leiden communities: 0 where to one alone, near 1
                    where to many alike (Guimerà & Nunes Amaral 2005); empty without links
n_components        connected components, every isolated node counts as one
mutual_fraction     share of the linked pairs that chose each other
assortativity       modularity / modularity_max (Newman 2003)
clipped             directed links whose similarity was negative and counts as 0
zero_rows           samples whose features have no direction
recall              share of the exact neighbours that an approximate search found, among the
                    features it searched; 1 for exact engines. recall_error: its standard error
project             values a sample after random projection, 0 without. exact is false with it
project_q_shift     Q with projection less Q without, on up to 1,000 of the samples; else empty
modularity_null_*   mean and sd of Q over 200 permutations of the labels on the same graph (the same
                    ones in all layers); modularity_z = (modularity − mean) / sd, and
                    modularity_p = (1 + permutations that reach modularity) / 201
modularity_low      2.5th percentile of Q over 200 draws of the nodes, each with its k links, and
modularity_high     the 97.5th (bootstrap; the same draws in all layers). Links are kept: other
                    samples spread wider
leiden_null_*       mean and sd of Leiden's Q over graphs rewired at equal degrees, and leiden_z;
                    empty without --rewirings
observed            share of the weight that links the two classes (class_a <= class_b: a table sums
                    to 1 a layer), and expected: 2 a_a a_b, or a_a² where they are one class
excess              observed / expected: 1 is what links that ignore classes give
z                   of observed − expected, over the same permutations
own_share           of `samples`: share of the weight of a sample's links that leads to its label,
                    in the last layer
settled_layer       first layer from which, up to the last one, own_share is above one half;
                    settled_index: its layer_index. Empty where it is not above in the last layer
lost                layers at which own_share falls to one half or less again
neighbor_label      label that holds most of the weight over all layers, weighted by Q²
score               share of the strongest other label less that of its own, weighted so: −1 to 1
suspect, rank       whether a sample never settles; place by suspect, then score, in its node set
=================== =============================================================================
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphs.communities import Agreement
from graphs.confidence import MANY_CLASSES, PermutationNull
from graphs.matching import Overlap
from graphs.modularity import Modularity
from graphs.neighbors.knn_graph import KnnGraph
from graphs.participation import participation
from graphs.snapshots import Snapshot


def layer_row(
    snapshot: Snapshot,
    knn: KnnGraph,
    where: Mapping[str, Any],
    *,
    classes: Modularity,
    found: Modularity,
    agreement: Agreement,
    null: PermutationNull,
    interval: tuple[float, float],
    rewired: NDArray[np.float64],
) -> pd.DataFrame:
    """Build the row of a layer in the table ``layers``.

    Parameters
    ----------
    snapshot, knn
        The undirected graph and the directed list of the layer.
    where : mapping
        Variant, repeat, layer index and layer: the first columns.
    classes, found : Modularity
        Of the true classes and of the Leiden communities.
    agreement : Agreement
        Of the two partitions.
    null : PermutationNull
        Of the true classes.
    interval : tuple of float
        Lower and upper end of their modularity.
    rewired : ndarray of float64
        Modularity of Leiden communities in rewired graphs; none where that was not asked for.
    """
    n_edges = len(snapshot.edges)
    row = {
        **where,
        "n_nodes": np.int32(snapshot.n_nodes),
        "k": np.int32(knn.k),
        "metric": knn.metric,
        "engine": knn.engine,
        "exact": bool(knn.exact),
        "modularity": classes.value,
        "modularity_max": classes.maximum,
        "inside_fraction": classes.inside_fraction,
        "n_edges": np.int64(n_edges),
        "n_components": np.int32(len(snapshot.graph.connected_components())),
        "n_communities": np.int32(len(found.classes)),
        "modularity_leiden": found.value,
        **agreement._asdict(),
        "assortativity": classes.assortativity,
        # a pair that chose each other is two positive links and one edge
        "mutual_fraction": (int(np.count_nonzero(knn.weights > 0)) - n_edges) / n_edges,
        "clipped": np.int64(classes.clipped),
        **_search_columns(knn),
        "modularity_null_mean": null.mean,
        "modularity_null_sd": null.sd,
        "modularity_z": null.score,
        "modularity_p": null.p,
        "modularity_low": interval[0],
        "modularity_high": interval[1],
        **_leiden_null(found.value, rewired),
    }
    return pd.DataFrame({name: [value] for name, value in row.items()})


def _search_columns(knn: KnnGraph) -> dict[str, object]:
    """How the neighbours were found."""
    shift = np.nan if knn.project_q_shift is None else knn.project_q_shift
    return {
        "zero_rows": np.int32(knn.zero_rows),
        "recall": knn.recall,
        "recall_error": knn.recall_error,
        "project": np.int32(knn.project),
        "project_q_shift": np.float64(shift),
    }


def _leiden_null(value: float, rewired: NDArray[np.float64]) -> dict[str, float]:
    mean = float(rewired.mean()) if len(rewired) else np.nan
    sd = float(rewired.std(ddof=1)) if len(rewired) > 1 else np.nan
    z = (value - mean) / sd if sd > 0 else np.nan
    return {"leiden_null_mean": mean, "leiden_null_sd": sd, "leiden_z": z}


def class_rows(
    where: Mapping[str, Any],
    classes: Modularity,
    *,
    names: "pd.Series[str]",
    overlap: Overlap,
) -> pd.DataFrame:
    """Build the rows of a layer in ``classes``, one a class, sorted by class.

    Parameters
    ----------
    where : mapping
        The first columns.
    classes : Modularity
        Of the true classes.
    names : Series
        Name of each class, indexed and sorted by class.
    overlap : Overlap
        Of classes and communities.
    """
    _, count = overlap.largest()
    return _rows(
        where,
        {
            "class": classes.classes.astype(np.int32),
            "class_name": names.to_numpy(),
            **_term_columns(classes),
            "purity": count / classes.sizes,
        },
    )


def pair_rows(
    where: Mapping[str, Any], null: PermutationNull, *, names: "pd.Series[str]"
) -> pd.DataFrame:
    """Build the rows of a layer in ``class_pairs``, one a pair of classes, a class with itself too.

    Of more than 100 classes only pairs that are linked.

    Parameters
    ----------
    where : mapping
        The first columns.
    null : PermutationNull
        Of the true classes.
    names : Series
        Name of each class, indexed and sorted by class.
    """
    first, second = np.triu_indices(len(null.classes))
    if len(null.classes) > MANY_CLASSES:
        linked = null.observed[first, second] > 0
        first, second = first[linked], second[linked]
    numbers, words = names.index.to_numpy(np.int32), names.to_numpy()
    return _rows(
        where,
        {
            "class_a": numbers[first],
            "class_a_name": words[first],
            "class_b": numbers[second],
            "class_b_name": words[second],
            "observed": null.observed[first, second],
            "expected": null.expected[first, second],
            "excess": null.excess[first, second],
            "z": null.z[first, second],
        },
    )


def community_rows(
    where: Mapping[str, Any],
    found: Modularity,
    *,
    matched: NDArray[np.int32],
    names: "pd.Series[str]",
    overlap: Overlap,
) -> pd.DataFrame:
    """Build the rows of a layer in ``communities``, one a community, largest first.

    Parameters
    ----------
    where : mapping
        The first columns.
    found : Modularity
        Of the Leiden communities.
    matched : ndarray of int32
        Number of each community that stays from layer to layer.
    names : Series
        Name of each class, indexed and sorted by class.
    overlap : Overlap
        Of communities and classes.
    """
    majority, count = overlap.largest()
    return _rows(
        where,
        {
            "community": found.classes.astype(np.int32),
            **_term_columns(found),
            "purity": count / found.sizes,
            "matched": matched,
            "majority_class": names.index.to_numpy()[majority].astype(np.int32),
            "majority_class_name": names.to_numpy()[majority],
        },
    )


def _term_columns(partition: Modularity) -> dict[str, NDArray[Any]]:
    return {
        "size": partition.sizes.astype(np.int32),
        "inside": partition.inside,
        "share": partition.share,
        "modularity_term": partition.terms,
        "conductance": partition.conductance,
    }


def node_rows(
    snapshot: Snapshot,
    where: Mapping[str, Any],
    *,
    labels: NDArray[np.int32],
    community: NDArray[np.int32],
    matched: NDArray[np.int32],
) -> pd.DataFrame:
    """Build the rows of a layer in ``nodes``, one a node, in node order.

    Parameters
    ----------
    snapshot : Snapshot
        The undirected graph of the layer.
    where : mapping
        The first columns.
    labels, community, matched : ndarray of int32, shape (n,)
        Class, Leiden community and matched community of every node.
    """
    n, ends = snapshot.n_nodes, snapshot.edges.ravel()
    weight = np.repeat(snapshot.weights, 2)
    same = np.repeat(labels[snapshot.edges[:, 0]] == labels[snapshot.edges[:, 1]], 2)
    return _rows(
        where,
        {
            "node": np.arange(n, dtype=np.int32),
            "community": community,
            "degree": np.bincount(ends, minlength=n).astype(np.int32),
            "strength": np.bincount(ends, weight, minlength=n),
            "own_class_weight": np.bincount(ends, weight * same, minlength=n),
            "core_number": np.array(snapshot.graph.coreness(), dtype=np.int32),
            "matched": matched,
            "participation": participation(snapshot, community),
        },
    )


def _rows(where: Mapping[str, Any], columns: Mapping[str, Any]) -> pd.DataFrame:
    """Columns of equal length, behind columns that say the same in every row."""
    length = len(next(iter(columns.values())))
    constant = {
        name: np.full(length, value) if isinstance(value, np.generic) else [value] * length
        for name, value in where.items()
    }
    return pd.DataFrame({**constant, **columns})
