"""`stratagraph inspect`: the layers of a network as a table."""

import sys
from pathlib import Path
from typing import Literal

import pandas as pd
from rich.console import Console
from rich.table import Table

from pipeline.inspection import inspect_model
from pipeline.models import load_model
from pipeline.pruning.saved import is_saved, read_architecture

SHAPE = (3, 32, 32)


def inspect_layers(
    model: str,
    *,
    layers: str = "blocks",
    input_shape: tuple[int, int, int] | None = None,
    classes: int = 10,
    format: Literal["table", "csv"] = "table",  # noqa: A002 (the option's name)
) -> None:
    """List the layers of a network.

    Index, name, type, output shape, values per sample, parameters and multiply-accumulates. The
    names are what --layers takes.

    Parameters
    ----------
    model
        A name (`resnet20`, `vgg16`, `torchvision:resnet50`, ...), your own `file.py:factory`, or
        the `model.pt` of a pruned network.
    layers
        `blocks`, `reference`, `all`, or names with wildcards, separated by commas.
    input_shape
        Channels, height and width of an image; 3 32 32 where the network does not say.
    classes
        Number of classes.
    format
        `table` to read, `csv` for other programs.
    """
    own = read_architecture(Path(model)).input_shape if is_saved(model) else SHAPE
    shape = input_shape or own
    network = load_model(model, classes=classes, input_shape=shape)
    frame = inspect_model(network, shape, layers=layers)
    if format == "csv":
        sys.stdout.write(frame.to_csv(index=False))
        return
    Console().print(_table(frame, title=model))
    sys.stdout.write(
        f"total     {frame.attrs['parameters']:,} parameters, {frame.attrs['macs']:,} MACs\n"
        f"after it  {frame.attrs['after_parameters']:,} parameters, "
        f"{frame.attrs['after_macs']:,} MACs (what follows the last layer)\n"
    )


def _table(frame: pd.DataFrame, *, title: str) -> Table:
    """Lay the layers out; numbers to the right."""
    table = Table(title=title, box=None, pad_edge=False, title_justify="left")
    for column in frame.columns:
        number = column in ("index", "values", "parameters", "macs")
        table.add_column(
            column,
            justify="right" if number else "left",
            overflow="fold" if column == "name" else "ellipsis",
        )
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
    return table
