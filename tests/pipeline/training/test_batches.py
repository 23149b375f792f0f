import dataclasses
import threading

import numpy as np
import pytest
import torch

from graphs.errors import DataError
from pipeline.training.batches import CROP_PADDING, Batches, augment_crop_flip

CPU = torch.device("cpu")


def test_decoded_batches_equal_those_from_memory(digits):
    train, _ = digits
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    held, decoded = Batches.of(train, CPU), Batches.of(train, CPU, memory_bytes=0)
    assert held.images is not None
    assert decoded.images is None
    pairs = zip(held.iterate(order, 100), decoded.iterate(order, 100), strict=True)
    seen = []
    for (images, labels), (images_too, labels_too) in pairs:
        assert torch.equal(images, images_too)
        assert torch.equal(labels, labels_too)
        seen.append(labels)
    assert torch.equal(torch.cat(seen), torch.from_numpy(train.labels)[order])


def test_memory_limit_counts_float32(digits):
    train, _ = digits
    size = len(train) * 64 * 4
    assert Batches.of(train, CPU, memory_bytes=size).images is not None
    assert Batches.of(train, CPU, memory_bytes=size - 1).images is None


def test_no_batch_of_one_image(few):
    batches = Batches.of(few[0], CPU)
    sizes = [len(labels) for _, labels in batches.iterate(torch.arange(101), 50)]
    assert sizes == [50, 51]
    assert [len(labels) for _, labels in batches.iterate(torch.arange(1), 50)] == [1]


class Torn:
    """A source whose image 57 cannot be read."""

    def __init__(self, source):
        self.labels, self.label_names, self.shape = source.labels, source.label_names, source.shape
        self.source = source

    def read(self, indices):
        if 57 in indices:
            raise DataError("sample 57 is torn", "mend it")
        return self.source.read(indices)

    def digest(self):
        return "torn"


def test_an_error_in_the_reader_reaches_the_caller(few):
    torn = dataclasses.replace(few[0], source=Torn(few[0].source))
    threads = threading.active_count()
    batches = Batches.of(torn, CPU, memory_bytes=0).iterate(torch.arange(100), 10)
    with pytest.raises(DataError, match="sample 57 is torn; mend it"):
        list(batches)
    assert threading.active_count() == threads


def test_leaving_in_the_middle_ends_the_reading_thread(few):
    threads = threading.active_count()
    given = Batches.of(few[0], CPU, memory_bytes=0).iterate(torch.arange(100), 10)
    next(given)
    given.close()
    assert threading.active_count() == threads


def test_augmentation_is_a_shifted_and_flipped_image():
    random = np.random.default_rng(0)
    images = torch.from_numpy(random.normal(size=(120, 3, 6, 9)).astype(np.float32))
    black = torch.tensor([-1.0, -2.0, -3.0]).view(1, 3, 1, 1)
    result = augment_crop_flip(images, black, generator=torch.Generator().manual_seed(0))
    assert result.shape == images.shape
    found = set()
    for image, new in zip(images, result, strict=True):
        padded = black[0].expand(3, 6 + 2 * CROP_PADDING, 9 + 2 * CROP_PADDING).clone()
        padded[:, CROP_PADDING : CROP_PADDING + 6, CROP_PADDING : CROP_PADDING + 9] = image
        matches = [
            (top, left, flip)
            for top in range(2 * CROP_PADDING + 1)
            for left in range(2 * CROP_PADDING + 1)
            for flip in (False, True)
            for crop in [padded[:, top : top + 6, left : left + 9]]
            if torch.equal(crop.flip(2) if flip else crop, new)
        ]
        assert len(matches) == 1
        found.update(matches)
    tops, lefts, flips = (set(values) for values in zip(*found, strict=True))
    # All shifts of -4 ... 4 and both sides turn up among 120 images.
    assert tops == set(range(9))
    assert lefts == set(range(9))
    assert flips == {False, True}


def test_augmentation_depends_on_the_generator_alone():
    images, black = torch.rand(8, 1, 5, 5), torch.zeros(1, 1, 1, 1)
    first, again, other = (
        augment_crop_flip(images, black, generator=torch.Generator().manual_seed(seed))
        for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
