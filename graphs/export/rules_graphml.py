"""The rules of GraphML files, checked in one pass."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar
from xml.parsers.expat import XMLParserType

from graphs.export.own_lines import VALUES, WEIGHT, Line, graphml_edge, graphml_node
from graphs.export.rule_checker import (
    Attributes,
    Report,
    RuleChecker,
    is_hex_color,
    is_name,
)
from graphs.export.rule_tables import (
    EDGE_PROPERTIES,
    GRAPHML_ELEMENTS,
    GRAPHML_TYPES,
    NODE_PROPERTIES,
    RESERVED,
)

LAST_HEADER_LINE = 20
PHASES = {"data": 0, "node": 1, "edge": 2}
GRAPH = "as a whole"  # as an owner of data: "graph as a whole has data for"
DOMAINS = ("node", "edge", "graph")
PROPERTIES = {"node": NODE_PROPERTIES, "edge": EDGE_PROPERTIES, "graph": {}}
NUMBERS = frozenset({"int", "long", "float", "double"})
ENTITY_GAP = re.compile(r"(?:^|[&<>])[ \t\r\n]+(?=[&<>])|[&<>][ \t\r\n]+$")

Plain = Callable[[str], object]
# Values that are surely right; the others, right or wrong, are looked at in full.
PLAIN: Mapping[str, Plain] = {
    kind: re.compile(pattern).fullmatch for kind, pattern in {**VALUES, "weight": WEIGHT}.items()
}
HEX_COLOR = "#[0-9A-Fa-f]{6}"


@dataclass(frozen=True)
class Key:
    """A declared column."""

    name: str
    type: str
    domain: str


class GraphmlRules(RuleChecker):
    """Check a GraphML file while a parser reads it."""

    elements = GRAPHML_ELEMENTS
    root = "graphml"
    namespaces: ClassVar = {"xmlns": "http://graphml.graphdrawing.org/xmlns"}

    def __init__(self, parser: XMLParserType, report: Report) -> None:
        super().__init__(parser, report)
        self.keys: dict[str, Key] = {}
        self.names: set[str] = set()
        self.graphs = 0
        self.phase = 0
        self.owner = ""
        self.seen: set[str] = set()
        self.key = ""
        self.domains: dict[str, str] = {}
        self.plain: dict[str, Plain] = {}
        self.text: list[str] = []
        self.own_lines: dict[str, Line] = {}
        self.weight_key = ""
        parser.CharacterDataHandler = self.text.append
        self.handlers = {
            "graphml": self._graphml,
            "key": self._key,
            "default": self._default,
            "graph": self._graph,
            "node": self._node,
            "edge": self._edge,
            "data": self._data,
        }

    def own_line(self, start: bytes) -> Line | None:
        """Return the pattern of our own lines that begin so and may stand at the present place."""
        name = {b"<node": "node", b"<edge": "edge"}.get(start)
        if name is None or self.path[-1] != "graph" or PHASES[name] < self.phase:
            return None
        # As after the element's end, whoever takes the line.
        self.phase = PHASES[name]
        self._own(GRAPH)
        if name not in self.own_lines:
            cells = [
                (key, HEX_COLOR if known.name == "color" else VALUES[known.type])
                for key, known in self.keys.items()
                if known.domain == name and known.name != "size" and key != self.weight_key
            ]
            self.own_lines[name] = (
                graphml_node(cells)
                if name == "node"
                else graphml_edge(cells, weight=self.weight_key)
            )
        return self.own_lines[name]

    def start(self, name: str, attributes: Attributes) -> None:
        """Take the start of an element."""
        # A file is data for the most part: what is right of it is taken in at once.
        if name == "data" and len(attributes) == 1:
            key = attributes.get("key", "")
            if self.domains.get(key) == self.path[-1] and key not in self.seen:
                self.seen.add(key)
                self.path.append(name)
                self.key = key
                self.text.clear()
                return
        super().start(name, attributes)

    def end(self, _name: str) -> None:
        """Take the end of an element."""
        name = self.path.pop()
        if name == "data":
            self._data_end()
        elif name in ("node", "edge"):
            if name == "edge" and self.weight_key and self.weight_key not in self.seen:
                self.add("edge-weight", f"{self.owner} has no weight")
            self._own(GRAPH)

    def finish(self) -> None:
        """Check what can be known only at the end of the file."""
        super().finish()
        if self.graphs != 1 and len(self.names) + self.graphs:
            self.add("one-graph", f"the file has {self.graphs} graphs")

    def _graphml(self, _attributes: Attributes) -> None:
        if self.parser.CurrentLineNumber > LAST_HEADER_LINE:
            self.add("namespace", f"graphml begins in line {self.parser.CurrentLineNumber}")

    def _key(self, attributes: Attributes) -> None:
        key_id = attributes["id"]
        name, kind = attributes.get("attr.name", ""), attributes.get("attr.type", "")
        domain = attributes.get("for", "")
        if self.graphs:
            self.add("order", f"key {key_id} after the graph")
        if domain not in DOMAINS:
            self.add("key-domain", f"key {key_id} is for {domain or 'nothing'!r}")
        if kind not in GRAPHML_TYPES:
            self.add("key-type", f"key {key_id} has the type {kind!r}")
        self._check_key_name(key_id, name, domain=domain)
        wanted = PROPERTIES.get(domain, {}).get(name)
        if wanted and kind != wanted and not (wanted == "number" and kind in NUMBERS):
            self.add("key-special", f"{domain} key {name} has the type {kind}, not {wanted}")
        if domain == "edge" and name == "weight":
            self.weight_key = key_id
        if key_id in self.keys:
            return
        self.keys[key_id] = Key(name, kind, domain)
        if domain in ("node", "edge"):
            self.domains[key_id] = domain
        if name not in ("size", "color") and kind in PLAIN:
            self.plain[key_id] = PLAIN["weight" if key_id == self.weight_key else kind]

    def _check_key_name(self, key_id: str, name: str, *, domain: str) -> None:
        if not is_name(key_id) or not is_name(name):
            self.add("key-token", f"key {key_id!r} named {name!r}")
        elif key_id != name and not (domain == "graph" and key_id == f"g_{name}"):
            self.add("key-name", f"key {key_id} is named {name}")
        if name.lower() in RESERVED:
            self.add("key-reserved", f"{domain} key {name}")
        if key_id in self.keys or name.lower() in self.names:
            self.add("key-unique", f"key {key_id} named {name} comes twice")
        self.names.add(name.lower())

    def _default(self, _attributes: Attributes) -> None:
        self.add("default", "a key has a default")

    def _graph(self, attributes: Attributes) -> None:
        self.graphs += 1
        self.phase = 0
        self._own(GRAPH)
        if attributes.get("edgedefault") != "undirected":
            self.add("edge-default", f"edgedefault is {attributes.get('edgedefault', '')!r}")

    def _node(self, attributes: Attributes) -> None:
        self._enter("node")
        self._own(attributes["id"])
        self.check_node_id(attributes["id"])

    def _edge(self, attributes: Attributes) -> None:
        self._enter("edge")
        self._own(self.check_edge_ends(attributes))
        if "directed" in attributes:
            self.add("edge-directed", f"edge {self.owner} has directed")
        if "label" in attributes:
            self.add("edge-label", f"edge {self.owner} has the XML attribute label")

    def _own(self, owner: str) -> None:
        self.owner = owner
        self.seen.clear()

    def _enter(self, name: str) -> None:
        if PHASES[name] < self.phase:
            self.add("order", f"{name} after {'nodes' if self.phase == 1 else 'edges'}")
        self.phase = max(self.phase, PHASES[name])

    def _data(self, attributes: Attributes) -> None:
        domain = self.path[-2]
        if domain == "graph":
            self._enter("data")
        key = self.key = attributes["key"]
        known = self.keys.get(key)
        if known is None or known.domain != domain or key in self.seen:
            self.add("data-key", f"{domain} {self.owner} has data for {key!r}{self._why(key)}")
        self.seen.add(key)
        self.text.clear()

    def _why(self, key: str) -> str:
        if key in self.seen:
            return " twice"
        known = self.keys.get(key)
        return f", a key for {known.domain}" if known else ", which is not declared"

    def _data_end(self) -> None:
        text = "".join(self.text)
        known = self.keys.get(self.key)
        is_plain = self.plain.get(self.key)
        if known is None or (is_plain and is_plain(text)):
            return
        what = f"{self.key} of {self.owner}"
        if self.key == self.weight_key:
            self.check_weight(text, edge=self.owner)
            return
        if known.name == "color" and known.type == "string":
            if not is_hex_color(text):
                self.add("color", f"{what} is {text!r}")
            return
        self.check_value(text, kind=known.type, what=what)
        if known.type == "string" and ENTITY_GAP.search(text):
            self.add("value-blank", f"{what} is {text!r}")
        elif known.name == "size" and known.domain == "node":
            self._size(text)

    def _size(self, text: str) -> None:
        try:
            self.sizes.append(float(text))
        except ValueError:
            self.add("size", f"size of {self.owner} is {text!r}")
