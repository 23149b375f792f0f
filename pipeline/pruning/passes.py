"""Forward passes of a network over one node set, as criteria read them."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from graphs.cka_sums import CkaSums, Gram, feature_gram
from graphs.errors import ModelError
from graphs.influence import row_cosines
from graphs.row_batches import FEWEST, split_batches
from pipeline.bypass import bypassed
from pipeline.forward import batch_size
from pipeline.hooks import capture
from pipeline.placement import place
from pipeline.pruning.parts import Part
from pipeline.tracing import like_parameters, run_model, trace_model

ReadImages = Callable[[NDArray[np.int64]], Tensor]
IMAGES_SHARE = 8  # images are kept where they fit into this part of the memory


@dataclass(frozen=True, kw_only=True, eq=False)
class Changes:
    """What each of L layers does to the features that it is given.

    Attributes
    ----------
    cosines : ndarray of float64, shape (L, n)
        Between input and output of every sample; NaN where a layer changes the shape.
    cka : ndarray of float64, shape (L,)
        Linear CKA between input and output, unbiased, from batches.
    """

    cosines: NDArray[np.float64]
    cka: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What a network gives for n samples in the end.

    Attributes
    ----------
    grams : list of Gram
        Products of the penultimate features, one a batch.
    logits : ndarray of float32, shape (n, classes), or None
        None where its output is no table of logits.
    """

    grams: list[Gram]
    logits: NDArray[np.float32] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Passes:
    """A copy of a network that is ready to run over the images of one node set.

    Attributes
    ----------
    model : Module
        The copy, on its device. Who changes it puts it back.
    parts : tuple of Part
        Its layers.
    read : callable
        Nodes in, images out.
    n_nodes : int
        Number of samples, n.
    batch, gradient_batch : int
        Images at a time that fit into the memory, without gradients and with them.
    device, memory_format
        Where images go and how they lie there.
    penultimate : str or None
        The module whose input stands for the penultimate features; None: the network's output.
    seed : int
        Of the batches of which CKA is made.
    """

    model: nn.Module
    parts: tuple[Part, ...]
    read: ReadImages
    n_nodes: int
    batch: int
    gradient_batch: int
    device: torch.device
    memory_format: torch.memory_format
    penultimate: str | None
    seed: int
    _outcomes: dict[str, Outcome] = field(default_factory=dict)

    @classmethod
    def prepare(
        cls,
        model: nn.Module,
        parts: Sequence[Part],
        read: ReadImages,
        *,
        n_nodes: int,
        device: torch.device,
        memory: int,
        seed: int = 0,
    ) -> "Passes":
        """Copy a network to its device and choose batches that fit into `memory`.

        Raises
        ------
        ModelError
            When it cannot run on the images.
        """
        example = read(np.zeros(1, np.int64))
        twin = copy.deepcopy(model).requires_grad_(requires_grad=False)
        memory_format = place(twin, device, example)
        trace = trace_model(twin, example)
        values = [call.got // trace.batch for call in trace.calls.values()]
        stored = 2 * sum(int(np.prod(part.shape)) for part in parts)
        removable = [member for part in parts if part.problem is None for member in part.members]
        last = [
            name for name in trace.calls if isinstance(trace.modules[name], _ConvNd | nn.Linear)
        ]
        inside = bool(last) and any(f"{last[-1]}.".startswith(f"{name}.") for name in removable)
        return cls(
            model=twin,
            parts=tuple(parts),
            read=_hold(read, n_nodes, memory // IMAGES_SHARE),
            n_nodes=n_nodes,
            batch=max(FEWEST, batch_size(max(stored, 2 * max(values)), memory)),
            gradient_batch=batch_size(sum(values), memory),
            device=device,
            memory_format=memory_format,
            penultimate=last[-1] if last and not inside else None,
            seed=seed,
        )

    def place_images(self, nodes: NDArray[np.int64]) -> Tensor:
        """Images of some nodes, where and how the network takes them."""
        images = like_parameters(self.model, self.read(nodes).to(self.device))
        return images.to(memory_format=self.memory_format) if images.ndim == 4 else images

    def in_order(self, size: int) -> Iterator[NDArray[np.int64]]:
        """All nodes, batch by batch, in their order."""
        for start in range(0, self.n_nodes, size):
            yield np.arange(start, min(start + size, self.n_nodes))

    @cached_property
    def dealt(self) -> list[NDArray[np.int64]]:
        """All nodes in batches at random, as CKA needs them."""
        return split_batches(self.n_nodes, self.batch, seed=self.seed)

    @cached_property
    def changes(self) -> Changes:
        """What every layer does to its input, from one pass over the images."""
        first = [part.members[0] for part in self.parts]
        last = [part.name for part in self.parts]
        cosines = np.full((len(self.parts), self.n_nodes), np.nan)
        sums = [CkaSums(2) for _ in self.parts]
        with capture(self.model, last, inputs=first) as captured:
            for nodes in self.dealt:
                run_model(self.model, self.place_images(nodes))
                for row, (begin, end) in enumerate(zip(first, last, strict=True)):
                    given = captured.inputs[begin].numpy()
                    got = captured.outputs[end].numpy()
                    if not len(given) == len(got) == len(nodes):
                        continue  # its rows are no samples
                    sums[row].add([feature_gram(given), feature_gram(got)])
                    if given.shape == got.shape:
                        cosines[row, nodes] = row_cosines(given, got)
        return Changes(cosines=cosines, cka=np.array([_quotient(each) for each in sums]))

    def outcome(self, without: Part | None = None) -> Outcome:
        """Return what the network gives in the end, with or without one of its layers.

        Each is computed once.
        """
        key = "" if without is None else without.name
        if key not in self._outcomes:
            with bypassed(self.model, () if without is None else without.members):
                self._outcomes[key] = self._run()
        return self._outcomes[key]

    def _run(self) -> Outcome:
        grams, found = [], []
        with ExitStack() as stack:
            inputs = [] if self.penultimate is None else [self.penultimate]
            captured = stack.enter_context(capture(self.model, [], inputs=inputs))
            for nodes in self.dealt:
                output = run_model(self.model, self.place_images(nodes))
                rows = output if self.penultimate is None else captured.inputs[self.penultimate]
                grams.append(feature_gram(_table(rows, self.model)))
                found.append(output)
        return Outcome(grams=grams, logits=self._logits(found))

    def _logits(self, found: list[object]) -> NDArray[np.float32] | None:
        if not all(isinstance(part, Tensor) and part.ndim == 2 for part in found):
            return None
        tables = [part.float().cpu().numpy() for part in found if isinstance(part, Tensor)]
        logits = np.empty((self.n_nodes, tables[0].shape[1]), np.float32)
        for nodes, table in zip(self.dealt, tables, strict=True):
            logits[nodes] = table
        return logits


def _hold(read: ReadImages, n_nodes: int, memory: int) -> ReadImages:
    """Decode all images once, where there is room for them: dozens of passes read them."""
    if read(np.zeros(1, np.int64)).nbytes * n_nodes > memory:
        return read
    held = read(np.arange(n_nodes))
    return lambda nodes: held[torch.from_numpy(nodes)]


def _quotient(sums: CkaSums) -> float:
    return float(sums.cka()[0, 1])


def _table(rows: object, model: nn.Module) -> NDArray[np.floating]:
    if not isinstance(rows, Tensor):
        raise ModelError(
            f"{type(model).__name__} gives a {type(rows).__name__}, not a tensor",
            "choose a classifier",
        )
    table: NDArray[np.floating] = rows.flatten(1).float().cpu().numpy()
    return table
