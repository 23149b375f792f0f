"""Random numbers of igraph, which has one generator for the process."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import igraph


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Give igraph a generator of its own for the time of some calls.

    Parameters
    ----------
    seed : int
        Of that generator. Afterwards igraph draws from Python's ``random`` again, whose own state
        is left alone.
    """
    igraph.set_random_number_generator(random.Random(int(seed)))  # noqa: S311 - no secret is drawn
    try:
        yield
    finally:
        igraph.set_random_number_generator(random)
