"""Figures: a tidy table in, matplotlib Axes out. No file is written and no window opened.

Colours are those of seaborn's ``colorblind`` and ``vlag`` palettes and of viridis, told apart by
colour-blind readers. No global style is touched.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from graphs.frames import require_columns, require_one
from graphs.plot_axes import NAMED_LAYERS, label_cells, label_layers, new_axes, shorten, thin
from graphs.published import SOURCE

PERMUTED = "labels permuted (mean ± 2 SD)"


def plot_curve(
    layers: pd.DataFrame,
    ax: Axes | None = None,
    *,
    hue: str | None = None,
    value: str = "modularity",
    published: pd.DataFrame | None = None,
) -> Axes:
    """Draw modularity against depth, with its spread and what permuted labels give.

    The band is one standard deviation over the repeats; of one repeat, what 95 % of the bootstrap
    draws give, which is narrower than the spread of other samples. What permuted labels give, mean
    and two standard deviations, is drawn behind a line that is alone. Tables without these columns
    are drawn without.

    Parameters
    ----------
    layers : DataFrame
        The table ``layers``, of one run or of several (then with a column ``run``).
    ax : Axes, optional
        Where to draw; a new figure without it.
    hue : str, optional
        Column that tells the lines apart; without it ``run`` where the table has that column,
        else ``variant``. Where both differ, dashes tell the other one.
    value : str
        Column to draw, ``modularity_leiden`` or ``ami`` for example.
    published : DataFrame, optional
        Curves to draw behind in grey, from `graphs.published.published_curve`.

    Returns
    -------
    Axes
        With the layers' names on the axis up to 20 layers, their indices beyond.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.

    Notes
    -----
    The curve of Lu et al. 2022, figure 3. The standard deviations are those of samples (n − 1).
    """
    hue = hue or ("run" if "run" in layers.columns else "variant")
    require_columns(layers, "layers", ["repeat", "layer_index", "layer", hue, value])
    ax = ax if ax is not None else new_axes(width=7.0, height=4.2)
    if published is not None and not published.empty:
        _draw_published(published, ax)
    lines = _draw_lines(layers, ax, hue=hue, value=value)
    label_layers(ax, layers)
    ax.set_ylabel("modularity Q of the classes" if value == "modularity" else value)
    ax.grid(axis="y", color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    sns.despine(ax=ax)
    alone = len(layers[lines].drop_duplicates()) == 1
    title = _spread(layers, lines)
    if alone and value == "modularity":
        title = title or _draw_interval(layers, ax)
        _draw_null(layers, ax)
    _curve_legend(ax, title=title, alone=alone, named=hue != "variant")
    return ax


def plot_classes(classes: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw each class's part in Q against depth as a heat map, mean over the repeats.

    Parameters
    ----------
    classes : DataFrame
        The table ``classes`` of one variant.
    ax : Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    Axes
        One row a class, one column a layer; the colour is e_cc − a_c², white at 0, red above;
        blue and a dash below. A column sums to Q.

    Raises
    ------
    TableError
        When a column is missing, the table has no rows, or more than one variant or run.

    Notes
    -----
    The term of Newman & Girvan 2004, eq. 5. A class reaches at most a_c(1 − a_c).
    """
    require_columns(
        classes, "classes", ["layer_index", "layer", "class", "class_name", "modularity_term"]
    )
    require_one(classes, "classes", ["variant", "run"])
    table = classes.pivot_table(
        index="class", columns="layer_index", values="modularity_term", aggfunc="mean"
    )
    names = classes.groupby("class")["class_name"].first().loc[table.index]
    if ax is None:
        rows, columns = table.shape
        ax = new_axes(
            width=float(np.clip(2.6 + 0.42 * columns, 5, 12)),
            height=float(np.clip(1.6 + 0.3 * rows, 3, 10)),
        )
    values = table.to_numpy()
    reach = float(np.nanmax(np.abs(values))) or 1.0
    sns.heatmap(
        table,
        ax=ax,
        cmap="vlag",
        vmin=-reach,
        vmax=reach,
        linewidths=0.5 if table.size <= 600 else 0,
        cbar_kws={"label": r"part of Q: $e_{cc} - a_c^2$  (− : below 0)"},
        yticklabels=thin([shorten(str(name)) for name in names], limit=50),
    )
    # white is 0 in the middle of the palette; the bar ends where the values do
    if bar := ax.collections[0].colorbar:
        bar.ax.set_ylim(min(0.0, float(np.nanmin(values))), reach)
    below, at = np.nonzero(values < 0)
    ax.scatter(at + 0.5, below + 0.5, marker="_", s=24, color="0.35", linewidths=1)
    label_cells(ax, classes)
    return ax


def _draw_lines(layers: pd.DataFrame, ax: Axes, *, hue: str, value: str) -> list[str]:
    """Draw mean and spread of every line; return the columns that tell lines apart."""
    style = {"run": "variant", "variant": "run"}.get(hue)
    if style not in layers.columns or layers[style].nunique() < 2:
        style = None
    sns.lineplot(
        layers,
        x="layer_index",
        y=value,
        hue=hue,
        style=style,
        estimator="mean",
        errorbar=("sd", 1),
        palette=_palette(list(layers[hue].unique())),
        legend="full",
        marker="o" if layers["layer_index"].nunique() <= 2 * NAMED_LAYERS else None,
        markersize=5,
        ax=ax,
    )
    return [column for column in (hue, style) if column]


def _draw_published(published: pd.DataFrame, ax: Axes) -> None:
    lines = published.groupby(["model", "dataset", "setting"], sort=False, dropna=False)
    for names, curve in lines:
        parts = [name for name in names if isinstance(name, str)]  # a setting may be missing
        ax.plot(
            curve["x"] - 1,
            curve["Q"],
            color="0.65",
            linewidth=4,
            solid_capstyle="round",
            zorder=1,
            label=f"{', '.join(parts)} ({SOURCE})",
        )


def _draw_interval(layers: pd.DataFrame, ax: Axes) -> str:
    """Draw what the bootstrap of one repeat gives, if the table has it, and word it."""
    if not {"modularity_low", "modularity_high"} <= set(layers.columns):
        return ""
    curve = layers.sort_values("layer_index")
    color = ax.get_lines()[-1].get_color() if ax.get_lines() else None
    ax.fill_between(
        curve["layer_index"],
        curve["modularity_low"],
        curve["modularity_high"],
        color=color,
        alpha=0.2,
        linewidth=0,
    )
    return "Q and 95 % of its draws (bootstrap over samples)"


def _draw_null(layers: pd.DataFrame, ax: Axes) -> None:
    """Draw what permuted labels give, if the table has it."""
    columns = ["modularity_null_mean", "modularity_null_sd"]
    if not set(columns) <= set(layers.columns):
        return
    null = layers.groupby("layer_index")[columns].mean()
    mean, sd = (null[column] for column in columns)
    ax.fill_between(null.index, mean - 2 * sd, mean + 2 * sd, color="0.8", linewidth=0, zorder=1)
    ax.plot(null.index, mean, color="0.5", linestyle="--", linewidth=1, label=PERMUTED, zorder=1)


def _palette(values: Sequence[object]) -> list[tuple[float, float, float]]:
    """Distinct colours as far as there are any; an ordered range for many, and for numbers."""
    ordered = len(values) > 10 or all(str(value).isdecimal() for value in values)
    return list(sns.color_palette("viridis" if ordered else "colorblind", len(values)))


def _spread(layers: pd.DataFrame, lines: list[str]) -> str:
    """Word what the band is, for the legend."""
    repeats = layers.groupby(lines)["repeat"].nunique().unique()
    if repeats.max() == 1:
        return ""
    count = str(repeats[0]) if len(repeats) == 1 else f"{repeats.min()} to {repeats.max()}"
    return f"mean ± SD, {count} repeats"


def _curve_legend(ax: Axes, *, title: str, alone: bool, named: bool) -> None:
    handles, labels = ax.get_legend_handles_labels()
    published = [label.endswith(f"({SOURCE})") or label == PERMUTED for label in labels]
    if alone and not title and not any(published):
        legend = ax.get_legend()
        if legend is not None:
            legend.remove()
        return
    if alone and not named:
        # one variant alone has a name that tells nothing
        labels = [
            label if old else title or "this run"
            for label, old in zip(labels, published, strict=True)
        ]
        title = ""
    # Our lines first, what they are compared with last.
    order = np.argsort(published, kind="stable")
    ax.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        title=title or None,
        frameon=False,
        alignment="left",
        loc="best",
    )
