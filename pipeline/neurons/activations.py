"""What hidden neurons put out for a sample of images."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.data import ImageData
from pipeline.hooks import capture
from pipeline.neurons.channel_flow import width_of
from pipeline.training.batches import Batches
from pipeline.training.evaluation import fit_model

BATCH = 1000


def neuron_activations(
    model: nn.Module,
    data: ImageData,
    layers: Sequence[str],
    *,
    samples: int = 5000,
    seed: int = 0,
    device: torch.device | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Collect what the neurons of some layers put out.

    Parameters
    ----------
    model : Module
        Left as it was.
    data : ImageData
        Where images are drawn from.
    layers : sequence of str
        Names of linear or convolutional layers. A channel's map becomes its mean absolute value.
    samples : int
        Images to draw, at most all.
    seed : int
        Of the drawing.
    device : torch.device, optional
        By default the CPU.

    Returns
    -------
    dict of str to ndarray of float32, shape (samples, units)
        In the order of `layers`: what comes before the activation function (Hod et al. 2021).

    Raises
    ------
    LayerError
        When there is no such layer.
    ModelError
        When the network does not fit the images.
    """
    place = device or torch.device("cpu")
    memory_format = fit_model(model, data, device=place)
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.permutation(len(data))[:samples])
    batches = Batches.of(data, place)
    modules = dict(model.named_modules())
    found: dict[str, list[Tensor]] = {name: [] for name in layers}
    with capture(model, list(layers)) as captured:
        for images, _ in batches.iterate(torch.from_numpy(chosen), BATCH):
            model(images.contiguous(memory_format=memory_format))
            for name in layers:
                output, module = captured.outputs[name], modules[name]
                if not isinstance(module, nn.Linear):
                    maps = output.reshape(len(output), width_of(module), -1)
                    output = maps.abs().mean(dim=2)
                found[name].append(output)
    return {name: torch.cat(parts).cpu().numpy() for name, parts in found.items()}
