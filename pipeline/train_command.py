"""`stratagraph train`: the paper's recipe on a data set."""

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from graphs.neighbors import Device
from pipeline.console import plural, show_table
from pipeline.data import DatasetName, load_data
from pipeline.devices import require_writable, resolve_device
from pipeline.models import load_model
from pipeline.options import Flag, channels_for
from pipeline.progress import skip_stage, stage
from pipeline.training import Recipe, train


@stage("train")
def train_network(
    out: Path,
    *,
    model: str,
    weights: str = "random",
    dataset: DatasetName = "digits",
    data: Path | None = None,
    normalize: str = "auto",
    recipe: Annotated[
        Recipe | None, Parameter(name="*", group=Group("Recipe", sort_key=10))
    ] = None,
    checkpoint_every: int | None = None,
    device: Device = "auto",
    force: Flag = False,
    progress: bool = True,
) -> Path:
    """Train a network by the paper's recipe.

    Trains on the split `train`, measures accuracy on `test`. The state is saved after every
    epoch: the same command goes on after an interruption.

    Parameters
    ----------
    out
        Folder for `weights.pt` (what --weights takes), `history.csv` and checkpoints.
    model
        A name (`resnet20`, `vgg16`, ...), your own `file.py:factory`, or the `model.pt` of a
        pruned network.
    weights
        Where to start: a checkpoint, `default` (torchvision's own), or `random` (a pruned network
        starts from its own).
    dataset
        Where the images come from.
    data
        File or folder of the data set.
    normalize
        `auto`, `none`, the name of a data set, or `m,m,m/s,s,s`.
    recipe
        Epochs, batch size, learning rate and so on.
    checkpoint_every
        Also keep the weights of every so many epochs.
    device
        `auto` takes a GPU where there is one.
    force
        Begin anew.
    progress
        Show a progress bar.

    Returns
    -------
    Path
        The file with the trained weights.
    """
    recipe = recipe or Recipe()
    place = resolve_device(device)
    require_writable(out)
    channels = channels_for(model)
    images = {
        split: load_data(dataset, path=data, split=split, normalize=normalize, channels=channels)
        for split in ("train", "test")
    }
    train_data = images["train"]
    classes = len(train_data.label_names)
    network = load_model(
        model,
        weights=weights,
        classes=classes,
        input_shape=train_data.input_shape,
        seed=recipe.seed,
    )
    result = train(
        network,
        train_data,
        images["test"],
        out=out,
        recipe=recipe,
        device=place,
        architecture={"model": model, "classes": classes, "input_shape": train_data.input_shape},
        checkpoint_every=checkpoint_every,
        force=force,
        progress=progress,
    )
    reached = f"test accuracy {result.test_accuracy:.4f} after {plural(recipe.epochs, 'epoch')}"
    rows = result.history.to_dict("records")
    show_table("training", reached, test_accuracy=result.test_accuracy, rows=rows)
    if result.resumed_from == recipe.epochs:
        skip_stage()
    return result.weights
