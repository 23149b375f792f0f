import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from graphs.errors import ModelError
from pipeline.neurons.masks import apply_masks, choose_masks, magnitude_mask, weights_of


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=40),
    st.floats(0, 1),
)
def test_mask_keeps_the_largest_and_ties_by_index(values, sparsity):
    weight = torch.tensor(values, dtype=torch.float32)
    kept = magnitude_mask(weight, sparsity).numpy().astype(bool)
    order = np.argsort(-np.abs(values), kind="stable")[: round(len(values) * (1 - sparsity))]
    assert set(np.flatnonzero(kept)) == set(order)


def test_each_tensor_is_pruned_by_itself():
    small, large = torch.arange(1.0, 11), 100 * torch.arange(1.0, 21)
    masks = choose_masks([small, large], 0.9)
    assert [int(mask.sum()) for mask in masks] == [1, 2]
    apply_masks([small, large], masks)
    assert small.tolist() == [0] * 9 + [10]


def test_weights_in_order_without_biases():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 5))
    assert [tuple(w.shape) for w in weights_of(model)] == [(2, 1, 3, 3), (5, 8)]
    with pytest.raises(ModelError, match="no linear or convolutional layer"):
        weights_of(nn.ReLU())
