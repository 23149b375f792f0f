import math
import os
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
import torch
from torch import nn

from graphs.errors import DataError, ModelError, ResourceError, RunError
from pipeline.data import from_arrays, load_data
from pipeline.training import Recipe, evaluate, train

QUICK = Recipe(epochs=6, batch_size=32, lr=0.05, milestones=(4,))
# One interpreter that forks a child for every training: torch is imported once.
KILLER = """
import os, signal, sys, time, torch
import torch._dynamo  # the first step of an optimizer would import it, in every child
from pathlib import Path
from torch import nn
from pipeline.data import load_data
from pipeline.training import Recipe, train

torch.set_num_threads(1)
train_data, test_data = load_data("digits", split="train"), load_data("digits")
recipe = Recipe(epochs=40, batch_size=64, milestones=(15,), augmentation="crop-flip")

def start(out):
    child = os.fork()
    if child:
        return child
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10),
    )
    train(model, train_data, test_data, out=out, recipe=recipe, checkpoint_every=10)
    os._exit(0)

def finished(out):
    last = out / "last.pt"
    return torch.load(last, weights_only=True)["epoch"] if last.exists() else 0

folder = Path(sys.argv[1])
whole = start(folder / "whole")
for number in range(10):
    before = finished(folder / "killed")
    child = start(folder / "killed")
    # Three epochs further, and then at another moment of the epoch each time.
    while finished(folder / "killed") < before + 3:
        time.sleep(0.01)
    time.sleep(0.007 * number)
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert not (folder / "killed" / "weights.pt").exists()
assert os.waitpid(start(folder / "killed"), 0)[1] == 0
assert os.waitpid(whole, 0)[1] == 0
"""


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def test_learns_digits(tmp_path, build, digits):
    seen = []
    result = train(
        build(),
        *digits,
        out=tmp_path / "run",
        recipe=QUICK,
        architecture={"name": "small", "classes": 10},
        checkpoint_every=4,
        on_epoch=seen.append,
    )
    assert result.test_accuracy > 0.95
    assert not result.model.training
    assert evaluate(result.model, digits[1]) == result.test_accuracy
    assert result.resumed_from == 0
    assert [record.epoch for record in seen] == [1, 2, 3, 4, 5, 6]
    assert list(result.history) == [
        "epoch", "lr", "train_loss", "train_accuracy", "test_accuracy", "seconds",
    ]  # fmt: skip
    assert result.history["lr"].tolist() == [0.05] * 4 + [0.05 * 0.1] * 2
    assert result.history["train_loss"].iloc[-1] < result.history["train_loss"].iloc[0] / 5
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == ["epoch-004.pt", "history.csv", "last.pt", "weights.pt"]
    saved = pd.read_csv(tmp_path / "run" / "history.csv")
    assert saved["test_accuracy"].tolist() == result.history["test_accuracy"].tolist()


def test_weights_can_be_loaded(tmp_path, build, few):
    result = train(build(), *few, out=tmp_path, recipe=QUICK, architecture={"name": "small"})
    content = torch.load(result.weights, weights_only=True)
    again = build()
    again.load_state_dict(content["state_dict"])
    assert same_weights(again, result.model)
    assert content["architecture"] == {"name": "small"}
    assert content["input_shape"] == (1, 8, 8)
    assert content["recipe"]["lr"] == 0.05
    assert content["test_accuracy"] == result.test_accuracy


def test_same_seed_same_result(tmp_path, build, few):
    first = train(build(), *few, out=tmp_path / "a", recipe=QUICK)
    torch.manual_seed(99)
    second = train(build(), *few, out=tmp_path / "b", recipe=QUICK)
    assert same_weights(first.model, second.model)
    assert first.weights.read_bytes() == second.weights.read_bytes()
    other = train(build(), *few, out=tmp_path / "c", recipe=Recipe(epochs=6, batch_size=32, seed=1))
    assert not same_weights(first.model, other.model)


def test_one_step_is_that_of_sgd(tmp_path, few):
    # One epoch of one batch: w - lr * (gradient + weight decay * w).
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    start = {name: value.clone() for name, value in model.state_dict().items()}
    logits = model(few[0].images(range(200)))
    nn.functional.cross_entropy(logits, torch.from_numpy(few[0].labels)).backward()
    gradient = {name: value.grad.clone() for name, value in model.named_parameters()}
    recipe = Recipe(epochs=1, batch_size=500, lr=0.5, weight_decay=0.1)
    result = train(model, *few, out=tmp_path, recipe=recipe)
    for name, value in result.model.state_dict().items():
        expected = start[name] - 0.5 * (gradient[name] + 0.1 * start[name])
        torch.testing.assert_close(value, expected)


def test_random_streams_of_the_caller_are_left_alone(tmp_path, build, few):
    model = build(dropout=0.5)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    train(model, *few, out=tmp_path, recipe=QUICK)
    assert torch.equal(torch.rand(3), expected)


def test_interrupted_in_any_epoch_ends_in_the_same_weights(tmp_path, build, few):
    recipe = Recipe(epochs=5, batch_size=32, lr=0.05, milestones=(3,), augmentation="crop-flip")
    whole = train(build(dropout=0.3), *few, out=tmp_path / "whole", recipe=recipe)

    def stop(record):
        if record.epoch < recipe.epochs:
            raise KeyboardInterrupt

    # Every call runs one epoch and is interrupted.
    for finished in range(recipe.epochs - 1):
        with pytest.raises(KeyboardInterrupt):
            train(build(dropout=0.3), *few, out=tmp_path / "b", recipe=recipe, on_epoch=stop)
        last = torch.load(tmp_path / "b" / "last.pt", weights_only=True)
        assert last["epoch"] == finished + 1
    result = train(build(dropout=0.3), *few, out=tmp_path / "b", recipe=recipe, on_epoch=stop)
    assert result.resumed_from == 4
    assert same_weights(result.model, whole.model)
    pd.testing.assert_frame_equal(
        result.history.drop(columns="seconds"), whole.history.drop(columns="seconds")
    )


def test_finished_training_is_not_repeated(tmp_path, build, few):
    first = train(build(), *few, out=tmp_path, recipe=QUICK)
    again = train(build(), *few, out=tmp_path, recipe=QUICK)
    assert again.resumed_from == 6
    assert same_weights(first.model, again.model)
    pd.testing.assert_frame_equal(first.history, again.history)


def test_force_begins_anew(tmp_path, build, few):
    train(build(), *few, out=tmp_path, recipe=QUICK, checkpoint_every=5)
    recipe = Recipe(epochs=1)
    result = train(build(), *few, out=tmp_path, recipe=recipe, force=True)
    assert result.resumed_from == 0
    assert not (tmp_path / "epoch-005.pt").exists()


def test_another_training_in_the_folder(tmp_path, build, few, digits):
    train(build(), *few, out=tmp_path, recipe=QUICK)
    recipe = Recipe(epochs=6, batch_size=32, lr=0.1, milestones=(4,))
    with pytest.raises(
        RunError, match=r"last.pt belongs to another training: lr was 0.05, now 0.1; choose"
    ):
        train(build(), *few, out=tmp_path, recipe=recipe)
    changed = build()
    with torch.no_grad():
        changed[0].weight[0, 0, 0, 0] += 1e-3
    with pytest.raises(RunError, match=r"another training: model was [0-9a-f]{12}, now"):
        train(changed, *few, out=tmp_path, recipe=QUICK)
    with pytest.raises(RunError, match=r"another training: training images was [0-9a-f]{12}, now"):
        train(build(), digits[0], few[1], out=tmp_path, recipe=QUICK)


def test_loss_that_is_not_finite(tmp_path, build, few):
    with pytest.raises(ModelError, match=r"loss is (nan|inf) in epoch \d+ .lr 1e\+10.; lower --lr"):
        train(build(), *few, out=tmp_path, recipe=Recipe(epochs=30, lr=1e10))
    # Nothing that looks finished, and no broken weights to go on with.
    assert not (tmp_path / "weights.pt").exists()
    if (tmp_path / "last.pt").exists():
        last = torch.load(tmp_path / "last.pt", weights_only=True)
        assert math.isfinite(last["history"][-1]["train_loss"])


def test_training_on_the_test_images(tmp_path, build, few):
    with pytest.raises(DataError, match="training and test images are the same"):
        train(build(), few[1], few[1], out=tmp_path, recipe=QUICK)


def test_images_of_different_shapes(tmp_path, build, few):
    larger = from_arrays(torch.zeros(4, 1, 9, 9), [0, 1, 2, 3])
    with pytest.raises(DataError, match=r"have shape \(1, 8, 8\), test images \(1, 9, 9\)"):
        train(build(), few[0], larger, out=tmp_path, recipe=QUICK)


def test_too_few_outputs(tmp_path, build, few):
    with pytest.raises(ModelError, match="has 7 outputs, arrays has 10 classes"):
        train(build(classes=7), *few, out=tmp_path / "run", recipe=QUICK)
    assert not (tmp_path / "run").exists()


def test_bad_checkpoint_interval(tmp_path, build, few):
    with pytest.raises(RunError, match="checkpoint_every=0 is not possible; give at least 1"):
        train(build(), *few, out=tmp_path, recipe=QUICK, checkpoint_every=0)


def test_folder_that_cannot_be_made(tmp_path, build, few):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="file/run cannot be written to"):
        train(build(), *few, out=tmp_path / "file" / "run", recipe=QUICK)


def test_disk_too_small_for_the_checkpoints(tmp_path, build, few):
    recipe = Recipe(epochs=10**13)
    with pytest.raises(ResourceError, match=r"are needed in .*, .* are free"):
        train(build(), *few, out=tmp_path / "run", recipe=recipe, checkpoint_every=1)
    assert not (tmp_path / "run").exists()


def test_quiet_without_a_terminal(tmp_path, build, few, capsys):
    train(build(), *few, out=tmp_path, recipe=QUICK, progress=True)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_colour_images_are_augmented(tmp_path, few):
    colour = [load_data("digits", split=split, channels=3) for split in ("train", "test")]
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 10))
    result = train(model, *colour, out=tmp_path, recipe=Recipe(epochs=1))
    content = torch.load(result.weights, weights_only=True)
    assert content["recipe"]["augmentation"] == "crop-flip"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX processes")
def test_killed_training_ends_in_the_same_weights(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", KILLER, str(tmp_path)]
    subprocess.run(command, env=environment, check=True, timeout=300)
    names = {path.name for path in (tmp_path / "whole").iterdir()}
    assert {"epoch-010.pt", "epoch-020.pt", "epoch-040.pt", "weights.pt"} < names
    assert {path.name for path in (tmp_path / "killed").iterdir()} == names
    for name in ("weights.pt", "epoch-010.pt", "epoch-020.pt", "epoch-030.pt", "epoch-040.pt"):
        first, second = (tmp_path / folder / name for folder in ("whole", "killed"))
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("precision", "trained_in"),
    [("auto", torch.float32), ("float32", torch.float32), ("mixed", torch.bfloat16)],
)
def test_products_in_16_bits_on_a_cpu_only_where_asked_for(
    tmp_path, build, few, precision, trained_in
):
    model, seen = build(), set()

    def note(module, _, output):
        seen.add((module.training, output.dtype))

    last = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]
    last.register_forward_hook(note)
    recipe = Recipe(epochs=1, batch_size=32, precision=precision)
    result = train(model, *few, out=tmp_path, recipe=recipe)
    assert seen == {(True, trained_in), (False, torch.float32)}
    assert {value.dtype for value in result.model.parameters()} == {torch.float32}
    with pytest.raises(RunError, match="precision was .*, now"):
        train(build(), *few, out=tmp_path, recipe=replace(recipe, precision=_other(precision)))


def _other(precision):
    return "mixed" if precision == "auto" else "auto"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_mixed_precision_on_a_gpu(tmp_path, build, digits):
    device = torch.device("cuda")
    recipe = Recipe(epochs=4, batch_size=32, lr=0.05)

    def stop(record):
        if record.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(build(), *digits, out=tmp_path, recipe=recipe, device=device, on_epoch=stop)
    last = torch.load(tmp_path / "last.pt", weights_only=True)
    assert last["scaler"]["scale"] > 0
    result = train(build(), *digits, out=tmp_path, recipe=recipe, device=device)
    assert result.resumed_from == 2
    assert result.test_accuracy > 0.9
    content = torch.load(result.weights, weights_only=True)
    assert {value.device.type for value in content["state_dict"].values()} == {"cpu"}
