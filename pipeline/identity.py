"""Whose run a folder holds: by the contents of what it was made from, not by names."""

from pathlib import Path
from typing import Any

from torch import nn

from graphs.errors import RunError, TableError
from graphs.files import digest_file, digest_json
from graphs.runs import Run
from graphs.tables import read_metadata
from pipeline.data import ImageData
from pipeline.options import Features, Images, Network
from pipeline.pruning.saved import digest_model, is_saved

CONTENTS = ("model_file", "modules", "weights_file", "data")  # digests: not for people


def describe(
    network: Network, images: Images, features: Features, *, data: ImageData, model: nn.Module
) -> dict[str, Any]:
    """Return what activations depend on, by content: two runs that agree in it are the same run.

    Neither repeats nor layers are in it: a run can be given more of both.
    """
    script, is_file, factory = network.model.rpartition(".py:")
    saved = is_saved(network.model)
    name = f"{Path(script).name}.py:{factory}" if is_file else network.model.lower()
    named = network.weights in ("default", "random")
    return {
        "model": Path(network.model).name if saved else name,
        "model_file": digest_model(network.model),
        # what a file beside the model's own may have changed shows in its modules
        "modules": digest_json(repr(model)),
        "weights": "file" if not named else "own" if saved else network.weights,
        "weights_file": None if named else digest_file(Path(network.weights).expanduser()),
        "dataset": images.dataset,
        "split": images.split,
        "image_size": images.image_size,
        "data": data.digest(),
        "normalize": [list(data.normalization.mean), list(data.normalization.std)],
        "samples": images.samples,
        "sampling": images.sampling,
        "seed": images.seed,
        "pool": features.pool,
        "dtype": features.dtype,
    }


def require_same_run(run: Run, identity: dict[str, Any]) -> None:
    """Check that a folder is new, or holds the run of this identity.

    Raises
    ------
    RunError
        When it holds another run.
    """
    found = _identity_on_disk(run)
    if found in (None, digest_json(identity)):
        return
    there = run.recorded("activations").get("parameters", {})
    changed = [
        f"{key} was {there[key]!r} and is now {value!r}" if key not in CONTENTS else f"other {key}"
        for key, value in identity.items()
        if key in there and there[key] != value
    ]
    raise RunError(
        f"{run.root} holds another run ({', '.join(changed) or 'unfinished, of other inputs'})",
        "choose another --out, or --force to replace it",
    )


def _identity_on_disk(run: Run) -> str | None:
    """Whose files lie in the folder: as the manifest says, or the first file that can tell."""
    known = run.recorded("activations").get("identity")
    if known is not None:
        return str(known)
    for kind, pattern in (
        ("nodes", "nodes.parquet"),
        ("nodes", "predictions/part-*.parquet"),
        ("activations", "activations/layer=*/part-*.parquet"),
    ):
        for path in run.root.glob(f"variant=*/repeat=*/{pattern}"):
            try:
                return read_metadata(path, kind).get("identity")  # type: ignore[arg-type]
            except TableError:
                continue
    return None
