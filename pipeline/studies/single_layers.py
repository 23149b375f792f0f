"""One layer at a time: what it adds to Q, and what is lost without it."""

from typing import Any

import numpy as np
import pandas as pd

from graphs.schema import COLUMNS
from pipeline.api import analyze
from pipeline.console import log
from pipeline.options import Images, Neighbours
from pipeline.progress import progress_bar
from pipeline.pruning.folder import PruneFolder
from pipeline.pruning.parts import Part, find_parts
from pipeline.pruning.states import measure_accuracy
from pipeline.pruning.steps import Scene
from pipeline.pruning.subject import Subject
from pipeline.pruning.surgery import remove_parts
from pipeline.studies.folder import StudyFolder
from pipeline.studies.passing import each_note_once


def remove_one_by_one(folder: StudyFolder, scene: Scene, subject: Subject) -> pd.DataFrame:
    """Remove each layer that can go, alone and without tuning, and measure what is lost.

    Parameters
    ----------
    folder : StudyFolder
        What is measured is kept there, and not measured again.
    scene : Scene
        Test images and device.
    subject : Subject
        The run with its curves.

    Returns
    -------
    DataFrame
        The table ``single_layers``: ``gain`` of Q over the layer before, on the whole network,
        with ``gain_sd`` over the repeats; ``last_q_lost``, by how much the last layer's Q is
        lower without the layer, on the same samples; ``accuracy_lost`` on the test images.

    Notes
    -----
    Lu et al. 2022, figure 10, which removes layers of VGG and trains again.
    """
    gains = np.diff(subject.curves, axis=1, prepend=np.nan)
    free = [part for part in subject.parts if not part.problem]
    place = PruneFolder(folder.root / "networks" / "single", {})
    rows = []
    with (
        each_note_once(),
        progress_bar("one layer at a time", len(free), show=scene.progress, unit="layers") as step,
    ):
        whole = place.once("original", lambda: _measure(scene, subject, None))
        for part in free:
            found = place.once(part.name, lambda part=part: _measure(scene, subject, part))  # type: ignore[misc]
            gain = gains[:, part.index]
            rows.append(
                {
                    "layer_index": part.index,
                    "layer": part.name,
                    "gain": float(gain.mean()),
                    "gain_sd": float(gain.std(ddof=1)) if len(gain) > 1 else np.nan,
                    "last_q": found["last_q"],
                    "last_q_lost": whole["last_q"] - found["last_q"],
                    "accuracy": found["accuracy"],
                    "accuracy_low": found["accuracy_low"],
                    "accuracy_high": found["accuracy_high"],
                    "accuracy_lost": whole["accuracy"] - found["accuracy"],
                }
            )
            step(1)
    log.info("%d layers removed one at a time", len(free))
    return pd.DataFrame(rows, columns=COLUMNS["single_layers"].names)


def _measure(scene: Scene, subject: Subject, part: Part | None) -> dict[str, Any]:
    """Accuracy, and Q of the last layer, of the network without one layer."""
    model = subject.model
    if part is not None:
        model = remove_parts(
            model, subject.parts, [part.name], input_shape=subject.input_shape
        ).model
    accuracy = measure_accuracy(model, scene.test_data, device=scene.device)
    last = find_parts(model, subject.input_shape)[-1].name
    images, links = subject.images or Images(), subject.sets[0].links["parameters"]
    options = Neighbours(k=links["k"], metric=links["metric"])
    found = analyze(
        model,
        subject.data if subject.data is not None else scene.test_data,
        k=options.k,
        metric=options.metric,
        samples=images.samples,
        repeats=images.repeats,
        sampling=images.sampling,
        seed=images.seed,
        layers=[last],
        device="cpu" if scene.device.type == "cpu" else "cuda",
    )
    return {**accuracy, "last_q": float(found.layers["modularity"].mean())}
