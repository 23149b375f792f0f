"""What the study of settings varies: one at a time, the others as given."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from cyclopts import Group, Parameter

from graphs.errors import GraphError
from graphs.files import digest_json
from graphs.neighbors.knn import check_k
from graphs.neighbors.knn_graph import Metric
from pipeline.console import log
from pipeline.data import ImageData, draw_samples
from pipeline.layer_info import Pool
from pipeline.studies.variants import Variant

# Lu et al. 2022: k at N = 500, N at k = 3, and large k in the appendix
PAPER_KS = "3,5,7,9,11,20,50,100"
PAPER_SAMPLES = "200,500,1000,2000,5000"
_LONGEST = 24  # of the layers in the name of a folder


@Parameter(name="*", group=Group("Grid", sort_key=4.5))
@dataclass(frozen=True, kw_only=True)
class Grid:
    """What is varied: one setting at a time, the others as given above.

    Attributes
    ----------
    ks
        Values of k, separated by commas; `none` leaves it as it is, here and below. Without this
        option, those of the paper that fit the samples.
    sizes
        Values of --samples. Without this option, those of the paper that the data has images for.
    metrics
        `cosine`, `pearson`.
    presets
        Values of --layers, separated by `;`, such as `blocks;all`.
    pools
        Values of --pool.
    published
        CSV of published curves, drawn behind yours where network and data set match.
    """

    ks: str | None = None
    sizes: str | None = None
    metrics: str = "cosine,pearson"
    presets: str = "none"
    pools: str = "none"
    published: Path | None = None


@dataclass(frozen=True)
class Setting:
    """One value of one varied setting, and the variant that has it.

    Attributes
    ----------
    varied : str
        ``k``, ``samples``, ``metric``, ``layers``, ``pool`` or ``repeat``.
    value : str
        The value as the user would write it.
    variant : Variant
        How it is measured.
    repeat : int or None
        The one of its repeats that counts; None for all.
    """

    varied: str
    value: str
    variant: Variant
    repeat: int | None = None


def vary(base: Variant, grid: Grid, data: ImageData) -> Iterator[Setting]:
    """Give every setting of the grid. Settings that mean the same variant have the same name.

    Raises
    ------
    GraphError, DataError
        When a value makes no sense or does not fit the data.
    """
    for k in _ks(grid, base):
        yield _setting("k", k, replace(base, neighbours=replace(base.neighbours, k=k)))
    for size in _sizes(grid, base, data):
        yield _setting("samples", size, replace(base, images=replace(base.images, samples=size)))
    for metric in _choices(grid.metrics, "--metrics", get_args(Metric)):
        changed = replace(base.neighbours, metric=cast("Metric", metric))
        yield _setting("metric", metric, replace(base, neighbours=changed))
    for preset in _words(grid.presets, ";"):
        yield _setting(
            "layers", preset, replace(base, features=replace(base.features, layers=preset))
        )
    for pool in _choices(grid.pools, "--pools", get_args(Pool)):
        pooled = replace(base.features, pool=cast("Pool", pool))
        yield _setting("pool", pool, replace(base, features=pooled))
    # one against another: means of the first 1, 2, ... share repeats, so that even noise is alike
    for repeat in range(base.images.repeats) if base.images.repeats > 1 else ():
        yield replace(_setting("repeat", repeat, base), repeat=repeat)


def _setting(varied: str, value: object, changed: Variant) -> Setting:
    """Name a variant by all that can be varied, so that no two names mean the same."""
    images, features, near = changed.images, changed.features, changed.neighbours
    run = f"n-{images.samples:05d}-{_file_name(features.layers)}-{features.pool}"
    check_k(near.k, images.samples)
    variant = replace(
        changed,
        run=run,
        name=f"{run}-{near.metric}-k-{near.k:03d}",
        settings={"layers_option": features.layers, "pool": features.pool},
    )
    return Setting(varied, str(value), variant)


def _file_name(layers: str) -> str:
    """Return what stands for layers in the name of a folder: short, and of no others."""
    if layers.isalnum() and len(layers) <= _LONGEST:
        return layers
    plain = "".join(sign if sign.isalnum() else "_" for sign in layers[:_LONGEST])
    return f"{plain}-{digest_json(layers)[:6]}"


def _ks(grid: Grid, base: Variant) -> list[int]:
    """Return the values of k: those that were asked for, or those that fit."""
    samples = base.images.samples
    if grid.ks is not None:
        given = _numbers(grid.ks, "--ks")
        if given and given[-1] >= samples:
            raise GraphError(
                f"--ks {given[-1]} needs at least {given[-1] + 1} samples, there are {samples}",
                "leave it out or raise --samples",
            )
        return given
    ks = _numbers(PAPER_KS, "--ks")
    fitting = [k for k in ks if k < samples]
    if len(fitting) < len(ks):
        log.warning(
            "%d samples: k %s are left out",
            samples, ", ".join(str(k) for k in ks if k not in fitting),
        )  # fmt: skip
    return fitting if len(fitting) > 1 else []


def _sizes(grid: Grid, base: Variant, data: ImageData) -> list[int]:
    """Return the values of --samples: those that were asked for, or those that fit."""
    if grid.sizes is not None:
        sizes = _numbers(grid.sizes, "--sizes")
        for size in sizes:  # too many or too few are an error before any work
            if size <= (k := base.neighbours.k):
                raise GraphError(
                    f"--sizes {size} is too few for k={k}", "leave it out or lower --k"
                )
            draw_samples(data.labels, size, 1, sampling=base.images.sampling)
        return sizes
    sizes = _numbers(PAPER_SAMPLES, "--sizes")
    fitting = [size for size in sizes if base.neighbours.k < size <= len(data)]
    if len(fitting) < len(sizes):
        log.warning(
            "%s has %d images: samples %s are left out",
            data.name, len(data), ", ".join(str(size) for size in sizes if size not in fitting),
        )  # fmt: skip
    return fitting if len(fitting) > 1 else []


def _words(text: str, sign: str = ",") -> list[str]:
    words = [word.strip() for word in text.split(sign) if word.strip()]
    return [] if words == ["none"] else words


def _choices(text: str, option: str, allowed: tuple[str, ...]) -> list[str]:
    # a pooling is called none, too: with another value beside it, it is meant
    for word in _words(text):
        if word not in allowed:
            raise GraphError(
                f"{option}: {word!r} is not one of its values", f"use {', '.join(allowed)}"
            )
    return _words(text)


def _numbers(text: str, option: str) -> list[int]:
    words = _words(text)
    for word in words:
        if not word.isdecimal() or int(word) < 1:
            raise GraphError(
                f"{option}: {word!r} is no whole number above 0", f"write {option} 3,5,7"
            )
    return sorted({int(word) for word in words})
