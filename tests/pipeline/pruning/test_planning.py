"""Plans of networks whose counts are published."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from graphs.errors import PlanError
from pipeline.models import load_model
from pipeline.options import Network
from pipeline.pruning.budget import Budget, meet_budget
from pipeline.pruning.choosing import choose_by_counts, choose_by_rule, choose_by_scores
from pipeline.pruning.parts import find_parts
from pipeline.pruning.plan import follow_plan, protect, read_plan, write_plan
from pipeline.pruning.planning import make_plan
from pipeline.pruning.rules import Rule
from pipeline.pruning.subject import open_network

SHAPE = (3, 32, 32)
CPU = torch.device("cpu")
# VGG19 on CIFAR-10, as published
VGG19 = [
    0.14685, 0.04648, 0.23842, 0.16419, 0.41784, 0.45425, 0.54398, 0.64434,
    0.78323, 0.80606, 0.81274, 0.81729, 0.80651, 0.80273, 0.79967, 0.79651,
]  # fmt: skip


def subject(name, tmp_path, curve=None, repeats=None):
    path = None
    if curve is not None:
        path = tmp_path / "curve.csv"
        rows = [f"{i},{q}" for i, q in enumerate(curve)]
        path.write_text("layer_index,modularity\n" + "\n".join(rows))
    return open_network(Network(model=name), classes=10, input_shape=SHAPE, curve=path)


def choose(found, scores, quantity, value):
    budget = Budget(quantity=quantity, value=value)
    return choose_by_scores(found, scores, budget, criterion="x", device=CPU)


@pytest.fixture
def vgg19(tmp_path):
    return subject("vgg19", tmp_path, VGG19)


@pytest.fixture
def resnet14(tmp_path):
    return subject("resnet14", tmp_path, [0.1, 0.12, 0.3, 0.6, 0.62, 0.9, 0.95])


def test_the_published_curve_gives_the_published_plan(vgg19):
    plan = make_plan(
        vgg19, choose_by_rule(vgg19, Rule(name="running_maximum")), surgery="identity", device=CPU
    )
    kept = [layer["index"] for layer in plan.layers if layer["kept"]]
    assert kept == [0, 2, 4, 5, 6, 7, 8, 9, 10, 11]
    assert (plan.stages_before, plan.stages) == ([2, 2, 4, 4, 4], [1, 1, 4, 4, 0])
    assert not plan.protected


def test_in_another_depth_a_stage_keeps_its_best_layer(vgg19):
    choice = choose_by_rule(vgg19, Rule(name="running_maximum"))
    plan = make_plan(vgg19, choice, surgery="depth", device=CPU)
    assert plan.stages == [1, 1, 4, 4, 1]
    assert plan.protected == {"features.42": "the stage from features.42 to features.51 needs 1"}


@pytest.mark.parametrize(
    ("name", "count", "stages"),
    [
        ("vgg19", 1, [2, 2, 4, 4, 3]),
        ("vgg19", 2, [2, 2, 4, 4, 2]),
        ("vgg19", 3, [2, 2, 4, 4, 1]),
        ("vgg19", 4, [2, 2, 4, 3, 1]),
        ("vgg19", 5, [2, 2, 4, 2, 1]),
        ("vgg19", 6, [2, 2, 4, 1, 1]),
        ("vgg11", 1, [1, 1, 2, 2, 1]),
        ("vgg11", 2, [1, 1, 2, 1, 1]),
        ("vgg11", 3, [1, 1, 1, 1, 1]),
    ],
)
def test_from_back_to_front_one_convolution_stays_in_each_stage(name, count, stages, tmp_path):
    found = subject(name, tmp_path)
    order = -np.arange(len(found.parts), dtype=float)[None]
    choice = choose_by_scores(
        found, order, Budget(quantity="layers", value=count), criterion="tail", device=CPU
    )
    staying, _ = protect(found.parts, choice.kept, surgery="identity", scores=choice.scores)
    model = load_model(f"{name}{stages}".replace(" ", ""))
    assert len(staying) == len(find_parts(model, SHAPE)) == sum(stages)
    assert sum(part.parameters for part in staying) == sum(
        part.parameters for part in find_parts(model, SHAPE)
    )


@pytest.mark.slow
@pytest.mark.parametrize("third", [31, 25, 20, 15, 10, 6])
def test_the_published_depths_of_resnet152(third, tmp_path):
    found = subject("resnet152", tmp_path)
    choice = choose_by_counts(found, [3, 8, third, 3])
    assert len(choice.kept) == 1 + 3 + 8 + third + 3
    small = find_parts(load_model(f"resnet152[3,8,{third},3]"), SHAPE)
    kept = [found.parts[at] for at in choice.kept]
    assert sum(part.macs for part in kept) == sum(part.macs for part in small)


def test_counts(tmp_path):
    found = subject("resnet56", tmp_path)
    plan = make_plan(found, choose_by_counts(found, [2, 3, 6]), surgery="depth", device=CPU)
    assert (plan.params_before, plan.params_after) == (853_018, 487_002)
    assert (plan.macs_before, plan.macs_after) == (125_485_696, 49_988_224)
    assert [row["batch"] for row in plan.latency] == [1, 64]
    assert all(row["before"] > row["after"] > 0 for row in plan.latency)
    assert plan.device.endswith("threads")


def test_what_the_rule_removes_and_cannot_go_is_protected(resnet14):
    plan = make_plan(
        resnet14,
        choose_by_rule(resnet14, Rule(name="increment", threshold=0.29)),
        surgery="identity",
        device=CPU,
    )
    assert plan.removed == ["layer1.0", "layer2.1", "layer3.1"]
    assert plan.protected == {
        "layer3.0": "it changes the shape 32x16x16 -> 64x8x8",
        "layer1.1": "the stage from layer1.0 to layer1.1 needs 1",
    }
    assert follow_plan(resnet14.model, plan).removed == tuple(plan.removed)


def test_a_plan_survives_its_file(resnet14, tmp_path):
    plan = make_plan(
        resnet14, choose_by_rule(resnet14, Rule(name="increment")), surgery="identity", device=CPU
    )
    path = write_plan(plan, tmp_path / "plan.json")
    assert read_plan(path) == plan
    names = json.loads(path.read_text())
    assert names.keys() >= {
        "model", "rule", "kept", "removed", "stages", "protected", "params_before",
        "params_after", "macs_before", "macs_after",
    }  # fmt: skip


@pytest.mark.parametrize("quantity", ["macs", "params", "latency"])
def test_budgets_are_met(quantity, tmp_path):
    found = subject("resnet20", tmp_path)
    scores = np.arange(10, dtype=float)[None]
    choice = choose(found, scores, quantity, 0.8)
    plan = make_plan(found, choice, surgery="identity", device=CPU)
    if quantity == "latency":
        assert plan.removed
    else:
        after, before = getattr(plan, f"{quantity}_after"), getattr(plan, f"{quantity}_before")
        assert after <= 0.8 * before
        # without the last of them, the one of the highest score, it would not be met
        last = [layer for layer in plan.layers if not layer["kept"]][-1]
        assert after + last["macs" if quantity == "macs" else "parameters"] > 0.8 * before


def test_repeats_say_how_often_a_layer_goes(tmp_path):
    found = subject("resnet20", tmp_path)
    scores = np.full((2, 10), 9.0)
    scores[0, 2], scores[1, 2], scores[1, 3] = 0, 2, 1  # means: 1 and 5
    choice = choose(found, scores, "layers", 1)
    assert choice.kept == [0, 1, 3, 4, 5, 6, 7, 8, 9]
    assert choice.columns["removed_in_repeats"].tolist() == [0, 0, 0.5, 0.5, *[0] * 6]


def test_errors(resnet14, tmp_path):
    with pytest.raises(PlanError, match=r"--stages 3,1,1 does not fit the stages \[2, 2, 2\]"):
        choose_by_counts(resnet14, [3, 1, 1])
    with pytest.raises(PlanError, match="nothing would be removed from resnet14"):
        make_plan(resnet14, choose_by_counts(resnet14, [2, 2, 2]), surgery="depth", device=CPU)
    with pytest.raises(PlanError, match="a rule needs a curve"):
        choose_by_rule(subject("resnet14", tmp_path), Rule(name="increment"))
    plan = make_plan(
        resnet14, choose_by_rule(resnet14, Rule(name="increment")), surgery="identity", device=CPU
    )
    with pytest.raises(PlanError, match=r"the plan is for resnet14 with 7 layers .* has 10"):
        follow_plan(load_model("resnet20"), plan)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no JSON object"),
        ("[]", "is no JSON object"),
        ("{}", "is no plan of the form plan/1"),
        ('{"stratagraph": "plan/1"}', "has no 'classes'"),
    ],
)
def test_files_that_are_no_plan(content, said, tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(content)
    with pytest.raises(PlanError, match=said):
        read_plan(path)
    with pytest.raises(PlanError, match="there is no plan"):
        read_plan(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("layer_index,q\n0,1\n", "has no column 'modularity': it has layer_index, q"),
        ("layer_index,modularity\n0,x\n", "a modularity that is no number"),
        ("layer_index,modularity\n0,\n", "a modularity that is no number"),
        ("layer_index,modularity\n0,inf\n", "a modularity that is no number"),
        ("layer_index,modularity,repeat\n0,1,\n", "rows without a repeat"),
        ("layer_index,modularity\n0,0.1\n1,0.2\n", "has 2 layers, resnet8 has 4"),
        ("layer_index,modularity\n0,.1\n1,.2\n2,.3\n2,.4\n", "one row for each layer_index"),
        (
            "layer_index,modularity,layer\n0,1,relu\n1,2,layer1.0\n2,3,a\n3,4,b\n",
            "calls layer 2 'a', in resnet8 it is 'layer2.0'",
        ),
        ("layer_index,modularity\n0,1\nx,2\n,3\n3,4\n", "one row for each layer_index"),
        ("layer_index,modularity\n", "has no rows"),
        ("", "cannot be read"),
    ],
)  # fmt: skip
def test_curves_that_do_not_fit(text, said, tmp_path):
    path = tmp_path / "curve.csv"
    path.write_text(text)
    with pytest.raises(PlanError, match=said):
        open_network(Network(model="resnet8"), classes=10, input_shape=SHAPE, curve=path)


def test_curves_of_repeats_are_kept_apart(tmp_path):
    path = tmp_path / "curve.csv"
    rows = [f"{at},{(at + repeat) / 8},{repeat}" for repeat in (0, 1) for at in (2, 1, 0, 3)]
    path.write_text("layer_index,modularity,repeat\n" + "\n".join(rows))
    found = open_network(Network(model="resnet8"), classes=10, input_shape=SHAPE, curve=path)
    assert (found.curves * 8).tolist() == [[0, 1, 2, 3], [1, 2, 3, 4]]


def test_edited_plans_are_refused(resnet14, tmp_path):
    plan = make_plan(
        resnet14, choose_by_rule(resnet14, Rule(name="increment")), surgery="identity", device=CPU
    )
    path = tmp_path / "plan.json"
    content = json.loads(write_plan(plan, path).read_text())
    everything = [layer["name"] for layer in plan.layers]
    for changes, said in (
        ({"kept": [*plan.kept[1:], "relux"]}, "does not say of each layer whether it is kept"),
        ({"removed": []}, "does not say of each layer whether it is kept"),
        ({"layers": [{}]}, "does not say of each layer whether it is kept"),
        ({"kept": everything, "removed": []}, "removes no layer; name at least one under"),
        ({"kept": None}, "has 'None' as 'kept'; make the plan again"),
        ({"removed": [7]}, r"has '\[7\]' as 'removed'"),
        ({"surgery": "both"}, "has 'both' as 'surgery'"),
        ({"classes": "ten"}, "has 'ten' as 'classes'"),
        ({"input_shape": [3, 32.5, 32]}, r"has '\[3, 32.5, 32\]' as 'input_shape'"),
        ({"input_shape": [3, 0, 32]}, r"is for images of shape \[3, 0, 32\]"),
        ({"layers": ["relu"]}, r"as 'layers'"),
    ):
        path.write_text(json.dumps(content | changes))
        with pytest.raises(PlanError, match=said):
            read_plan(path)


def test_a_network_of_other_sizes_is_refused(resnet14):
    plan = make_plan(
        resnet14, choose_by_rule(resnet14, Rule(name="increment")), surgery="identity", device=CPU
    )
    with pytest.raises(PlanError, match=r"relu has parameters \d+, in the plan for resnet14 464"):
        follow_plan(load_model("resnet14", input_shape=(1, 32, 32)), replace_shape(plan))


def replace_shape(plan):
    return dataclasses.replace(plan, input_shape=[1, 32, 32])


def test_a_stage_of_blocks_is_not_emptied(tmp_path):
    curve = [0.3, 0.1, 0.12, 0.2, 0.25, 0.35, 0.4, 0.5, 0.6, 0.7]  # the dip after the stem
    found = subject("resnet20", tmp_path, curve)
    choice = choose_by_rule(found, Rule(name="running_maximum"))
    plan = make_plan(found, choice, surgery="identity", device=CPU)
    assert plan.stages == [1, 3, 3]
    assert plan.protected["layer1.2"] == "the stage from layer1.0 to layer1.2 needs 1"


def test_budgets_do_not_stumble_over_rounding(tmp_path):
    parts = [part for part in subject("resnet20", tmp_path).parts if not part.problem][:4]
    budget = Budget(quantity="macs", value=0.3)
    found = meet_budget(parts, budget, left=lambda gone: 1 - 0.35 * len(gone))
    assert len(found) == 2  # 1 - 0.7 is a hair above 0.3
