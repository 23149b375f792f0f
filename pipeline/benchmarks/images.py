"""Images and a network for the benchmarks: the real ones where they are there."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.benchmarks.setting import Setting
from pipeline.data import ImageData, load_data
from pipeline.devices import parse_bytes
from pipeline.forward import Forward
from pipeline.hooks import resolve_layers
from pipeline.models import load_model
from pipeline.options import Images, Machine, Network

MODEL = "resnet20"
WEIGHTS = {
    "resnet20": "weights/resnet20-12fca82f.th",
    "resnet44": "weights/resnet44-014dd654.th",
}
IMAGES = "cifar10/test.parquet"
SIDE = 32
DIRECTIONS = 64
CLASSES = 10
BLOCK = 1000


@dataclass(frozen=True)
class Workload:
    """A network and decoded images for it.

    Attributes
    ----------
    network : Network
        ResNet20 or 44, with trained weights or random ones.
    images : Images
        An archive of decoded images, so that no side spends time on decoding.
    text : str
        What they are.
    """

    network: Network
    images: Images
    text: str

    def load(self) -> ImageData:
        """Open the images."""
        chosen = self.images
        return load_data(chosen.dataset, path=chosen.data, normalize=chosen.normalize)

    def forward(self, spec: str = "blocks") -> Forward:
        """Make the network ready, as stage 1 does, to give the layers that `spec` means."""
        data = self.load()
        model = load_model(self.network.model, weights=self.network.weights)
        layers = resolve_layers(model, spec, data.images([0]))
        memory = parse_bytes(Machine().memory)
        return Forward.prepare(model, data, layers, memory=memory, device=torch.device("cpu"))


def prepare(setting: Setting, samples: int, *, model: str = MODEL) -> Workload:
    """Choose images and weights, and put the images into the scratch folder.

    CIFAR-10 and published weights where the data folder has both; else scikit-learn's digits,
    enlarged, and random weights, which `Workload.text` says.

    Parameters
    ----------
    setting : Setting
        Data folder and scratch folder.
    samples : int
        How many images, at most 10,000.
    model : str
        ``resnet20`` or ``resnet44``.
    """
    root = setting.data
    if root is not None and has_real_data(setting, model):
        data = load_data("parquet", path=root / IMAGES)
        pixels, labels = data.raw(np.arange(samples)), data.labels[:samples]
        weights, text = str(root / WEIGHTS[model]), f"{samples} CIFAR-10 test images, {model}"
    else:
        pixels, labels = _digits(samples)
        weights, text = "random", f"{samples} enlarged digits, untrained {model} (no real data)"
    archive = setting.scratch / "images.npz"
    np.savez(archive, x=pixels, y=labels)
    images = Images(
        dataset="arrays",
        data=archive,
        normalize="imagenet",
        samples=samples,
        repeats=1,
        sampling="sequential",
    )
    return Workload(Network(model=model, weights=weights), images, text)


def has_real_data(setting: Setting, model: str = MODEL) -> bool:
    """Whether the data folder holds real images and the network's trained weights."""
    root = setting.data
    return root is not None and (root / IMAGES).is_file() and (root / WEIGHTS[model]).is_file()


def synthetic_features(samples: int, values: int) -> NDArray[np.float32]:
    """Draw features like those after a ReLU: none negative, a common mean, classes, few directions.

    The strength of the directions falls as 1/j, as the spectra of trained layers do, more or less.

    Examples
    --------
    >>> x = synthetic_features(20, 6)
    >>> x.shape, x.dtype, float(x.min())
    ((20, 6), dtype('float32'), 0.0)
    """
    rng = np.random.default_rng(0)
    strength = 1 / np.arange(1, DIRECTIONS + 1, dtype=np.float32)
    classes = rng.normal(size=(CLASSES, DIRECTIONS)).astype(np.float32)
    places = classes[np.arange(samples) % CLASSES]
    places += rng.standard_normal((samples, DIRECTIONS), np.float32)
    directions = rng.standard_normal((DIRECTIONS, values), np.float32)
    found: NDArray[np.float32] = np.matmul(places * strength, directions, dtype=np.float32)
    found += 2 * rng.standard_normal(values, np.float32)
    for rows in np.array_split(found, -(-samples // BLOCK)):
        rows += rng.standard_normal(rows.shape, np.float32) / 4
        np.maximum(rows, 0, out=rows)
    return found


def _digits(samples: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Digits of 32 x 32 in three channels; repetitions are shifted, so that no two are alike."""
    sets = [load_data("digits", split=split) for split in ("train", "test")]
    pixels = np.concatenate([data.raw(np.arange(len(data))) for data in sets])
    labels = np.concatenate([data.labels for data in sets])
    times = SIDE // pixels.shape[1]
    large = np.repeat(np.repeat(np.repeat(pixels, times, axis=1), times, axis=2), 3, axis=3)
    copies = -(-samples // len(large))
    shifted = np.concatenate([np.roll(large, shift, axis=2) for shift in range(copies)])
    return shifted[:samples], np.tile(labels, copies)[:samples]
