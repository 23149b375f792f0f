"""Layers that go one at a time: which, when it ends, and that it goes on."""

from types import SimpleNamespace

import pytest
import torch

import pipeline.pruning.one_by_one as module
from graphs.errors import PlanError
from pipeline.data import load_data
from pipeline.models import load_model
from pipeline.pruning.folder import PruneFolder
from pipeline.pruning.one_by_one import carry_over, cut_one_by_one, require_steps, sampling_of
from pipeline.pruning.parts import find_parts
from pipeline.pruning.surgery import remove_parts

SHAPE = (1, 8, 8)
# relu, then the blocks layer1.0 to layer3.1: one of each stage, and the widening ones, stay
FREE = ("layer1.0", "layer1.1", "layer2.1", "layer3.1")


def scene(scores, *, rule="magnitude", removed=FREE[:2], **settings):
    """A plan for resnet14 whose scores are given for the layers that can go."""
    original = load_model("resnet14", input_shape=SHAPE)
    data = load_data("digits")
    plan = SimpleNamespace(
        surgery="identity",
        rule=rule,
        settings=settings,
        removed=list(removed),
        input_shape=list(SHAPE),
        dataset={"samples": 60, "repeats": 2},
        layers=[
            {"name": part.name, "score": dict(zip(FREE, scores, strict=True)).get(part.name)}
            for part in find_parts(original, SHAPE)
        ],
    )
    return SimpleNamespace(plan=plan, original=original, test_data=data, device=torch.device("cpu"))


def take(steps, folder, number, *, left=0.9, change=None):
    """Ask for the next network, and record what tuning and measuring would."""
    cut = next(steps)
    if change is not None:
        change(cut.model)
    costs = {"macs": 100, "parameters": 100}
    after = {"macs": 100 * left, "parameters": 100 * left, "speedup_1": 1 / left}
    folder.once(f"{number:02d}-costs", lambda: {"original": costs, "pruned": after})
    return cut


def shrink(name):
    def change(model):
        with torch.no_grad():
            for value in model.get_submodule(name).parameters():
                value.mul_(1e-3)

    return change


def test_the_first_goes_by_the_plan_and_the_next_by_the_tuned_network(tmp_path):
    folder = PruneFolder(tmp_path / "out", {})
    given = scene([3, 0, 1, 2])
    steps = cut_one_by_one(given, folder)
    # in the network without layer1.1 the other layers keep their names
    first = take(steps, folder, 1, change=shrink("layer3.1"))
    assert first.removed == ("layer1.1",)
    second = take(steps, folder, 2)
    assert second.removed == ("layer1.1", "layer3.1")  # the plan has layer2.1 next
    # with the weights that the first step left
    for name, value in second.model.state_dict().items():
        assert torch.equal(value, first.model.state_dict()[name])
    assert next(steps, None) is None
    choice = folder.done("02-choice")
    assert choice["criterion"] == "magnitude"
    assert min(choice["scores"], key=choice["scores"].get) == "layer3.1"
    assert list(choice["scores"])[:2] == ["relu", "layer1.0"]


def test_choices_that_were_made_stand(tmp_path, monkeypatch):
    folder = PruneFolder(tmp_path / "out", {})
    steps = cut_one_by_one(scene([3, 0, 1, 2]), folder)
    for number in (1, 2):
        take(steps, folder, number, change=shrink("layer3.1") if number == 1 else None)
    monkeypatch.setattr(module, "score_layers", None)
    again = cut_one_by_one(scene([3, 0, 1, 2]), PruneFolder(tmp_path / "out", {}))
    assert [cut.removed[-1] for cut in again] == ["layer1.1", "layer3.1"]


@pytest.mark.parametrize(("budget", "value"), [("macs", 0.6), ("params", 0.6), ("latency", 0.65)])
def test_a_budget_ends_it(budget, value, tmp_path):
    folder = PruneFolder(tmp_path / "out", {})
    steps = cut_one_by_one(scene([3, 0, 1, 2], budget=budget, value=value), folder)
    assert len(take(steps, folder, 1, left=0.8).removed) == 1
    assert len(take(steps, folder, 2, left=0.7).removed) == 2
    assert len(take(steps, folder, 3, left=0.6).removed) == 3
    assert next(steps, None) is None


def test_every_stage_keeps_a_layer(tmp_path, caplog):
    folder = PruneFolder(tmp_path / "out", {})
    steps = cut_one_by_one(scene([0, 1, 2, 3], budget="macs", value=0.1), folder)
    removed = [take(steps, folder, number).removed for number in (1, 2, 3)]
    assert removed[2] == ("layer1.0", "layer2.1", "layer3.1")
    assert next(steps, None) is None
    assert "no further layer can go" in caplog.text


def test_images_are_drawn_as_in_the_run_of_the_plan(tmp_path, monkeypatch):
    seen = []
    own = module.Evidence.of_arrays

    def watch(model, images, labels, **options):
        seen.append((len(images), options["k"], options["seed"], options["repeat"]))
        return own(model, images, labels, **options)

    monkeypatch.setattr(module.Evidence, "of_arrays", watch)
    folder = PruneFolder(tmp_path / "out", {})
    given = scene([3, 0, 1, 2], rule="increment")
    for layer in given.plan.layers:
        layer["margin"] = layer.pop("score")
    given.plan.dataset |= {"k": 5, "seed": 7}
    steps = cut_one_by_one(given, folder)
    assert [len(take(steps, folder, number).removed) for number in (1, 2)] == [1, 2]
    assert seen == [(60, 5, 7, 0), (60, 5, 7, 1)]
    assert folder.done("02-choice")["criterion"] == "modularity"
    assert sampling_of(SimpleNamespace(dataset={}))["samples"] == 500


def test_a_plan_by_numbers_keeps_its_order(tmp_path):
    folder = PruneFolder(tmp_path / "out", {})
    steps = cut_one_by_one(
        scene([None] * 4, rule="stages", removed=("layer3.1", "layer1.1")), folder
    )
    assert take(steps, folder, 1).removed == ("layer3.1",)
    assert take(steps, folder, 2).removed == ("layer1.1", "layer3.1")
    assert next(steps, None) is None


def test_what_is_refused(tmp_path):
    with pytest.raises(PlanError, match="no layer has a score; make the plan again"):
        next(cut_one_by_one(scene([None] * 4), PruneFolder(tmp_path / "out", {})))
    with pytest.raises(PlanError, match=r"--iterative removes one .* surgery 'depth'; make a plan"):
        require_steps(SimpleNamespace(surgery="depth"))


@pytest.mark.parametrize("order", [("layer1.1", "layer1.0"), ("layer2.1", "layer1.1")])
def test_weights_follow_their_layers(order):
    model = load_model("resnet14", input_shape=SHAPE)
    parts = find_parts(model, SHAPE)
    first = remove_parts(model, parts, order[:1], input_shape=SHAPE)
    torch.manual_seed(1)
    for value in first.model.parameters():  # as tuning would
        value.data.normal_()
    both = sorted(order)
    second = remove_parts(model, parts, both, input_shape=SHAPE)
    second.model.load_state_dict(carry_over(first, second))
    # the same layer, under its name in the network after the first step
    name = {"layer1.0": "layer1.0", "layer1.1": "layer1.1"}[order[1]]
    expected = remove_parts(first.model, find_parts(first.model, SHAPE), [name], input_shape=SHAPE)
    x = torch.randn(3, *SHAPE)
    with torch.no_grad():
        assert torch.equal(second.model(x), expected.model(x))
