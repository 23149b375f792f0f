"""The loss against its definition; a training with a teacher is a training of its own."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from graphs.errors import ModelError, RunError
from pipeline.training import Recipe, Teacher, distillation_loss, train

QUICK = Recipe(epochs=3, batch_size=32, lr=0.05, milestones=(2,))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1),
    weight=st.floats(0, 1),
    temperature=st.floats(0.5, 20),
    shape=st.tuples(st.integers(1, 6), st.integers(2, 5)),
)
def test_the_loss_is_its_definition(seed, weight, temperature, shape):
    generator = np.random.default_rng(seed)
    z, v = generator.normal(size=(2, *shape))
    labels = generator.integers(0, shape[1], shape[0])
    hard = -np.log(softmax(z)[np.arange(shape[0]), labels]).mean()
    p, q = softmax(v / temperature), softmax(z / temperature)
    soft = (p * np.log(p / q)).sum(axis=1).mean()
    found = distillation_loss(
        torch.tensor(z),
        torch.tensor(labels),
        torch.tensor(v),
        weight=weight,
        temperature=temperature,
    )
    expected = (1 - weight) * hard + weight * temperature**2 * soft
    assert math.isclose(found.item(), expected, rel_tol=1e-9, abs_tol=1e-9)


def test_one_step_follows_the_gradient_of_the_loss(tmp_path, few):
    torch.manual_seed(0)
    model, other = (nn.Sequential(nn.Flatten(), nn.Linear(64, 10)) for _ in range(2))
    start = {name: value.clone() for name, value in model.state_dict().items()}
    images, labels = few[0].images(range(200)), torch.from_numpy(few[0].labels)
    loss = distillation_loss(model(images), labels, other(images), weight=0.3, temperature=2.0)
    loss.backward()
    gradient = {name: value.grad.clone() for name, value in model.named_parameters()}
    model.zero_grad()
    other.zero_grad()
    recipe = Recipe(epochs=1, batch_size=500, lr=0.5, weight_decay=0)
    teacher = Teacher(model=other, weight=0.3, temperature=2.0)
    result = train(model, *few, out=tmp_path, recipe=recipe, teacher=teacher)
    for name, value in result.model.state_dict().items():
        torch.testing.assert_close(value, start[name] - 0.5 * gradient[name])
    assert result.history["train_loss"].iloc[0] == pytest.approx(loss.item(), rel=1e-5)
    assert all(parameter.grad is None for parameter in other.parameters())


def test_interrupted_ends_in_the_same_weights(tmp_path, build, few):
    def start(out, stop=None):
        def leave(record):
            if record.epoch == stop:
                raise KeyboardInterrupt

        teacher = Teacher(model=build(dropout=0.5), weight=0.5)
        teacher.model.train()  # it answers in eval mode all the same
        return train(
            build(), *few, out=tmp_path / out, recipe=QUICK, teacher=teacher, on_epoch=leave
        )

    whole = start("whole")
    with pytest.raises(KeyboardInterrupt):
        start("killed", stop=1)
    again = start("killed")
    assert again.resumed_from == 1
    assert again.weights.read_bytes() == whole.weights.read_bytes()


def test_another_teacher_is_another_training(tmp_path, build, few):
    train(build(), *few, out=tmp_path, recipe=QUICK, teacher=Teacher(model=build(), weight=0.5))
    with pytest.raises(RunError, match=r"another training: distill was 0\.5, now 0\.25"):
        train(
            build(), *few, out=tmp_path, recipe=QUICK, teacher=Teacher(model=build(), weight=0.25)
        )
    with pytest.raises(RunError, match=r"distill was 0\.5, now None; teacher was .*, now None"):
        train(build(), *few, out=tmp_path, recipe=QUICK)


def test_a_teacher_of_too_few_classes(tmp_path, build, few):
    teacher = Teacher(model=build(classes=5), weight=0.5)
    with pytest.raises(ModelError, match=r"has 5 outputs, .* has 10 classes"):
        train(build(), *few, out=tmp_path, recipe=QUICK, teacher=teacher)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"weight": 0}, r"weight of 0 is not possible; give a number above 0 and up to 1"),
        ({"weight": 1.5}, r"weight of 1\.5 is not possible"),
        ({"weight": float("nan")}, r"weight of nan is not possible"),
        ({"weight": 0.5, "temperature": 0}, r"temperature of 0 is not possible; give a number"),
        ({"weight": 0.5, "temperature": math.inf}, r"temperature of inf is not possible"),
    ],
)
def test_impossible_values(values, message):
    with pytest.raises(RunError, match=message):
        Teacher(model=nn.Identity(), **values)
