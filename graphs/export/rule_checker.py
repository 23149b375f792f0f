"""What the rules of both formats share: one pass over the XML, and what was found in it."""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from operator import eq
from typing import ClassVar
from xml.parsers.expat import XMLParserType

import numpy as np

from graphs.export.own_lines import Line
from graphs.export.rule_tables import ROOT, Element
from graphs.export.text import CONTROL

SHOWN_PER_RULE = 20
SIZES = (4.0, 100.0)
NEWLINE = ord("\n")
PASSED_OVER = "(passed over)"
SMALL = 1 << 12  # bytes of a piece that is not worth dividing

Attributes = dict[str, str]
Handler = Callable[[Attributes], None]

# What Java's float keeps above zero and below infinity: Gephi stores static weights in it.
FLOAT_LEAST = 2.0**-149
FLOAT_MOST = (2 - 2.0**-23) * 2.0**127
INTEGER_BITS = {"int": 32, "integer": 32, "long": 64, "short": 16, "byte": 8}

is_node_id = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*").fullmatch
is_name = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*").fullmatch
# Python refuses to read integers of thousands of digits
is_integer = re.compile(r"[+-]?[0-9]{1,40}").fullmatch
is_number = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch
is_hex_color = re.compile(r"#[0-9A-Fa-f]{6}").fullmatch
CHANGED = re.compile(f"INF|{CONTROL.pattern}")


class Report:
    """Violations in file order, at most `SHOWN_PER_RULE` of each rule."""

    def __init__(self, rules: Mapping[str, str]) -> None:
        self._rules = rules
        self._sentences: list[str] = []
        self._counts: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """Number of violations, shown or not."""
        return self._counts.total()

    def add(self, rule: str, what: str, *, line: int) -> None:
        """Note that `what` at `line` breaks `rule`."""
        self._counts[rule] += 1
        if self._counts[rule] <= SHOWN_PER_RULE:
            where = f"line {line}: " if line else ""
            self._sentences.append(f"{where}{what} ({rule}: {self._rules[rule]})")

    def sentences(self) -> list[str]:
        """Return a sentence a violation, and one for those of a rule that were not shown."""
        more = [
            f"{count - SHOWN_PER_RULE} more places break the rule {rule}"
            for rule, count in self._counts.items()
            if count > SHOWN_PER_RULE
        ]
        return self._sentences + more


class RuleChecker:
    """Follow the elements of a file; `elements` says where each may stand.

    The methods are called by an expat parser. A branch of the tree that no rule knows is reported
    once and then passed over.

    As long as nothing was found, pieces of nothing but lines as our own writers write them are
    taken in without the parser, several times faster (`own_lines`).
    """

    elements: ClassVar[Mapping[str, Element]]
    root: ClassVar[str]
    namespaces: ClassVar[Mapping[str, str]]

    def __init__(self, parser: XMLParserType, report: Report) -> None:
        self.parser = parser
        self.report = report
        self.path = [ROOT]
        self.handlers: dict[str, Handler] = {}
        self.nodes: set[str] = set()
        self.edges: set[str] = set()
        self.pairs: set[tuple[str, str]] = set()
        self.sizes: list[float] = []
        self._shapes: set[tuple[str, ...]] = set()
        self._fed = 0  # bytes that the parser was given
        self._has_sections = False
        self.lines_passed = 0  # which the parser did not see
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.StartDoctypeDeclHandler = self._doctype
        parser.XmlDeclHandler = self._declaration
        parser.StartCdataSectionHandler = self._section

    def feed(self, block: bytes) -> None:
        """Take the next piece of the file: at best whole lines.

        Raises
        ------
        ExpatError
            Where it is not well-formed; its line does not count `lines_passed`.
        """
        if self._may_pass_lines():
            if self._take_own_lines(block):
                self.lines_passed += _lines(block)
                return
            middle = block.find(b"\n", len(block) // 2) + 1
            if len(block) > SMALL and 0 < middle < len(block):
                self.feed(block[:middle])
                self.feed(block[middle:])
                return
        self.parser.Parse(block, False)  # noqa: FBT003  expat takes it by position
        self._fed += len(block)

    def own_line(self, start: bytes) -> Line | None:
        """Return the pattern of our own lines that begin so and may stand at the present place."""
        raise NotImplementedError

    def add(self, rule: str, what: str) -> None:
        """Note a violation at the present place."""
        self.report.add(rule, what, line=self.parser.CurrentLineNumber + self.lines_passed)

    def start(self, name: str, attributes: Attributes) -> None:
        """Take the start of an element."""
        parent = self.path[-1]
        self.path.append(name)
        # Few shapes of element come very often: each is looked at once.
        shape = (parent, name, *attributes)
        if shape not in self._shapes:
            before = self.report.total
            if not self._is_known(parent, name, attributes):
                self.path[-1] = PASSED_OVER
                return
            if self.report.total == before:
                self._shapes.add(shape)
        handler = self.handlers.get(name)
        if handler:
            handler(attributes)

    def end(self, _name: str) -> None:
        """Take the end of an element."""
        self.path.pop()

    def finish(self) -> None:
        """Check what can be known only at the end of the file."""
        if self.sizes and (min(self.sizes), max(self.sizes)) != SIZES:
            what = f"sizes go from {min(self.sizes)} to {max(self.sizes)}"
            self.report.add("size", what, line=0)

    def check_node_id(self, node: str) -> None:
        """Check the id of a node and remember it."""
        if not is_node_id(node):
            self.add("node-id", f"node id {node!r}")
        if node in self.nodes:
            self.add("node-unique", f"node id {node!r} comes twice")
        self.nodes.add(node)

    def check_edge_ends(self, attributes: Attributes) -> str:
        """Check id and ends of an edge and remember them; return how to call the edge."""
        source, target = attributes["source"], attributes["target"]
        edge = attributes.get("id", "")
        name = edge or f"{source}-{target}"
        if not edge or edge in self.edges:
            self.add("edge-id", f"edge {name} has {'an id used before' if edge else 'no id'}")
        self.edges.add(edge)
        for end in (source, target):
            if end not in self.nodes:
                self.add("edge-end", f"edge {name} ends in {end!r}, which is no node before it")
        pair = (source, target) if source < target else (target, source)
        if source == target:
            self.add("self-loop", f"edge {name} links {source} with itself")
        elif pair in self.pairs:
            self.add("edge-pair", f"edge {name} links {source} and {target} once more")
        self.pairs.add(pair)
        return name

    def check_weight(self, text: str, *, edge: str) -> None:
        """Check that a weight is a number that Gephi can keep."""
        if not is_number(text) or not FLOAT_LEAST <= float(text) <= FLOAT_MOST:
            self.add("edge-weight", f"edge {edge} has the weight {text!r}")

    def check_value(self, text: str, *, kind: str, what: str) -> None:
        """Check a value against the type of its column."""
        if kind in ("double", "float"):
            if not is_number(text) or not math.isfinite(float(text)):
                self.add("value-number", f"{what} is {text!r}")
        elif kind in INTEGER_BITS:
            limit = 2 ** (INTEGER_BITS[kind] - 1)
            if not is_integer(text) or not -limit <= int(text) < limit:
                self.add("value-integer", f"{what} is {text!r}")
        elif kind == "boolean":
            if text not in ("true", "false"):
                self.add("value-boolean", f"{what} is {text!r}")
        else:
            self.check_text(text, what=what)

    def check_text(self, text: str, *, what: str) -> None:
        """Check that Gephi shows a text as it is."""
        found = CHANGED.search(text)
        if found:
            rule = "value-inf" if found[0] == "INF" else "value-control"
            self.add(rule, f"{what} is {text!r}")

    def _may_pass_lines(self) -> bool:
        return not self.report.total and not self._has_sections

    def _take_own_lines(self, block: bytes) -> bool:
        """Take a piece in at once; False, and nothing is changed, unless all of it is right."""
        # The parser is behind its input inside tags, comments and entities.
        if self.parser.CurrentByteIndex < self._fed or not block.endswith(b"\n"):
            return False
        pattern = self.own_line(block[:5])
        if pattern is None:
            return False
        try:
            rows = pattern.findall(block.decode())
        except UnicodeDecodeError:
            return False
        if len(rows) < _lines(block):
            return False
        return self._take_nodes(rows) if pattern.groups == 1 else self._take_edges(rows)

    def _take_nodes(self, nodes: list[str]) -> bool:
        found = set(nodes)
        if len(found) < len(nodes) or not self.nodes.isdisjoint(found):
            return False
        self.nodes |= found
        return True

    def _take_edges(self, rows: list[tuple[str, ...]]) -> bool:
        ids, sources, targets, *_ = zip(*rows, strict=True)
        edges, ends = set(ids), {*sources, *targets}
        pairs = {(a, b) if a < b else (b, a) for a, b in zip(sources, targets, strict=True)}
        unique = len(edges) == len(pairs) == len(rows)
        if not (
            unique
            and ends <= self.nodes
            and self.edges.isdisjoint(edges)
            and self.pairs.isdisjoint(pairs)
        ) or any(map(eq, sources, targets)):
            return False
        self.edges |= edges
        self.pairs |= pairs
        return True

    def _section(self) -> None:
        # The parser does not fall behind inside CDATA, where tags are text.
        self._has_sections = True

    def _is_known(self, parent: str, name: str, attributes: Attributes) -> bool:
        if parent != ROOT and parent not in self.elements:
            return False
        if parent == ROOT:
            if name != self.root:
                self.add("root", f"the file begins with the element {name}")
                return False
            self._check_namespaces(attributes)
        element = self.elements.get(name)
        if ":" in name and element is None:
            self.add("prefix", f"element {name}")
            return False
        if element is None or parent not in element.parents:
            self.add("element", f"element {name} in {parent}")
            return False
        return self._check_names(name, element, attributes)

    def _check_names(self, name: str, element: Element, attributes: Attributes) -> bool:
        found = {key for key in attributes if not self._is_namespace(name, key)}
        for key in sorted(found - element.required - element.optional):
            self.add("attribute", f"XML attribute {key} of {name}")
        missing = sorted(element.required - found)
        for key in missing:
            self.add("attribute", f"{name} without the XML attribute {key}")
        return not missing

    def _is_namespace(self, name: str, key: str) -> bool:
        """Whether rules of its own look after this XML attribute; report it where they do not."""
        if key.endswith("schemaLocation"):
            self.add("schema-location", f"XML attribute {key} of {name}")
            return True
        if key == "xmlns" or key.startswith("xmlns:"):
            # xmlns:xsi is there for schemaLocation alone, which has its own rule
            if name != self.root or (key not in self.namespaces and key != "xmlns:xsi"):
                self.add("prefix", f"XML attribute {key} of {name}")
            return True
        return False

    def _check_namespaces(self, attributes: Attributes) -> None:
        for key, uri in self.namespaces.items():
            if attributes.get(key) != uri and (key == "xmlns" or key in attributes):
                self.add("namespace", f"{key} is {attributes.get(key, '')!r}")

    def _doctype(self, name: str, *_: object) -> None:
        self.add("doctype", f"document type {name}")

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.upper() != "UTF-8":
            self.add("encoding", f"encoding {encoding}")


def _lines(block: bytes) -> int:
    # Many times faster than counting with bytes.count where lines are short.
    return int(np.count_nonzero(np.frombuffer(block, np.uint8) == NEWLINE))
