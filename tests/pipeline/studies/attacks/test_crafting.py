"""Every attack on a small network: what it may change, and that the seed decides."""

import random
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from graphs.errors import ModelError
from pipeline.studies.attacks.crafting import craft, require_library
from pipeline.studies.attacks.options import ATTACKS, Attacking
from pipeline.studies.attacks.target import TimeIsUp

QUICK = Attacking(
    iterations=5, step=0.1, searches=3, cw_iterations=5, initial_const=1.0, generations=2
)


def attack(name, target, images, *, seed=1, options=QUICK):
    pixels, labels = images
    parameters = options.parameters(name)
    return craft(name, target, pixels, labels=labels, parameters=parameters, seed=seed)


@pytest.mark.parametrize("name", ATTACKS)
def test_images_come_back_and_some_are_taken_for_others(name, scene, right):
    pixels, labels = right
    before = pixels.copy()
    found = attack(name, scene.target, right)
    assert (found.shape, found.dtype) == (pixels.shape, np.float32)
    assert 0 <= found.min() <= found.max() <= 1
    # Local Search tries dark pixels darker and then makes them bright: in vain on a linear network
    assert (scene.target.predict(found) != labels).any() or name == "localsearch"
    assert not np.array_equal(found, pixels)
    assert np.array_equal(pixels, before)
    assert np.array_equal(found, attack(name, scene.target, right))


def test_fgsm_is_one_step_along_the_sign_of_the_gradient(scene, right):
    pixels, labels = right
    images = torch.from_numpy(pixels).requires_grad_()
    F.cross_entropy(scene.target(images), torch.from_numpy(labels)).backward()
    expected = np.clip(pixels + 0.3 * images.grad.sign().numpy(), 0, 1)
    np.testing.assert_allclose(attack("fgsm", scene.target, right), expected, atol=1e-6)


def test_pgd_stays_within_eps(scene, right):
    change = attack("pgd", scene.target, right) - right[0]
    assert 0.25 < np.abs(change).max() <= 0.3 + 1e-6


def test_jsma_sets_values_to_one(scene, right):
    found = attack("jsma", scene.target, right)
    assert (found[found != right[0]] == 1).all()


def test_one_pixel_is_one_pixel(scene, right):
    changed = (attack("onepixel", scene.target, right) != right[0]).any(axis=1).sum(axis=(1, 2))
    assert changed.max() == 1


def test_one_image_is_enough(scene, right):
    for name in ATTACKS:
        assert attack(name, scene.target, (right[0][:1], right[1][:1])).shape == (1, 1, 8, 8)


@pytest.mark.parametrize("name", ["pgd", "jsma", "onepixel", "localsearch"])
def test_the_seed_decides(name, scene, right):
    one, other = (attack(name, scene.target, right, seed=seed) for seed in (1, 2))
    assert not np.array_equal(one, other)


def test_generators_of_others_are_left_alone(scene, right):
    def state():
        numbers = np.random.get_state()[1].tolist()  # noqa: NPY002 (what ART draws from)
        return random.getstate(), numbers, torch.get_rng_state().tolist()

    before = state()
    attack("pgd", scene.target, right)
    attack("onepixel", scene.target, right)
    assert state() == before


@pytest.mark.parametrize("name", ATTACKS)
def test_networks_of_two_classes(name, open_named):
    target = open_named("two_classes").target
    images = np.full((3, 1, 8, 8), 0.45, np.float32)
    found = attack(name, target, (images, np.zeros(3, np.int64)))
    assert found.shape == images.shape


@pytest.mark.parametrize("name", ATTACKS)
def test_time_can_be_up_in_the_middle(name, scene, right):
    scene.target.until = -1.0
    try:
        with pytest.raises(TimeIsUp):
            attack(name, scene.target, right)
    finally:
        scene.target.until = float("inf")


def test_a_network_without_gradients(open_named, right):
    target = open_named("stepped").target
    with pytest.raises(ModelError, match="fgsm does not work on Stepped: .*; leave it out"):
        attack("fgsm", target, right)


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    require_library()
    monkeypatch.setitem(sys.modules, "art.attacks.evasion", None)
    with pytest.raises(ModelError, match=r"attacks need the adversarial.*\.\[attacks\]"):
        require_library()
