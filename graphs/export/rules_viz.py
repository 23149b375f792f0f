"""The rules of colours, places, sizes and shapes in GEXF files."""

import math

from graphs.export.rule_checker import (
    Attributes,
    Handler,
    RuleChecker,
    is_hex_color,
    is_integer,
    is_number,
)
from graphs.export.rule_tables import EDGE_SHAPES, NODE_SHAPES

LAST_CHANNEL = 255


class VizRules:
    """Check the elements with the prefix ``viz`` for the checker of a whole file."""

    def __init__(self, checker: RuleChecker) -> None:
        self._checker = checker
        self.handlers: dict[str, Handler] = {
            "viz:color": self._color,
            "viz:position": self._position,
            "viz:size": self._size,
            "viz:thickness": self._thickness,
            "viz:shape": self._shape,
        }

    def _color(self, attributes: Attributes) -> None:
        channels = [attributes.get(channel, "") for channel in "rgb"]
        right = all(is_integer(text) and 0 <= int(text) <= LAST_CHANNEL for text in channels)
        if "hex" in attributes:
            right = channels == ["", "", ""] and is_hex_color(attributes["hex"]) is not None
        alpha = attributes.get("a", "1.0")
        if not right or not is_number(alpha) or not 0 <= float(alpha) <= 1:
            self._checker.add("color", f"viz:color has {attributes}")

    def _position(self, attributes: Attributes) -> None:
        if not all(map(_is_finite, attributes.values())):
            self._checker.add("position", f"viz:position has {attributes}")

    def _size(self, attributes: Attributes) -> None:
        if _is_finite(attributes["value"]):
            self._checker.sizes.append(float(attributes["value"]))
        else:
            self._checker.add("size", f"viz:size has {attributes}")

    def _thickness(self, attributes: Attributes) -> None:
        self._checker.check_value(attributes["value"], kind="double", what="viz:thickness")

    def _shape(self, attributes: Attributes) -> None:
        known = NODE_SHAPES if self._checker.path[-2] == "node" else EDGE_SHAPES
        if attributes["value"] not in known:
            self._checker.add("shape", f"viz:shape is {attributes['value']!r}")


def _is_finite(text: str) -> bool:
    return is_number(text) is not None and math.isfinite(float(text))
