"""Which images count, when an attack ends, and how it goes on."""

from dataclasses import replace

import numpy as np
import pytest

from graphs.errors import RunError
from pipeline.studies.attacks import batches
from pipeline.studies.attacks.batches import SIZES, Attack
from pipeline.studies.attacks.options import Attacking
from pipeline.studies.attacks.target import TimeIsUp

WEAK = {"eps": 0.15, "iterations": 3, "step": 0.05}


@pytest.fixture
def attack(scene, tmp_path, monkeypatch):
    """PGD over 30 digits, in batches of 6: it wins over some of them."""
    monkeypatch.setitem(SIZES, "pgd", 6)
    return Attack(
        name="pgd",
        folder=tmp_path / "pgd",
        target=scene.target,
        data=scene.raw,
        order=np.arange(100, 130),
        attacking=Attacking(successes=100, **WEAK),
        seed=5,
        inputs="digits",
    )


def run(attack):
    brought = []
    return attack.run(advance=brought.append), brought


def files(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def same(one, other):
    return (
        one.attempted == other.attempted
        and one.samples.tolist() == other.samples.tolist()
        and np.array_equal(one.pixels, other.pixels)
    )


def test_only_what_was_right_and_became_wrong_counts(attack, scene, monkeypatch):
    """Every second image is replaced by another digit, the others are left as they are."""
    every = scene.raw.labels
    pixels = scene.raw.images(np.arange(len(every))).numpy()
    right = scene.target.predict(pixels) == every
    seen = []

    def swap(name, target, images, *, labels, parameters, seed):
        seen.append((len(images), seed))
        changed = images.copy()
        for place in range(0, len(images), 2):
            other = np.flatnonzero(right & (every != labels[place]))[0]
            changed[place] = pixels[other]
        return changed

    monkeypatch.setattr(batches, "craft", swap)
    found, brought = run(attack)
    expected = []
    for start in range(100, 130, 6):
        members = np.arange(start, start + 6)
        expected += members[right[members]][::2].tolist()
    assert not right[100:130].all()
    assert found.attempted == right[100:130].sum() == sum(count for count, _ in seen)
    assert found.samples.tolist() == expected
    assert sum(brought) == len(expected)
    assert not found.limited
    assert len({seed for _, seed in seen}) == len(seen)
    assert (scene.target.predict(found.pixels) != every[found.samples]).all()


def test_the_attack_is_one_that_some_images_withstand(attack):
    found, _ = run(attack)
    assert 5 < len(found.samples) < found.attempted


def test_it_ends_when_there_are_enough(attack):
    enough, brought = run(replace(attack, attacking=Attacking(successes=3, **WEAK)))
    assert len(enough.samples) >= 3 > sum(brought[:-1])
    written = files(attack.folder)
    more, _ = run(attack)
    assert more.samples[: len(enough.samples)].tolist() == enough.samples.tolist()
    assert {name: files(attack.folder)[name] for name in written} == written


@pytest.mark.parametrize("at", [0, 1, 3])
def test_interrupted_and_resumed(attack, tmp_path, monkeypatch, at):
    whole, _ = run(attack)
    other = replace(attack, folder=tmp_path / "other")
    calls, craft = [], batches.craft

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == at + 1:
            raise KeyboardInterrupt
        return craft(*arguments, **options)

    monkeypatch.setattr(batches, "craft", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(other)
    assert len(list((other.folder / "batches").glob("*"))) == at
    assert other.target.until == float("inf")
    assert same(run(other)[0], whole)
    assert len(calls) == 5 + 1
    assert files(other.folder) == files(attack.folder)


def test_time_is_up_and_more_is_given(attack, tmp_path, monkeypatch):
    whole, _ = run(attack)
    calls, craft = [], batches.craft

    def slow(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise TimeIsUp
        return craft(*arguments, **options)

    monkeypatch.setattr(batches, "craft", slow)
    other = replace(
        attack, folder=tmp_path / "other", attacking=Attacking(successes=100, time_limit=9, **WEAK)
    )
    first, _ = run(other)
    assert first.limited
    assert len(calls) == 3
    again, _ = run(other)  # the time is known to be up: nothing is attacked
    assert same(first, again)
    assert again.limited
    assert len(calls) == 3
    longer, _ = run(replace(other, attacking=Attacking(successes=100, time_limit=10, **WEAK)))
    assert same(longer, whole)
    assert not longer.limited


def test_the_clock_ends_it(attack):
    found, _ = run(replace(attack, attacking=Attacking(time_limit=1e-9, **WEAK)))
    assert found.limited
    assert (found.attempted, len(found.samples), found.pixels.shape) == (0, 0, (0, 1, 8, 8))


@pytest.mark.parametrize(
    "change",
    [{"seed": 6}, {"inputs": "others"}, {"attacking": Attacking(successes=100, eps=0.4)}],
)
def test_an_attack_with_other_inputs_is_refused_and_nothing_is_lost(attack, change):
    run(attack)
    before = files(attack.folder)
    with pytest.raises(RunError, match="holds attacks with other options, images, weights"):
        run(replace(attack, **change))
    assert files(attack.folder) == before


def test_damaged_batches_are_done_again(attack):
    whole, _ = run(attack)
    before = files(attack.folder)
    (attack.folder / "batches" / "00001.npz").write_bytes(b"PK")
    (attack.folder / "batches" / "00002.npz").unlink()
    again, _ = run(attack)
    assert same(again, whole)
    assert files(attack.folder) == before


def test_attacked_images_with_a_damaged_note_are_not_thrown_away(attack):
    run(attack)
    before = files(attack.folder / "batches")
    (attack.folder / "attack.json").write_text("{")
    with pytest.raises(RunError, match=r"attack\.json cannot be read, .* holds attacked images"):
        run(attack)
    assert files(attack.folder / "batches") == before


def test_a_damaged_note_alone_is_written_again(attack):
    attack.folder.mkdir()
    (attack.folder / "attack.json").write_text("{")
    assert run(attack)[0].attempted > 0


def test_another_version_of_the_library_is_refused(attack, monkeypatch):
    run(attack)
    monkeypatch.setattr(batches, "library_version", lambda: "0.1")
    with pytest.raises(RunError, match="or version of the attack library"):
        run(attack)


def test_a_network_that_is_always_wrong(attack, monkeypatch):
    monkeypatch.setattr(batches.Target, "predict", lambda self, pixels: np.full(len(pixels), 99))
    found, _ = run(attack)
    assert (found.attempted, len(found.samples)) == (0, 0)
