"""What an attack needs: images as pixels, and the network that takes them."""

from dataclasses import dataclass, replace

import numpy as np

from graphs.errors import DataError
from graphs.files import digest_json
from pipeline.data import ImageData, draw_samples
from pipeline.data.arrays import ArraySource
from pipeline.data.normalization import parse_normalization
from pipeline.devices import memory_budget, resolve_device
from pipeline.identity import describe
from pipeline.opening import open_images, open_network
from pipeline.options import Features, Images, Machine, Network
from pipeline.studies.attacks.target import Target


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A network and its images.

    Attributes
    ----------
    data : ImageData
        The images as the network takes them.
    raw : ImageData
        The same in [0, 1], not normalised.
    target : Target
        The network, with the normalisation in front.
    inputs : str
        Digest of network and images.
    """

    data: ImageData
    raw: ImageData
    target: Target
    inputs: str


def open_scene(network: Network, images: Images, features: Features, *, machine: Machine) -> Scene:
    """Open the images and the network.

    Raises
    ------
    DataError
        When images cannot be had, or their pixels do not lie in [0, 1].
    ModelError, WeightsError, LayerError
        When the network cannot be had, gives no logits, or has no such layers.
    ResourceError
        When there is no such device.
    """
    memory = memory_budget(machine.memory)
    device = resolve_device(machine.device)
    data = open_images(network, images)
    raw = replace(data, normalization=parse_normalization("none"))
    check_pixels(raw)
    draw_samples(data.labels, len(data), 1, seed=images.seed)  # complains of a bad seed
    model, _ = open_network(network, images, features, data=data)
    inputs = digest_json(describe(network, images, Features(), data=data, model=model))
    target = Target(model, data, device, memory=memory)
    return Scene(data=data, raw=raw, target=target, inputs=inputs)


def check_pixels(raw: ImageData) -> None:
    """Check that images of floats lie in [0, 1].

    Raises
    ------
    DataError
        When they were normalised already: an attack must know what a pixel can be.
    """
    if not isinstance(raw.source, ArraySource) or raw.source.pixels.dtype == np.uint8:
        return  # sources that read files give bytes
    low, high = float(raw.source.pixels.min()), float(raw.source.pixels.max())
    if low < 0 or high > 1:
        raise DataError(
            f"the images of {raw.name} go from {low:g} to {high:g}, attacks need pixels in 0 to 1",
            "give them before normalisation, and say how with --normalize",
        )
