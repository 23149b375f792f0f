"""The rules that graph files must keep so that every client reads them alike, with the reasons.

The names are those of the readers' own behaviour: Gephi 0.9.6 to 0.11 (its GraphML and GEXF
importers and graphstore), Gephi Lite 1.0 (graphology's parsers), Cytoscape (its GraphML reader),
igraph, NetworkX and graph-tool; "schema" is the GraphML 1.0 XML Schema or the GEXF 1.3 RELAX NG.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

GRAPHML_RULES: Final[Mapping[str, str]] = {
    "xml": "readers stop at the first place that is not well-formed XML",
    "doctype": "readers refuse or fetch a document type",
    "encoding": "the readers agree on UTF-8 alone",
    "root": "readers look for the element graphml",
    "namespace": "Cytoscape and NetworkX know only http://graphml.graphdrawing.org/xmlns, and "
    "Cytoscape looks for it in the first 20 lines",
    "prefix": "graphology matches the names of tags as they are written, prefix and all",
    "schema-location": "validating readers fetch what it names, and it helps no other",
    "element": "the clients ignore or refuse nested graphs, ports, hyperedges and unknown elements",
    "attribute": "the schema has no such XML attribute, or needs one that is missing",
    "order": "Gephi and graphology read once from the start: keys, graph data, nodes, edges",
    "key-domain": "for must be node, edge or graph: graphology throws on all, igraph ignores it, "
    "Gephi loses the weight",
    "key-type": "only boolean, int, long, float, double and string are read by all",
    "key-name": "the key's id must be its attr.name (g_ before it for the graph's), so that "
    "columns of all files line up; old Gephi takes d3 for a label",
    "key-token": "ids and names are XML name tokens without blanks",
    "key-unique": "Gephi compares names without case and merges them, igraph refuses them",
    "key-reserved": "Gephi has columns id and timeset of its own and loses the value",
    "key-special": "Gephi takes this name for a property of another type",
    "default": "graphology does not cast defaults, NetworkX and Cytoscape do not apply them",
    "data-key": "data must name a declared key of its own domain, once",
    "node-id": "an id has the signs A-Z a-z 0-9 _ . - and starts with a letter: igraph does not "
    "decode others, the schema forbids blanks",
    "node-unique": "graphology throws on a node id that comes twice",
    "edge-id": "Gephi drops an edge without an id of its own",
    "edge-end": "graphology and the schema want the ends among the nodes",
    "edge-pair": "Gephi sums the weights of parallel edges, the others make a multigraph",
    "self-loop": "a node is no neighbour of itself",
    "edge-default": "Gephi takes a graph without edgedefault as directed, the schema needs it; "
    "here it is undirected",
    "edge-directed": "graphology ignores directed on an edge, Gephi does not",
    "edge-label": "Gephi reads the XML attribute label of an edge as its type",
    "edge-weight": "Gephi deletes edges of weight 0 as a Java float, warns of negative ones and "
    "reads nan or no weight as 1.0",
    "one-graph": "Gephi merges two graphs, igraph reads the first, graphology throws",
    "color": "Gephi decodes colours as #rrggbb",
    "size": "Gephi maps sizes to 4 … 100 and moves the nodes by the same ratio: give none, or "
    "sizes from 4 to 100",
    "value-integer": "Gephi and graph-tool refuse an integer that is not written as digits, and "
    "one that does not fit its type",
    "value-number": "readers differ on nan, inf, None and nothing: leave the value out",
    "value-boolean": "the schema's words are true and false",
    "value-control": "control characters, line ends and tabs are changed on the way",
    "value-inf": "Gephi replaces INF inside every value by Infinity",
    "value-blank": "Gephi drops white space between two XML entities: put a no-break space",
    "file-name": "Gephi cuts the workspace's name at the first dot, and its unpacker fails on a "
    "name of one letter",
}

GEXF_RULES: Final[Mapping[str, str]] = {
    **{
        name: GRAPHML_RULES[name]
        for name in (
            "xml",
            "doctype",
            "encoding",
            "schema-location",
            "node-id",
            "node-unique",
            "edge-id",
            "edge-end",
            "edge-pair",
            "self-loop",
            "edge-weight",
            "size",
            "value-integer",
            "value-number",
            "value-boolean",
            "value-control",
            "value-inf",
            "file-name",
        )
    },
    "root": "readers look for the element gexf",
    "namespace": "the schema and NetworkX know http://gexf.net/1.3 alone, with viz below it",
    "version": "Gephi and the schema tell the dialect by version 1.3",
    "prefix": "graphology matches the names of tags as they are written: only viz has a prefix",
    "element": "the schema has no such element here",
    "attribute": "the schema or some reader has no such XML attribute here, or needs one that is "
    "missing",
    "order": "the schema and Gephi read in this order: meta; attributes, nodes, edges",
    "one-graph": "the schema has exactly one graph, with nodes and edges",
    "date": "lastmodifieddate is a day, YYYY-MM-DD",
    "edge-default": "Gephi and NetworkX take a graph without defaultedgetype as they like; here it "
    "is undirected",
    "edge-type": "an edge that is directed alone changes the degree in Gephi",
    "graph-mode": "mode is static or dynamic: slices need Gephi newer than 0.10.1",
    "time-format": "Gephi reads times as doubles and NetworkX needs the attribute",
    "time-representation": "without interval or timestamp Gephi refuses every timestamp",
    "time-kind": "spells and values with start and end belong to intervals, timestamp to "
    "timestamps; a mixture is lost",
    "time-value": "a time is a finite number",
    "time-static": "a static graph or attribute has no times, a dynamic attribute no value "
    "without one",
    "time-width": "Gephi's average divides by the width of an interval",
    "time-order": "each element has its times once and in rising order",
    "time-touching": "bounds are closed: around the place where two intervals touch, Gephi shows "
    "the edges of both and the weights of the first",
    "edge-spells": "the timeline hides edges by their spells alone and shows those without for "
    "ever; they must be the times of the weight",
    "weight-id": "Gephi takes as weight in time only a dynamic edge attribute with the id weight",
    "weight-twice": "the XML attribute weight hides the weight in time",
    "attributes-class": "class is node or edge, mode static or dynamic",
    "attributes-last": "graphology keeps the last block of each class: one block for edges; for "
    "nodes the static one last",
    "attribute-type": "the schema and graphology know integer, not int",
    "attribute-id": "graphology shows the id: it must be the title, an XML name token, no number",
    "attribute-unique": "Gephi compares names without case and merges them",
    "attribute-reserved": "Gephi has columns id and timeset of its own and loses the value",
    "value-for": "a value names an attribute of its own class; a static one comes once",
    "node-label": "Gephi shows an empty label where there is none",
    "color": "the schema has channels r, g, b as integers from 0 to 255, or hex as #rrggbb, and a "
    "from 0 to 1",
    "position": "a place has finite x and y",
    "shape": "the schema knows only these shapes",
    "count": "count is the number of elements",
}

GRAPHML_TYPES: Final = frozenset({"boolean", "int", "long", "float", "double", "string"})
GEXF_TYPES: Final = frozenset(
    {"integer", "long", "double", "float", "boolean", "string", "anyURI", "short", "byte", "char"}
    | {"bigdecimal", "biginteger"}
    | {"list" + kind for kind in ("string", "boolean", "integer", "long", "float", "double")}
    | {"list" + kind for kind in ("byte", "short", "char", "bigdecimal", "biginteger")}
)

# Gephi's properties, by exact name (ImporterGraphML): what else they may be called, and their type.
NODE_PROPERTIES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("label", "nodelabel", "color"), "string"),
    **dict.fromkeys(("x", "y", "z", "xpos", "ypos", "zpos", "size"), "number"),
    **dict.fromkeys("rgb", "int"),
}
EDGE_PROPERTIES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("label", "edgelabel", "color"), "string"),
    "weight": "number",
    **dict.fromkeys("rgb", "int"),
}
RESERVED: Final = frozenset({"id", "timeset"})


@dataclass(frozen=True)
class Element:
    """Where an element may stand and which XML attributes it may have."""

    parents: frozenset[str]
    required: frozenset[str] = field(default_factory=frozenset)
    optional: frozenset[str] = field(default_factory=frozenset)


def _element(parents: str, required: str = "", optional: str = "") -> Element:
    return Element(
        frozenset(parents.split()), frozenset(required.split()), frozenset(optional.split())
    )


ROOT: Final = "(file)"

GRAPHML_ELEMENTS: Final[Mapping[str, Element]] = {
    "graphml": _element(ROOT),
    "desc": _element("graphml key graph node edge"),
    "key": _element("graphml", "id", "for attr.name attr.type"),
    "default": _element("key"),
    # edgedefault and the edge's directed and label have rules of their own
    "graph": _element("graphml", "", "id edgedefault"),
    "node": _element("graph", "id"),
    "edge": _element("graph", "source target", "id directed label"),
    "data": _element("graph node edge", "key", "id"),
}

GEXF_ELEMENTS: Final[Mapping[str, Element]] = {
    "gexf": _element(ROOT, "", "version variant"),
    "meta": _element("gexf", "", "lastmodifieddate"),
    "creator": _element("meta"),
    "keywords": _element("meta"),
    "description": _element("meta"),
    "graph": _element(
        "gexf",
        "",
        "mode defaultedgetype timeformat timerepresentation start end",
    ),
    "attributes": _element("graph", "class", "mode"),
    "attribute": _element("attributes", "id title type"),
    "default": _element("attribute"),
    "options": _element("attribute"),
    "nodes": _element("graph", "", "count"),
    "node": _element("nodes", "id", "label"),
    "edges": _element("graph", "", "count"),
    "edge": _element("edges", "source target", "id label weight type"),
    "attvalues": _element("node edge"),
    "attvalue": _element("attvalues", "for value", "start end timestamp"),
    "spells": _element("node edge"),
    "spell": _element("spells", "", "start end timestamp"),
    "viz:color": _element("node edge", "", "r g b a hex"),
    "viz:position": _element("node", "x y", "z"),
    "viz:size": _element("node", "value"),
    "viz:thickness": _element("edge", "value"),
    "viz:shape": _element("node edge", "value", "uri"),
}

CUSTOM_SHAPES: Final = frozenset(f"custom_{number}" for number in range(1, 9))
POLYGONS: Final = frozenset({"triangle", "square", "diamond", "pentagon", "hexagon"})
NODE_SHAPES: Final = CUSTOM_SHAPES | POLYGONS | {"disc", "star", "cross"}
EDGE_SHAPES: Final = CUSTOM_SHAPES | {"solid", "dotted", "dashed", "double"}
