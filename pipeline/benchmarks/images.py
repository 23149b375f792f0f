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
WEIGHTS = "weights/resnet20-12fca82f.th"
IMAGES = "cifar10/test.parquet"
SIDE = 32


@dataclass(frozen=True)
class Workload:
    """A network and decoded images for it.

    Attributes
    ----------
    network : Network
        ResNet20, with trained weights or random ones.
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

    def forward(self) -> Forward:
        """Make the network ready, as stage 1 does."""
        data = self.load()
        model = load_model(self.network.model, weights=self.network.weights)
        layers = resolve_layers(model, "blocks", data.images([0]))
        memory = parse_bytes(Machine().memory)
        return Forward.prepare(model, data, layers, memory=memory, device=torch.device("cpu"))


def prepare(setting: Setting, samples: int) -> Workload:
    """Choose images and weights, and put the images into the scratch folder.

    CIFAR-10 and published weights where the data folder has both; else scikit-learn's digits,
    enlarged, and random weights, which `Workload.text` says.

    Parameters
    ----------
    setting : Setting
        Data folder and scratch folder.
    samples : int
        How many images, at most 10,000.
    """
    root = setting.data
    real = root is not None and (root / IMAGES).is_file() and (root / WEIGHTS).is_file()
    if root is not None and real:
        data = load_data("parquet", path=root / IMAGES)
        pixels, labels = data.raw(np.arange(samples)), data.labels[:samples]
        weights, text = str(root / WEIGHTS), f"{samples} CIFAR-10 test images, trained {MODEL}"
    else:
        pixels, labels = _digits(samples)
        weights, text = "random", f"{samples} enlarged digits, untrained {MODEL} (no real data)"
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
    return Workload(Network(model=MODEL, weights=weights), images, text)


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
