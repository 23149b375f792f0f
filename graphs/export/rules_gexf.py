"""The rules of GEXF 1.3 files, checked in one pass."""

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar
from xml.parsers.expat import XMLParserType

from graphs.export.gexf_times import SPELLS, GexfTimes
from graphs.export.own_lines import VALUES, Line, gexf_edge, gexf_node
from graphs.export.rule_checker import (
    Attributes,
    Report,
    RuleChecker,
    is_integer,
    is_name,
)
from graphs.export.rule_tables import GEXF_ELEMENTS, GEXF_TYPES, RESERVED
from graphs.export.rules_viz import VizRules

NAMESPACE = "http://gexf.net/1.3"
PHASES = {"attributes": 0, "nodes": 1, "edges": 2}
# id, source and target alone: nearly every edge
BARE_EDGE = 3
TIMES = frozenset({"start", "end", "timestamp"})
is_date = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])").fullmatch


class GexfRules(RuleChecker):
    """Check a GEXF file while a parser reads it."""

    elements = GEXF_ELEMENTS
    root = "gexf"
    namespaces: ClassVar = {"xmlns": NAMESPACE, "xmlns:viz": f"{NAMESPACE}/viz"}

    def __init__(self, parser: XMLParserType, report: Report) -> None:
        super().__init__(parser, report)
        self.times = GexfTimes(self.add)
        self.dynamic = self.timed_weight = False
        self.phase = 0
        self.seen: set[str] = set()
        self.block = ("", "")
        self.blocks: list[tuple[str, str]] = []
        # (class, id) -> (type, whether it changes with time)
        self.columns: dict[tuple[str, str], tuple[str, bool]] = {}
        self.names: set[tuple[str, str]] = set()
        self.kind = "node"
        self.owner = ""
        self.static_seen: set[str] = set()
        self.count: str | None = None
        # (element, number of times) -> pattern
        self.own_lines: dict[tuple[str, int], Line] = {}
        self.handlers = {
            "gexf": self._gexf,
            "meta": self._meta,
            "graph": self._graph,
            "attributes": self._attributes,
            "attribute": self._attribute,
            "nodes": self._nodes,
            "edges": self._edges,
            "node": self._node,
            "edge": self._edge,
            "attvalue": self._attvalue,
            "spell": self._spell,
            **VizRules(self).handlers,
        }

    def own_line(self, start: bytes) -> Line | None:
        """Return the pattern of our own lines that begin so and may stand at the present place."""
        place = (self.path[-1], start)
        times = self.times.texts()
        known = (self.path[-1], len(times))
        if place == ("nodes", b"<node"):
            if known not in self.own_lines:
                self.own_lines[known] = gexf_node(self._node_cells(times))
        elif place == ("edges", b"<edge") and self.timed_weight:
            if known not in self.own_lines:
                self.own_lines[known] = gexf_edge(times)
        else:
            return None
        return self.own_lines[known]

    def _node_cells(self, times: Sequence[str]) -> Iterator[tuple[str, str, str]]:
        """Values of a node in the order of our writer: the static ones first."""
        columns = [
            (name, VALUES[type_], changes)
            for (kind, name), (type_, changes) in self.columns.items()
            if kind == "node" and type_ in VALUES
        ]
        for name, value, changes in columns:
            if not changes:
                yield name, value, ""
        for name, value, changes in columns:
            if changes:
                yield from ((name, value, time) for time in times)

    def end(self, _name: str) -> None:
        """Take the end of an element."""
        name = self.path.pop()
        if name == "edge":
            if self.timed_weight and not self.times.same("weight"):
                self.add("edge-spells", f"edge {self.owner}")
        elif name in ("nodes", "edges") and self.count is not None:
            found = len(self.nodes) if name == "nodes" else len(self.edges)
            if not is_integer(self.count) or int(self.count) != found:
                self.add("count", f"{name} has count {self.count!r} and {found} elements")

    def finish(self) -> None:
        """Check what can be known only at the end of the file."""
        super().finish()
        self.times.finish()
        missing = {"graph", "nodes", "edges"} - self.seen
        if "gexf" in self.seen and missing:
            self.add("one-graph", f"the file has no {' and no '.join(sorted(missing))}")

    def _once(self, name: str) -> None:
        if name in self.seen:
            self.add("one-graph", f"{name} comes twice")
        self.seen.add(name)

    def _gexf(self, attributes: Attributes) -> None:
        self.seen.add("gexf")
        if attributes.get("version") != "1.3":
            self.add("version", f"version is {attributes.get('version', '')!r}")

    def _meta(self, attributes: Attributes) -> None:
        if "graph" in self.seen or "meta" in self.seen:
            self.add("order", "meta does not come once, before graph")
        self.seen.add("meta")
        date = attributes.get("lastmodifieddate")
        if date is not None and not is_date(date):
            self.add("date", f"lastmodifieddate is {date!r}")

    def _graph(self, attributes: Attributes) -> None:
        self._once("graph")
        mode = attributes.get("mode", "static")
        self.dynamic = mode == "dynamic"
        if mode not in ("static", "dynamic"):
            self.add("graph-mode", f"mode is {mode!r}")
        if attributes.get("defaultedgetype") != "undirected":
            self.add(
                "edge-default", f"defaultedgetype is {attributes.get('defaultedgetype', '')!r}"
            )
        if self.dynamic:
            self._time_settings(attributes)

    def _time_settings(self, attributes: Attributes) -> None:
        if attributes.get("timeformat") != "double":
            self.add("time-format", f"timeformat is {attributes.get('timeformat', '')!r}")
        self.times.representation = attributes.get("timerepresentation", "")
        if self.times.representation not in ("interval", "timestamp"):
            self.add("time-representation", f"timerepresentation is {self.times.representation!r}")

    def _enter(self, name: str) -> None:
        if PHASES[name] < self.phase:
            self.add("order", f"{name} after {'nodes' if self.phase == 1 else 'edges'}")
        self.phase = max(self.phase, PHASES[name])

    def _attributes(self, attributes: Attributes) -> None:
        self._enter("attributes")
        block = self.block = (attributes["class"], attributes.get("mode", "static"))
        kind, mode = block
        if kind not in ("node", "edge") or mode not in ("static", "dynamic"):
            self.add("attributes-class", f"attributes have class {kind!r} and mode {mode!r}")
        earlier = [other for other in self.blocks if other[0] == kind]
        if earlier and (block, *earlier) != (("node", "static"), ("node", "dynamic")):
            self.add("attributes-last", f"{mode} attributes of class {kind} after others")
        if mode == "dynamic" and not self.dynamic:
            self.add("time-static", f"dynamic attributes of class {kind} in a static graph")
        self.blocks.append(block)

    def _attribute(self, attributes: Attributes) -> None:
        kind, mode = self.block
        name, title, type_ = attributes["id"], attributes["title"], attributes["type"]
        if type_ not in GEXF_TYPES:
            self.add("attribute-type", f"{kind} attribute {name} has the type {type_!r}")
        if name != title or not is_name(name):
            self.add("attribute-id", f"{kind} attribute {title!r} has the id {name!r}")
        if name.lower() in RESERVED:
            self.add("attribute-reserved", f"{kind} attribute {name}")
        if (kind, name.lower()) in self.names:
            self.add("attribute-unique", f"{kind} attribute {name} comes twice")
        self.names.add((kind, name.lower()))
        self.columns[kind, name] = (type_, mode == "dynamic" and self.dynamic)

    def _nodes(self, attributes: Attributes) -> None:
        self._once("nodes")
        self._enter("nodes")
        self.kind, self.count = "node", attributes.get("count")

    def _edges(self, attributes: Attributes) -> None:
        self._once("edges")
        self._enter("edges")
        self.kind, self.count = "edge", attributes.get("count")
        self.timed_weight = self.columns.get(("edge", "weight"), ("", False))[1]
        if self.dynamic and not self.timed_weight:
            self.add("weight-id", "the edges have no such attribute")

    def _begin(self, owner: str) -> None:
        self.owner = owner
        self.static_seen.clear()
        self.times.begin()

    def _node(self, attributes: Attributes) -> None:
        node = attributes["id"]
        self._begin(node)
        self.check_node_id(node)
        label = attributes.get("label")
        if not label:
            self.add("node-label", f"node {node}")
        else:
            self.check_text(label, what=f"label of {node}")

    def _edge(self, attributes: Attributes) -> None:
        self._begin(self.check_edge_ends(attributes))
        if len(attributes) == BARE_EDGE:
            return
        if attributes.get("type", "undirected") != "undirected":
            self.add("edge-type", f"edge {self.owner} has the type {attributes['type']!r}")
        if "weight" in attributes:
            self.check_weight(attributes["weight"], edge=self.owner)
            if self.timed_weight:
                self.add("weight-twice", f"edge {self.owner}")
        self.check_text(attributes.get("label", ""), what=f"label of edge {self.owner}")

    def _attvalue(self, attributes: Attributes) -> None:
        name = attributes["for"]
        what = f"{name} of {self.owner}"
        column = self.columns.get((self.kind, name))
        if column is None:
            self.add("value-for", f"{what} is not declared")
            return
        type_, changes = column
        if changes:
            self.times.take(attributes, name=name, what=what)
        else:
            if name in self.static_seen:
                self.add("value-for", f"{what} comes twice")
            self.static_seen.add(name)
            if not TIMES.isdisjoint(attributes):
                self.add("time-static", f"{what} has a time")
        if name == "weight" and self.kind == "edge":
            self.check_weight(attributes["value"], edge=self.owner)
        else:
            self.check_value(attributes["value"], kind=type_, what=what)

    def _spell(self, attributes: Attributes) -> None:
        if not self.dynamic:
            self.add("time-static", f"spell of {self.owner} in a static graph")
        else:
            self.times.take(attributes, name=SPELLS, what=f"spell of {self.owner}")
