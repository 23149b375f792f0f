"""The options that commands share. Each group is one keyword of a stage function.

Field names are the option names of the command line, and scripts rely on them. `sort_key` puts the
groups into the order of the stages in the help.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from cyclopts import Group, Parameter

from graphs.neighbors.knn import Engine
from graphs.neighbors.knn_graph import Device, IndexName, Metric
from pipeline.data import DatasetName, Sampling
from pipeline.layer_info import Pool

COLOURS = 3
Flag = Annotated[bool, Parameter(negative="", show_default=False)]


@Parameter(name="*", group=Group("Network", sort_key=1))
@dataclass(frozen=True, kw_only=True)
class Network:
    """Which network.

    Attributes
    ----------
    model
        A name (`resnet20`, `vgg16`, `torchvision:resnet50`, ...), your own `file.py:factory`, or
        the `model.pt` of a pruned network.
    weights
        A checkpoint file, `default` (torchvision's own), or `random` (untrained; a pruned network
        keeps its own).
    """

    model: str
    weights: str = "random"


@Parameter(name="*", group=Group("Images", sort_key=2))
@dataclass(frozen=True, kw_only=True)
class Images:
    """Which images, and how they are drawn.

    Attributes
    ----------
    dataset
        Where the images come from; `digits` comes with scikit-learn and needs no files.
    data
        File or folder of the data set.
    split
        Which part of it. A single file is one part, read whatever this says.
    image_size
        For image files of different sizes: shorter side resized to so many pixels, then cropped
        to a square.
    normalize
        `none`, the name of a data set, or `m,m,m/s,s,s`: means and standard deviations. `auto`
        takes those of the data set where they are known, else `none`.
    samples
        Images per repeat: the nodes of every graph.
    repeats
        How many node sets are drawn.
    sampling
        `random`, `stratified` (equal shares a class), or `sequential` (in file order).
    seed
        Seed of the drawing, and of everything random after it.
    """

    dataset: DatasetName = "digits"
    data: Path | None = None
    split: str = "test"
    image_size: int | None = None
    normalize: str = "auto"
    samples: int = 500
    repeats: int = 5
    sampling: Sampling = "random"
    seed: int = 0


@Parameter(name="*", group=Group("Layers", sort_key=3))
@dataclass(frozen=True, kw_only=True)
class Features:
    """Which features.

    Attributes
    ----------
    layers
        `blocks` (each residual block, or convolution with its normalisation and activation),
        `reference` (as the published code: the stem and single convolutions before
        normalisation), `all`, or names with wildcards, separated by commas.
    pool
        `avg` over the map, `cls` token, `mean` over tokens, or `none`: everything, flattened.
    dtype
        How values are stored.
    """

    layers: str = "blocks"
    pool: Pool = "none"
    dtype: Literal["float32", "float16"] = "float32"


@Parameter(name="*", group=Group("Neighbours", sort_key=4))
@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Which neighbours.

    Attributes
    ----------
    k
        Neighbours of each sample.
    metric
        `cosine` or `pearson`.
    engine
        `auto` (chosen by the number of samples and of values), `certified`, `faiss`, or
        `reference` (NumPy in float64, slow): all give the same neighbours. `hnsw` and `ivf` are
        faster for very many samples and miss some.
    recall
        With `hnsw` or `ivf`: the share of the neighbours to find, such as 0.95. The cheapest
        setting that does is looked for.
    project
        Project activations at random to so many values first, where they have more.
    """

    k: int = 3
    metric: Metric = "cosine"
    engine: Engine = "auto"
    recall: float | None = None
    project: int | None = None

    def digested(self, *, seed: int) -> dict[str, Any]:
        """Return what edges depend on, the names as on the command line."""
        options: dict[str, Any] = {
            "k": self.k,
            "metric": self.metric,
            # not what auto stands for: that is settled layer by layer, and changes no neighbour
            "engine": self.engine,
        }
        chosen = {"recall": self.recall, "project": self.project}
        options |= {name: value for name, value in chosen.items() if value is not None}
        if self.project is not None or self.engine in get_args(IndexName):
            options["seed"] = seed
        return options


@Parameter(name="*", group=Group("Files of stage 3", sort_key=5))
@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What stage 3 writes beside the tables.

    Attributes
    ----------
    gzip
        Compress the graph files. Gephi opens them, Gephi Lite does not.
    published
        CSV of published curves, drawn behind yours where network and data set match.
    rewirings
        Compare Leiden's optimum with that of so many graphs of the same degrees, linked at random;
        20 take 2 seconds a layer and repeat for 1,000 samples.
    """

    gzip: Flag = False
    published: Path | None = None
    rewirings: int = 0


@Parameter(name="*", group=Group("Way of working", sort_key=7))
@dataclass(frozen=True, kw_only=True)
class Work:
    """How a command goes about it.

    Attributes
    ----------
    force
        Do finished work again; stage 1 also replaces another run in the folder.
    progress
        Show progress bars; they are off anyway where the output is no terminal.
    """

    force: Flag = False
    progress: bool = True


@Parameter(name="*", group=Group("Machine", sort_key=6))
@dataclass(frozen=True, kw_only=True)
class Machine:
    """What the work may use.

    Attributes
    ----------
    memory
        What activations may take at a time, such as `4GiB`; with Ray, in each of its processes.
    device
        `auto` takes a GPU where there is one.
    executor
        `local`, or `ray`: processes on one machine or many.
    ray_address
        `HOST:PORT` of a Ray cluster, `auto` for one that runs on this machine, `local` for one
        that lasts as long as the command (default: the environment variable RAY_ADDRESS, else
        `local`).
    """

    memory: str = "4GiB"
    device: Device = "auto"
    executor: Literal["local", "ray"] = "local"
    ray_address: str | None = None


def brings_weights(model: str) -> bool:
    """Whether a network may have trained weights without --weights: a file may bring them.

    Examples
    --------
    >>> brings_weights("resnet20"), brings_weights("net.py:net"), brings_weights("out/model.pt")
    (False, True, True)
    """
    return ".py:" in model or model.endswith(".pt")


def channels_for(model: str) -> int | None:
    """Return how many channels a network asks for, where its name says so.

    torchvision's networks take three: grey images are repeated for them, as for pruned networks
    that were cut for three.
    """
    if model.endswith(".pt"):
        from pipeline.pruning.saved import read_architecture

        return COLOURS if read_architecture(Path(model)).input_shape[0] == COLOURS else None
    return COLOURS if model.startswith("torchvision:") else None
