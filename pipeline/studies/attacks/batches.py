"""An attack, batch by batch, until enough images were changed: every batch is a file."""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.errors import RunError
from graphs.files import digest_json, read_json, remove_tree, replacing, write_json
from pipeline.data import ImageData
from pipeline.data.arrays import ARCHIVE_ERRORS
from pipeline.studies.attacks.crafting import craft, library_version
from pipeline.studies.attacks.options import ATTACKS, OWN, Attacking, AttackName
from pipeline.studies.attacks.target import Pixels, Target, TimeIsUp

# images at a time: as many as pay off, few enough that little is lost when time is up
SIZES: dict[AttackName, int] = {
    "fgsm": 128,
    "pgd": 128,
    "jsma": 32,
    "cw": 4,
    "onepixel": 4,
    "localsearch": 16,
}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What an attack found, in a batch or in all.

    Attributes
    ----------
    attempted : int
        Images that were right, and attacked.
    samples : ndarray of int64, shape (n,)
        Positions in the data set of those that became wrong.
    pixels : ndarray of float32, shape (n, C, H, W)
        What became of them.
    limited : bool
        Whether the time limit ended it.
    """

    attempted: int
    samples: NDArray[np.int64]
    pixels: Pixels
    limited: bool = False


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One attack on one network and data set.

    Attributes
    ----------
    name : str
        Which attack.
    folder : Path
        Where its batches go.
    target : Target
        The network.
    data : ImageData
        Images in [0, 1], not normalised.
    order : ndarray of int64
        Positions in the order in which they are attacked.
    attacking : Attacking
        The options.
    seed : int
        Of all that is random.
    inputs : str
        Digest of network and images.
    """

    name: AttackName
    folder: Path
    target: Target
    data: ImageData
    order: NDArray[np.int64]
    attacking: Attacking
    seed: int
    inputs: str

    def run(self, *, advance: Callable[[int], None]) -> Found:
        """Attack batch after batch until there are enough successes, no images, or no time.

        Batches that are there are not attacked again, and count as those that are.

        Parameters
        ----------
        advance : callable
            Told how many successes each batch brought.

        Returns
        -------
        Found
            All successes; more than wanted where the last batch had more.
        """
        spent = self._begin()
        limit = self.attacking.time_limit
        until = time.monotonic() + limit if spent is None or spent < limit else float("-inf")
        parts: list[Found] = []
        successes, limited = 0, False
        for number, members in self._batches():
            part = self._read(number)
            if part is None:
                try:
                    part = self._attack(number, members, until=until)
                except TimeIsUp:
                    limited = True
                    self._record(max(limit, spent or 0.0))
                    break
                self._write(number, part)
            parts.append(part)
            successes += len(part.samples)
            advance(len(part.samples))
            if successes >= self.attacking.successes:
                break
        empty = np.empty((0, *self.data.input_shape), dtype=np.float32)
        return Found(
            attempted=sum(part.attempted for part in parts),
            samples=np.concatenate([np.empty(0, np.int64), *(part.samples for part in parts)]),
            pixels=np.concatenate([empty, *(part.pixels for part in parts)]),
            limited=limited,
        )

    def _batches(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        for number, start in enumerate(range(0, len(self.order), self.size)):
            yield number, self.order[start : start + self.size]

    def _attack(self, number: int, members: NDArray[np.int64], *, until: float) -> Found:
        """Attack the images of a batch that are right, and keep those that become wrong."""
        if time.monotonic() > until:
            raise TimeIsUp
        pixels = self.data.images(members).numpy()
        labels = self.data.labels[members]
        right = self.target.predict(pixels) == labels
        pixels, labels, members = pixels[right], labels[right], members[right]
        if not len(members):
            return Found(attempted=0, samples=members, pixels=pixels)
        entropy = [self.seed, ATTACKS.index(self.name), number]
        self.target.until = until
        try:
            changed = craft(
                self.name,
                self.target,
                pixels,
                labels=labels,
                parameters=self.attacking.parameters(self.name),
                seed=int(np.random.SeedSequence(entropy).generate_state(1)[0]),
            )
        finally:
            self.target.until = float("inf")
        wrong = self.target.predict(changed) != labels
        return Found(attempted=len(members), samples=members[wrong], pixels=changed[wrong])

    @property
    def size(self) -> int:
        """Images at a time."""
        return min(SIZES[self.name], self.target.size)

    @property
    def _about(self) -> dict[str, Any]:
        return {
            "attack": self.name,
            "inputs": self.inputs,
            "seed": self.seed,
            "batch": self.size,
            "device": self.target.device.type,
            "library": "" if self.name in OWN else library_version(),
            "parameters": self.attacking.parameters(self.name),
        }

    @property
    def _note(self) -> Path:
        return self.folder / "attack.json"

    def _begin(self) -> float | None:
        """Make the folder ready; return the seconds after which time was up before, if it was."""
        digest = digest_json(self._about)
        there = any((self.folder / "batches").glob("*.npz"))
        found: dict[str, Any] = {}
        try:
            found = read_json(self._note)
        except RunError as error:
            if there:  # whose they are cannot be told: they may have taken hours
                raise RunError(
                    f"{self._note} cannot be read, {self.folder} holds attacked images",
                    "--force to attack again, or put the file back",
                ) from error
        if found.get("digest") == digest:
            seconds: float | None = found["time_was_up_after"]
            return seconds
        if there:
            raise RunError(
                f"{self.folder} holds attacks with other options, images, weights, --memory, "
                "device or version of the attack library",
                "choose another --out, or --force to replace them",
            )
        remove_tree(self.folder)
        self._record(None)
        return None

    def _record(self, seconds: float | None) -> None:
        about = self._about
        write_json(
            self._note, {**about, "digest": digest_json(about), "time_was_up_after": seconds}
        )

    def _path(self, number: int) -> Path:
        return self.folder / "batches" / f"{number:05d}.npz"

    def _read(self, number: int) -> Found | None:
        try:
            with self._path(number).open("rb") as file, np.load(file, allow_pickle=False) as batch:
                return Found(
                    attempted=int(batch["attempted"]),
                    samples=batch["samples"],
                    pixels=batch["pixels"],
                )
        except (*ARCHIVE_ERRORS, KeyError):  # missing or damaged: done again
            return None

    def _write(self, number: int, part: Found) -> None:
        arrays = {
            "attempted": np.int64(part.attempted),
            "samples": part.samples,
            "pixels": part.pixels,
        }
        with replacing(self._path(number)) as temporary:
            temporary.write_bytes(pack_arrays(arrays))


def pack_arrays(arrays: dict[str, Any]) -> bytes:
    """Return what an ``.npz`` file of these arrays holds; the same arrays give the same bytes."""
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    return packed.getvalue()
