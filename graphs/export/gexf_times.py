"""Times of a GEXF file: what each spell and value says, and whether they make sense together."""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from operator import itemgetter

from graphs.export.rule_checker import is_number

Interval = tuple[float, float]
Text = tuple[str | None, str | None, str | None]
TIMES = ("start", "end", "timestamp")
SPELLS = "<spells>"


class GexfTimes:
    """Follow the times of the elements of a file.

    Parameters
    ----------
    add : callable
        Takes the name of a rule and what breaks it.
    """

    def __init__(self, add: Callable[[str, str], None]) -> None:
        self._add = add
        self._known: dict[Text, Interval] = {}
        self._element: dict[str, list[Interval]] = {}
        self.representation = ""

    def begin(self) -> None:
        """Begin a node or an edge."""
        self._element = {}

    def take(self, attributes: Mapping[str, str], *, name: str, what: str) -> None:
        """Take the time of one spell or of one value of the attribute `name`."""
        text = (attributes.get("start"), attributes.get("end"), attributes.get("timestamp"))
        moment = self._known.get(text) or self._read(text, what=what)
        if moment is None:
            return
        earlier = self._element.setdefault(name, [])
        if earlier and moment <= earlier[-1]:
            self._add("time-order", f"{what} at {moment[0]} follows {earlier[-1][0]}")
        earlier.append(moment)

    def same(self, name: str) -> bool:
        """Whether the spells of this element are there, and are the times of `name`."""
        spells = self._element.get(SPELLS)
        return spells is not None and spells == self._element.get(name)

    def texts(self) -> list[str]:
        """Return the times met so far in rising order, as they are written."""
        return [
            " ".join(
                f'{name}="{value}"'
                for name, value in zip(TIMES, text, strict=True)
                if value is not None
            )
            for text, _ in sorted(self._known.items(), key=itemgetter(1))
        ]

    def finish(self) -> None:
        """Compare all intervals of the file."""
        if self.representation == "timestamp":
            return
        for one, other in pairwise(sorted(set(self._known.values()))):
            if other[0] <= one[1]:
                self._add("time-touching", f"interval {list(one)} touches {list(other)}")

    def _read(self, text: Text, *, what: str) -> Interval | None:
        start, end, timestamp = text
        values: tuple[str | None, ...]
        if self.representation == "timestamp":
            wrong, values = start is not None or end is not None, (timestamp,)
        else:
            wrong, values = timestamp is not None, (start, end)
        numbers = [float(value) for value in values if value and is_number(value)]
        if wrong or None in values:
            self._add("time-kind", f"{what} has {_told(text)}")
        elif len(numbers) < len(values) or not all(map(math.isfinite, numbers)):
            self._add("time-value", f"{what} has {_told(text)}")
        elif len(numbers) > 1 and numbers[0] >= numbers[1]:
            self._add("time-width", f"{what} has {_told(text)}")
        else:
            self._known[text] = moment = (numbers[0], numbers[-1])
            return moment
        return None


def _told(text: Text) -> str:
    names = zip(TIMES, text, strict=True)
    return " and ".join(f"{name} {value!r}" for name, value in names if value is not None) or (
        "no time"
    )
