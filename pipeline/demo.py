"""`stratagraph demo`: the whole way on images that come with scikit-learn."""

import sys
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from graphs.plots import plot_curve
from graphs.runs import Run
from graphs.tables import read_frame
from pipeline.console import fill, log
from pipeline.figures import save_figure
from pipeline.options import Flag, Images, Network, Work
from pipeline.progress import stage
from pipeline.report_command import NAME as PAGE
from pipeline.report_command import write_report
from pipeline.run import run_stages
from pipeline.summary import reading
from pipeline.train_command import train_network
from pipeline.training import Recipe

MODELS = ("vgg8", "resnet14")
RECIPE = Recipe(epochs=12, batch_size=64, lr=0.05, milestones=(8,), weight_decay=5e-4)
# 3 x 190 of the 596 test digits: the repeats share no sample
IMAGES = Images(dataset="digits", samples=190, repeats=3)


def demo(
    out: Path = Path("runs/demo"),
    *,
    force: Flag = False,
    progress: bool = True,
) -> Path:
    """Train two small networks on handwritten digits and measure them.

    Uses the 1,797 digits of scikit-learn: nothing is downloaded, a CPU is enough.

    Parameters
    ----------
    out
        Folder for the two runs, their weights, a figure of both curves and a page to look at.
    force
        Begin anew.
    progress
        Show progress bars.

    Returns
    -------
    Path
        The folder.
    """
    curves = []
    for model in MODELS:
        log.info("%s: training", model)
        with stage(model):
            weights = train_network(
                out / f"{model}-training",
                model=model,
                recipe=RECIPE,
                force=force,
                progress=progress,
            )
            run_stages(
                out / model,
                network=Network(model=model, weights=str(weights)),
                images=IMAGES,
                work=Work(force=force, progress=progress),
            )
        curves.append(read_frame(Run(out / model).table("layers"), "layers").assign(run=model))
    both = pd.concat(curves, ignore_index=True)

    def draw(ax: Axes) -> None:
        plot_curve(both, ax).set_title("Handwritten digits", loc="left")

    save_figure(out / "curves", draw, size=(7.0, 4.2))
    write_report(*(out / model for model in MODELS), out=out / PAGE)
    sys.stdout.write(_story(out, curves))
    return out


def _story(out: Path, curves: list[pd.DataFrame]) -> str:
    """Say what came out, where it is, and what to do next."""
    model = MODELS[-1]
    lines = [fill(f"{name}: {reading(curve)}") for name, curve in zip(MODELS, curves, strict=True)]
    return "\n".join(
        [
            "",
            *lines,
            "",
            f"page     {out}/{PAGE} (open it in a browser)",
            f"figure   {out}/curves.png",
            f"tables   {out}/{model}/metrics/*.parquet (pandas.read_parquet)",
            f"graphs   {out}/{model}/exports/*.graphml, *.gexf (Gephi: File > Open)",
            "",
            "Next, your own network:",
            "  stratagraph run --model FILE.py:FACTORY --weights FILE \\",
            "    --dataset imagefolder --data FOLDER --out runs/mine",
            "",
            "",
        ]
    )
