"""`stratagraph prune`: from a plan to the smaller network, tuned, measured and exported."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from cyclopts import Group, Parameter
from torch import nn

from graphs.errors import DataError, ExportError, ModelError, PlanError
from graphs.files import digest_json
from graphs.neighbors import Device
from graphs.places import resolve_folder
from graphs.tables import write_table
from pipeline.console import fill, log, show_table
from pipeline.data import DatasetName, ImageData, load_data
from pipeline.devices import require_writable, resolve_device
from pipeline.models import load_model
from pipeline.options import Flag, Work, brings_weights, channels_for
from pipeline.pruning.exported import Exported, export_onnx, export_program, require_onnx
from pipeline.pruning.folder import PruneFolder
from pipeline.pruning.one_by_one import (
    cut_one_by_one,
    planned_scores,
    require_steps,
    sampling_of,
)
from pipeline.pruning.origin import require_current
from pipeline.pruning.plan import Plan, follow_plan, read_plan
from pipeline.pruning.report import lay_out, read_result
from pipeline.pruning.saved import describe_cut, save_network
from pipeline.pruning.states import make_table
from pipeline.pruning.steps import Scene, take_steps
from pipeline.pruning.surgery import Pruned
from pipeline.pruning.tuning import Distillation, Tuning, teacher_of
from pipeline.training.checkpoints import digest_state

COMPARED = 64  # real images that exported files are compared on
EXPORTS = {"model.pt2": export_program, "model.onnx": export_onnx}


@Parameter(name="*", group=Group("Images", sort_key=2))
@dataclass(frozen=True, kw_only=True)
class OtherImages:
    """Images other than those that the plan names.

    Attributes
    ----------
    dataset
        Where the images come from (default: as in the plan, or the run).
    data
        File or folder of the data set, with its splits `train` and `test` (default: as in the
        plan, or the run). Parquet: a folder with `train.parquet` and `test.parquet`.
    normalize
        `auto`, `none`, the name of a data set, or `m,m,m/s,s,s` (default: as in the plan, or the
        run).
    image_size
        For image files of different sizes: resized and cropped to so many pixels (default: as in
        the plan, or the run).
    """

    dataset: DatasetName | None = None
    data: Path | None = None
    normalize: str | None = None
    image_size: int | None = None


def prune_network(
    plan: Path,
    out: Path,
    *,
    weights: str | None = None,
    images: OtherImages | None = None,
    tuning: Tuning | None = None,
    distillation: Distillation | None = None,
    iterative: Flag = False,
    export: bool = True,
    device: Device = "auto",
    work: Work | None = None,
) -> Path:
    """Follow a plan: cut the network, tune what is left, measure and save it.

    Accuracy before, after surgery and after tuning is that on the split `test`; tuning uses
    `train`. The same command goes on after an interruption.

    Parameters
    ----------
    plan
        A file of `stratagraph plan`.
    out
        Folder for the network (`model.pt`, which --model takes, `model.onnx`, `model.pt2`), for
        `metrics/prune.parquet`, and `copies.parquet`: where each tensor comes from.
    weights
        Weights of the original (default: as in the plan, or the run).
    images
        Which images, where the plan names none or they have moved.
    tuning
        How the smaller network is trained on.
    distillation
        Whether it also learns from the original.
    iterative
        Remove the layer of the lowest score, tune, score the others again by the plan's criterion,
        and so on, until the plan's budget is met, or as many layers are gone as it removes.
    export
        Also write ONNX (extra `onnx`) and `torch.export` files, run once and compared.
    device
        `auto` takes a GPU where there is one.
    work
        As in the stages.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    PlanError
        When the plan cannot be read, does not fit the network or the images, or lies in a run
        that has changed since.
    DataError, ModelError, WeightsError, RunError
        When images, network, weights or folder cannot be used.
    ExportError
        When an exported file gives something else than the network.
    """
    work, path = work or Work(), resolve_folder(plan)  # a plan lies in its run, also at a URL
    chosen = read_plan(path)
    require_current(chosen, path)
    require_writable(out)
    scene = open_scene(
        chosen,
        open_splits(chosen.dataset, images or OtherImages(), model=chosen.model),
        weights=weights or chosen.weights,
        tuning=(tuning or Tuning()).decided(),
        distillation=distillation or Distillation(),
        device=resolve_device(device),
        progress=work.progress,
    )
    if iterative:
        require_steps(chosen)
    whole = follow_plan(scene.original, chosen, seed=scene.tuning.seed)  # also: whether it fits
    identity = _identify(scene, distillation or Distillation(), iterative=iterative)
    folder = PruneFolder(out, identity, force=work.force)
    if folder.finished:
        log.info("%s is done; what is there is shown (--force begins anew)", out)
    cuts: Iterable[Pruned] = cut_one_by_one(scene, folder) if iterative else [whole]
    rows, smaller = take_steps(scene, folder, cuts, numbered=iterative)
    table = make_table(rows)
    write_table(table, folder.table, "prune")
    _save(scene, folder, smaller)
    _conclude(scene, folder, table, export=export)
    return out


def open_splits(
    own: Mapping[str, Any], images: OtherImages, *, model: str
) -> tuple[ImageData, ImageData]:
    """Open training and test images.

    Parameters
    ----------
    own : mapping
        What a plan or a run says of its images, as options.
    images : OtherImages
        Others in their place.
    model : str
        The network that they are for.

    Raises
    ------
    PlanError, DataError
        When none are named, or they cannot be used.
    """
    train_data, test_data = (_open(own, images, split, model) for split in ("train", "test"))
    if train_data.source.digest() == test_data.source.digest():
        raise DataError(
            "training and test images are the same: the accuracy would mean nothing",
            "give --data a folder with both splits (train.parquet and test.parquet)",
        )
    return train_data, test_data


def open_scene(
    plan: Plan,
    splits: tuple[ImageData, ImageData],
    *,
    weights: str,
    tuning: Tuning,
    distillation: Distillation,
    device: torch.device,
    progress: bool,
) -> Scene:
    """Open the network of a plan beside the images.

    Raises
    ------
    PlanError, ModelError, WeightsError
        When it cannot be used, or the images do not fit the plan.
    """
    train_data, test_data = splits
    if list(test_data.input_shape) != list(plan.input_shape):
        raise PlanError(
            f"the plan is for images of shape {tuple(plan.input_shape)}, these are "
            f"{tuple(test_data.input_shape)}",
            "give the data set that the plan was made for",
        )
    original = load_model(
        plan.model,
        weights=weights,
        classes=plan.classes,
        input_shape=plan.input_shape,
        seed=tuning.seed,
    )
    if weights == "random" and not brings_weights(plan.model):
        log.warning("the network is untrained (weights random): give its own with --weights FILE")
    return Scene(
        plan=plan,
        original=original,
        train_data=train_data,
        test_data=test_data,
        tuning=tuning,
        teacher=teacher_of(original, distillation),
        device=device,
        progress=progress,
    )


def _open(own: Mapping[str, Any], images: OtherImages, split: str, model: str) -> ImageData:
    given = {f.name: getattr(images, f.name) for f in fields(images)}
    named = {key: own.get(key) if value is None else value for key, value in given.items()}
    if images.dataset is not None and images.dataset != own.get("dataset"):
        named = given  # nothing of another data set fits
    if named["dataset"] is None:
        raise PlanError(
            "the plan names no images: it was made without a run", "give --dataset and --data"
        )
    return load_data(
        named["dataset"],
        path=named["data"],
        split=split,
        normalize=named["normalize"] or "auto",
        channels=channels_for(model),
        size=named["image_size"],
    )


def _identify(scene: Scene, distillation: Distillation, *, iterative: bool) -> dict[str, Any]:
    """Return what the result depends on, by content."""
    plan = scene.plan
    return {
        "network": digest_json([digest_state(scene.original), repr(scene.original)]),
        "surgery": plan.surgery,
        "layers": {"kept": plan.kept, "removed": plan.removed},
        "training images": scene.train_data.digest(),
        "test images": scene.test_data.digest(),
        "iterative": iterative,
        **(_identify_choices(plan) if iterative else {}),
        **{key: value for key, value in scene.tuning.as_dict().items() if key != "milestones"},
        "milestones": ",".join(map(str, scene.tuning.milestones)),
        **(asdict(distillation) if distillation.distill is not None else {}),
    }


def _identify_choices(plan: Plan) -> dict[str, Any]:
    """Return what the choice of a layer depends on."""
    return {
        "scores": digest_json([plan.rule, planned_scores(plan)]),
        "budget": digest_json(plan.settings),
        **{f"scoring {name}": value for name, value in sampling_of(plan).items()},
    }


def _save(scene: Scene, folder: PruneFolder, cut: Pruned) -> None:
    """Write the network and the copy map; load it again and compare."""
    plan, path = scene.plan, folder.root / "model.pt"
    write_table(cut.copies, folder.root / "copies.parquet", "copies")
    about = describe_cut(
        plan.model,
        classes=plan.classes,
        input_shape=plan.input_shape,
        surgery=plan.surgery,
        removed=cut.removed,
    )
    save_network(path, cut.model, about)
    again = load_model(str(path))
    images = scene.test_data.images(range(min(COMPARED, len(scene.test_data))))
    with torch.inference_mode():
        expected, found = (model.cpu().eval()(images) for model in (cut.model, again))
    if not torch.allclose(expected, found, rtol=1e-3, atol=1e-4):
        raise ModelError(
            f"{path} gives something else than the network that it was written from",
            "the network keeps what it computes with outside its state_dict: put it into buffers",
        )


def _conclude(scene: Scene, folder: PruneFolder, table: pd.DataFrame, *, export: bool) -> None:
    """Show what came out, export it, and record that everything is done."""
    sentence, states = read_result(table), table.to_dict("records")
    text = f"\n{lay_out(table)}\n\n{fill(sentence)}\n"
    show_table("prune", text, rows=states, reading=sentence)
    if export:
        _export(scene, folder)
    exports = {name: folder.done(f"export-{name}") for name in EXPORTS}
    folder.finish(
        {
            "plan": asdict(scene.plan),
            "states": states,
            "exports": {name: found for name, found in exports.items() if found},
            "reading": sentence,
        }
    )


def _export(scene: Scene, folder: PruneFolder) -> None:
    """Write what other programs read; what is there and was compared stays."""
    network: nn.Module = load_model(str(folder.root / "model.pt"))
    images = scene.test_data.images(range(min(COMPARED, len(scene.test_data))))
    for name, write in EXPORTS.items():
        if name.endswith("onnx"):
            try:
                require_onnx()
            except ExportError as error:
                log.warning("no %s: %s", name, error)
                continue
        path = folder.root / name

        def once(write: Any = write, path: Path = path) -> dict[str, float]:
            exported: Exported = write(network, images, path)
            return {"random": exported.random, "real": exported.real}

        if not path.exists():
            folder.forget(f"export-{name}")
        found = folder.once(f"export-{name}", once)
        log.info(
            "%-10s at most %.1e from torch's output on random images, %.1e on real",
            name, found["random"], found["real"],
        )  # fmt: skip
