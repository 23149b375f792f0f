"""Published curves: those of a network, or the nearest there are."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from graphs.errors import TableError
from graphs.frames import require_columns

SOURCE = "Lu et al. 2022"


def published_curve(
    path: str | Path, *, model: str, dataset: str, figure: str = "modularity_curve"
) -> pd.DataFrame:
    """Select the published curve of a network and data set from a table of such curves.

    Parameters
    ----------
    path : str or Path
        CSV with the columns ``figure, model, dataset, setting, x, Q, precision``; x counts the
        layers from 1.
    model, dataset : str
        Names in any common spelling: ``resnet18``, ``ResNet-18``; ``cifar10``, ``CIFAR-10``.
    figure : str
        Which rows: ``modularity_curve``, or ``ablation`` (settings ``k=5``, ``N=200``, ...).

    Returns
    -------
    DataFrame
        Rows of that figure, by setting and x; no rows where nothing matches.

    Raises
    ------
    TableError
        When the file cannot be read or lacks a column.
    """
    curves = read_published(path)
    chosen = (
        (curves["figure"] == figure)
        & (curves["model"].map(_plain) == _plain(model))
        & (curves["dataset"].map(_plain) == _plain(dataset))
    )
    return curves[chosen].sort_values(["setting", "x"], kind="stable").reset_index(drop=True)


def read_published(path: str | Path) -> pd.DataFrame:
    """Read a table of published curves.

    Raises
    ------
    TableError
        When the file cannot be read or lacks a column.
    """
    if not Path(path).exists():
        raise TableError(f"{path} does not exist", "give the file with the published curves")
    try:
        curves = pd.read_csv(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TableError(
            f"{path} cannot be read as CSV ({reason})", "give the file with the published curves"
        ) from error
    require_columns(curves, Path(path).name, ["figure", "model", "dataset", "setting", "x", "Q"])
    return curves


@dataclass(frozen=True, kw_only=True, eq=False)
class Published:
    """Published rows, and the network that they are of.

    Attributes
    ----------
    rows : DataFrame
        ``setting, x, Q``.
    model, dataset : str
        As the file spells them.
    layers : int
        How many the network has.
    same : bool
        Whether network and data set are the ones that were asked for.
    """

    rows: pd.DataFrame
    model: str
    dataset: str
    layers: int
    same: bool

    @property
    def title(self) -> str:
        """What to call them in a figure or a sentence."""
        return f"{self.model}, {self.dataset} ({SOURCE})"


def nearest_published(
    path: str | Path, *, model: str, datasets: list[str], figure: str
) -> Published:
    """Select the published rows of a network and data set, or of the nearest ones in the file.

    Parameters
    ----------
    path : str or Path
        CSV as `published_curve` takes it.
    model : str
        Name of the network, in any common spelling.
    datasets : list of str
        Names that the data set may have.
    figure : str
        Which rows: ``adversarial`` or ``epochs``.

    Returns
    -------
    Published
        Of the same data set before others, then of the same network, then of the same family
        (``resnet``, ``vgg``), then the first of the file.

    Raises
    ------
    TableError
        When the file cannot be read, lacks a column or has no such rows.
    """
    curves = read_published(path)
    rows = curves[curves["figure"] == figure]
    if rows.empty:
        raise TableError(
            f"{path} has no rows of figure {figure!r}", "give the file with the published curves"
        )
    wanted = _plain(model)
    names = rows[["model", "dataset"]].drop_duplicates()
    near = pd.DataFrame(
        {
            "dataset": names["dataset"].map(_plain).isin([_plain(n) for n in datasets]),
            "model": names["model"].map(_plain) == wanted,
            "family": names["model"].map(_family) == _family(model),
        }
    )
    best = near.sort_values(["dataset", "model", "family"], ascending=False, kind="stable").index[0]
    found = names.loc[best]
    chosen = (rows["model"] == found["model"]) & (rows["dataset"] == found["dataset"])
    whole = curves[(curves["model"] == found["model"]) & (curves["figure"] != "epochs")]
    return Published(
        rows=rows[chosen].sort_values(["setting", "x"], kind="stable", ignore_index=True),
        model=str(found["model"]),
        dataset=str(found["dataset"]),
        layers=int(whole["x"].max()) if len(whole) else 0,
        same=bool(near.loc[best, "dataset"] and near.loc[best, "model"]),
    )


def _family(model: str) -> str:
    """Return the letters that a name begins with: ``vgg``."""
    found = re.match("[a-z]+", _plain(model))
    return found.group() if found else ""


def _plain(name: object) -> str:
    """Spelling that does not matter: case, signs, where the network comes from, the BN suffix."""
    bare = str(name).lower().removeprefix("torchvision:").removesuffix("_bn")
    return re.sub(r"[^a-z0-9]", "", bare)
