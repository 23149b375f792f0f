"""Input files with one fault each, made by other programs than the ones under test."""

import io
import json
import logging
import os
import shutil
import subprocess
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from pipeline.cli import main
from pipeline.models import load_model
from pipeline.options import Images, Network
from pipeline.pruning.choosing import choose_by_counts
from pipeline.pruning.plan import write_plan
from pipeline.pruning.planning import make_plan
from pipeline.pruning.subject import open_network
from pipeline.run import run_stages

COUNT, BAD = 40, 7  # images in a set, and the position of the bad one
STAGES = ("activations", "edges", "communities")
REPEAT = "variant=clean/repeat=0"
DISK = 8 << 20


def png(shape=(8, 8), seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def parquet(path, *, bad=None, labels=None, column="label"):
    images = [png(seed=seed) for seed in range(COUNT)]
    if bad is not None:
        images[BAD] = bad[0]
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = pa.array([{"bytes": image, "path": None} for image in images], struct)
    classes = [number % 2 for number in range(COUNT)] if labels is None else labels
    pq.write_table(pa.table({"img": cells, column: classes}), path)


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def npz(path, **changes):
    generator = np.random.default_rng(0)
    arrays = {"x": generator.random((COUNT, 1, 8, 8)), "y": np.arange(COUNT) % 2} | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def folders(path, replaced=None):
    for name in ("ant", "bee"):
        (path / name).mkdir(parents=True)
        for number in range(COUNT // 2):
            (path / name / f"{number:02d}.png").write_bytes(png(seed=number))
    if replaced is not None:
        (path / "bee" / f"{BAD:02d}.png").write_bytes(replaced)


def weights(path, change):
    state = OrderedDict(load_model("resnet8", input_shape=(1, 8, 8)).state_dict())
    change(state)
    torch.save(state, path)


def spoil(state, name):
    state[name][0, 0, 0, 0] = float("nan")


def emptied(path):
    state = load_model("mlp", input_shape=(1, 8, 8)).state_dict()
    for name in ("net.3.weight", "net.5.weight"):
        state[name].zero_()
    torch.save(state, path)


def whole_model(path):
    torch.save(load_model("resnet8", input_shape=(1, 8, 8)), path)


def nan_image():
    x = np.zeros((COUNT, 1, 8, 8))
    x[BAD, 0, 2, 2] = np.nan
    return x


def plan(path, **changes):
    """Write the plan to remove layer1.1 of an untrained resnet14 for digits, and edit it."""
    found = open_network(Network(model="resnet14"), classes=10, input_shape=(1, 8, 8))
    choice = choose_by_counts(found, [1, 2, 2])
    made = make_plan(found, choice, surgery="identity", device=torch.device("cpu"))
    write_plan(replace(made, **{"dataset": {"dataset": "digits"}} | changes), path)


def remove_too(path, name):
    plan(path)
    content = json.loads(path.read_text())
    content["kept"].remove(name)
    content["removed"].append(name)
    path.write_text(json.dumps(content))


def curve(path):
    rows = [f"{at},{at / 10 + 0.15 * (at == 6)}" for at in range(7)]
    path.write_text("layer_index,modularity\n" + "\n".join(rows))


BUILDERS = {
    "text.parquet": lambda path: path.write_text("not Parquet"),
    "cut.parquet": lambda path: (parquet(path), cut(path, 2000)),
    "no-label.parquet": lambda path: parquet(path, column="kind"),
    "corrupt-image.parquet": lambda path: parquet(path, bad=(png()[:40],)),
    "no-bytes.parquet": lambda path: parquet(path, bad=(None,)),
    "one-class.parquet": lambda path: parquet(path, labels=[5] * COUNT),
    "sorted.parquet": lambda path: parquet(path, labels=[0] * 30 + [1] * 10),
    "good.npz": npz,
    "no-y.npz": lambda path: npz(path, y=None),
    "lengths.npz": lambda path: npz(path, y=np.zeros(COUNT - 1, int)),
    "nan.npz": lambda path: npz(path, x=nan_image()),
    "fractions.npz": lambda path: npz(path, y=np.linspace(0, 1, COUNT)),
    "odd.npz": lambda path: npz(path, x=np.zeros((COUNT, 1, 7, 7))),
    "cut.npz": lambda path: (npz(path), cut(path, 1000)),
    "text.npz": lambda path: path.write_text("not an archive"),
    "empty": lambda path: path.mkdir(),
    "empty-class": lambda path: (folders(path), (path / "cat").mkdir()),
    "cut-image": lambda path: folders(path, png()[:50]),
    "other-size": lambda path: folders(path, png((9, 8))),
    "colour-image": lambda path: folders(path, png((8, 8, 3))),
    "missing.pt": lambda path: weights(path, lambda state: state.pop("conv1.weight")),
    "unexpected.pt": lambda path: weights(path, lambda s: s.update({"extra.bias": torch.ones(2)})),
    "shape.pt": lambda path: weights(path, lambda s: s.update({"linear.bias": torch.ones(7)})),
    "good.pt": lambda path: weights(path, lambda state: None),
    "halved.pt": lambda path: weights(path, lambda s: s.update({k: v / 2 for k, v in s.items()})),
    "not-a-number.pt": lambda path: weights(path, lambda s: spoil(s, "layer1.0.conv1.weight")),
    "emptied.pt": emptied,
    "cut.pt": lambda path: (weights(path, lambda state: None), cut(path, 3000)),
    "whole-model.pt": whole_model,
    "no-tensors.pt": lambda path: torch.save({"epoch": 3}, path),
    "syntax.py": lambda path: path.write_text("import torch\ndef net(:\n"),
    "imports.py": lambda path: path.write_text("import no_such_module_here\n"),
    "text.txt": lambda path: path.write_text("hello"),
    "plan.json": plan,
    "plan-of-another.json": lambda path: plan(path, model="resnet8"),
    "plan-of-no-images.json": lambda path: plan(path, dataset={}),
    "plan-of-colours.json": lambda path: plan(path, input_shape=[3, 8, 8]),
    "plan-that-widens.json": lambda path: remove_too(path, "layer2.0"),
    "plan-for-depth.json": lambda path: plan(path, surgery="depth"),
    "curve.csv": curve,
}


@pytest.fixture
def bad_file(tmp_path):
    """Make a file of `BUILDERS`, or find one of this folder, by name; return its path."""

    def make(name):
        beside = Path(__file__).with_name(name)
        if beside.is_file():
            return beside
        path = tmp_path / name
        if name in BUILDERS and not path.exists():
            BUILDERS[name](path)
        return path

    return make


@pytest.fixture
def command(capsys, monkeypatch):
    """Run the command line in this process; return exit status, output and error output."""
    logger = logging.getLogger("stratagraph")
    monkeypatch.setenv("COLUMNS", "80")

    def run(argv):
        logger.handlers.clear()  # they hold the error output of an earlier test
        with pytest.raises(SystemExit) as leaving:
            main([str(token) for token in argv])
        return leaving.value.code, *capsys.readouterr()

    yield run
    logger.handlers.clear()
    logger.propagate = True


@pytest.fixture(scope="module")
def folder_after(tmp_path_factory):
    """Copy the folder of a run in which a stage was the last to finish."""
    whole = tmp_path_factory.mktemp("whole") / "out"
    model = f"{Path(__file__).with_name('bad_models.py')}:good"
    run_stages(whole, network=Network(model=model), images=Images(samples=20, repeats=1))

    def copy(stage, out):
        shutil.copytree(whole, out)
        kept = STAGES[: STAGES.index(stage) + 1]
        manifest = json.loads((out / "manifest.json").read_text())
        manifest["stages"] = {name: manifest["stages"][name] for name in kept}
        (out / "manifest.json").write_text(json.dumps(manifest))
        if "communities" not in kept:
            for folder in ("metrics", "exports", "figures"):
                shutil.rmtree(out / folder)
        if "edges" not in kept:
            shutil.rmtree(out / REPEAT / "edges")

    return copy


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own; ``leave(bytes)`` fills it up to so many free bytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this root may not mount a disk")

    def leave(count):
        filler = place / "filler"
        filler.unlink(missing_ok=True)
        state = os.statvfs(place)
        filler.write_bytes(bytes(state.f_bavail * state.f_frsize - count))

    yield place, leave
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(autouse=True)
def brief_rounds(monkeypatch):
    """Time networks for a moment only: tests assert no time."""
    monkeypatch.setattr("pipeline.pruning.latency.ROUND_SECONDS", 0.001)
