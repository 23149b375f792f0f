"""The images and the network that the options name: the same on every machine."""

from torch import nn

from pipeline.data import ImageData, load_data
from pipeline.hooks import require_pool, resolve_layers
from pipeline.layer_info import LayerInfo
from pipeline.models import load_model
from pipeline.options import Features, Images, Network, channels_for


def open_images(network: Network, images: Images) -> ImageData:
    """Open the data set, with as many channels as the network takes.

    Raises
    ------
    DataError
        When it cannot be had.
    """
    return load_data(
        images.dataset,
        path=images.data,
        split=images.split,
        normalize=images.normalize,
        channels=channels_for(network.model),
        size=images.image_size,
    )


def open_network(
    network: Network, images: Images, features: Features, *, data: ImageData
) -> tuple[nn.Module, tuple[LayerInfo, ...]]:
    """Build the network for these images and find its layers.

    Raises
    ------
    ModelError, WeightsError, LayerError
        When the network, its weights or its layers cannot be used.
    """
    model = load_model(
        network.model,
        weights=network.weights,
        classes=len(data.label_names),
        input_shape=data.input_shape,
        seed=images.seed,
    )
    layers = resolve_layers(model, features.layers, data.images([0]))
    require_pool(layers, features.pool)
    return model, layers
