from pathlib import Path

import numpy as np
import pytest

from pipeline.options import Features, Images, Machine, Network
from pipeline.studies.attacks.scene import open_scene

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def open_named():
    """Open a network of networks.py on the digits."""

    def opened(name, **images):
        network = Network(model=f"{HERE / 'networks.py'}:{name}")
        return open_scene(network, Images(**images), Features(), machine=Machine(device="cpu"))

    return opened


@pytest.fixture(scope="session")
def scene(open_named):
    return open_named("nearest_mean")


@pytest.fixture(scope="session")
def right(scene):
    """Twelve digits that the network hardly gets right, with their classes."""
    pixels = scene.raw.images(np.arange(300)).numpy()
    labels = scene.raw.labels[:300]
    logits = np.sort(scene.target.logits(pixels), axis=1)
    lead = np.where(scene.target.predict(pixels) == labels, logits[:, -1] - logits[:, -2], np.inf)
    chosen = np.argsort(lead, kind="stable")[:12]
    return pixels[chosen], labels[chosen]
