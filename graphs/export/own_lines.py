"""Lines exactly as our own writers write them: what the checker may take in without a parser.

A pattern here matches one whole line and only lines that break no rule by themselves; what a line
may break together with others (an id that comes twice, an end that is no node) is left to the
checker. Every other line, right or wrong, goes through the parser.

The patterns never go back over what they have matched (possessive quantifiers): the time of a
line that does not match is bounded as well.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

IDENTIFIER = r"[A-Za-z][A-Za-z0-9_.-]*+"
NUMBER = r"[+-]?[0-9]{1,9}+(?:\.[0-9]*+)?+(?:e[+-]?[0-9]{1,2}+)?+"
# above zero for certain, and far from the limits of Java's float
WEIGHT = r"(?:0\.0{0,9}[1-9][0-9]*+|[1-9][0-9]{0,8}+\.[0-9]*+)"
# no mark-up, no entity, nothing that a reader changes (`graphs.export.text.CONTROL`), no INF
_LETTER = '[^I&<>"\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]'
TEXT = f"{_LETTER}*+(?:I(?!NF){_LETTER}*+)*+"
CHANNEL = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[0-9]{1,2})"

# What a value of each type surely may be; columns of other types go through the parser.
VALUES: Mapping[str, str] = {
    "double": NUMBER,
    "float": NUMBER,
    "int": "[+-]?[0-9]{1,9}+",
    "integer": "[+-]?[0-9]{1,9}+",
    "long": "[+-]?[0-9]{1,18}+",
    "boolean": "(?:true|false)",
    "string": TEXT,
}

Line = re.Pattern[str]


def _line(pattern: str) -> Line:
    return re.compile(f"^{pattern}\n", re.MULTILINE)


def graphml_node(cells: Iterable[tuple[str, str]]) -> Line:
    r"""Return the pattern of a GraphML node; group 1 is its id.

    Parameters
    ----------
    cells : iterable of (str, str)
        Key and pattern of each value that may follow, in order.

    Examples
    --------
    >>> line = graphml_node([("degree", VALUES["int"])])
    >>> line.findall('<node id="s3"><data key="degree">2</data></node>\n')
    ['s3']
    >>> line.findall('<node id="s3"><data key="degree">two</data></node>\n')
    []
    """
    return _line(f'<node id="({IDENTIFIER})">{_data(cells)}</node>')


def graphml_edge(cells: Iterable[tuple[str, str]], *, weight: str) -> Line:
    r"""Return the pattern of a GraphML edge; the groups are its id and ends.

    Parameters
    ----------
    cells : iterable of (str, str)
        Key and pattern of each value that may follow, in order, without the weight.
    weight : str
        The weight's key: its value comes first and must be there; empty where there is none.

    Examples
    --------
    >>> line = graphml_edge([], weight="weight")
    >>> start = '<edge id="a-b" source="a" target="b">'
    >>> line.findall(f'{start}<data key="weight">0.5</data></edge>\n')
    [('a-b', 'a', 'b')]
    >>> line.findall(f'{start}</edge>\n')
    []
    """
    first = f'<data key="{re.escape(weight)}">{WEIGHT}</data>' if weight else ""
    return _line(f"{_edge_start()}{first}{_data(cells)}</edge>")


def gexf_node(cells: Iterable[tuple[str, str, str]]) -> Line:
    r"""Return the pattern of a GEXF node; group 1 is its id.

    Parameters
    ----------
    cells : iterable of (str, str, str)
        Attribute, pattern and time (``start="…" end="…"``, or nothing) of each value that may
        follow, in order.

    Examples
    --------
    >>> line = gexf_node([("degree", VALUES["integer"], 'timestamp="0"')])
    >>> value = '<attvalue for="degree" value="2" timestamp="0"/>'
    >>> line.findall(f'<node id="a" label="A"><attvalues>{value}</attvalues></node>\n')
    ['a']
    """
    values = "".join(f"(?:{_attvalue(name, value, time)})?+" for name, value, time in cells)
    place = f'(?:<viz:position x="{NUMBER}" y="{NUMBER}"/>)?+'
    color = f'(?:<viz:color r="{CHANNEL}" g="{CHANNEL}" b="{CHANNEL}"/>)?+'
    return _line(
        f'<node id="({IDENTIFIER})" label="(?!"){TEXT}">'
        f"<attvalues>{values}</attvalues>{place}{color}</node>"
    )


def gexf_edge(times: Sequence[str]) -> Line:
    r"""Return the pattern of a GEXF edge: its id and ends, and an empty group for each time.

    The spells must be the times of the weights, all in rising order; at least one is there.

    Parameters
    ----------
    times : sequence of str
        The times of the file in rising order, as they are written.

    Examples
    --------
    >>> line = gexf_edge(['timestamp="0"', 'timestamp="1"'])
    >>> start = '<edge id="a-b" source="a" target="b"><attvalues>'
    >>> weight = '<attvalue for="weight" value="0.5" timestamp="1"/></attvalues>'
    >>> def spell(time): return f'<spells><spell timestamp="{time}"/></spells></edge>\n'
    >>> line.findall(start + weight + spell(1)), line.findall(start + weight + spell(0))
    ([('a-b', 'a', 'b', '', '')], [])
    """
    first = 4  # after the id and the two ends
    weights = "".join(f"(?:{_attvalue('weight', WEIGHT, time)}())?+" for time in times)
    spells = "".join(
        f"(?({group})<spell {re.escape(time)}/>)" for group, time in enumerate(times, first)
    )
    return _line(
        f"{_edge_start()}<attvalues>(?!</){weights}</attvalues><spells>{spells}</spells></edge>"
    )


def _edge_start() -> str:
    return f'<edge id="({IDENTIFIER})" source="({IDENTIFIER})" target="({IDENTIFIER})">'


def _data(cells: Iterable[tuple[str, str]]) -> str:
    return "".join(f'(?:<data key="{re.escape(key)}">{value}</data>)?+' for key, value in cells)


def _attvalue(name: str, value: str, time: str) -> str:
    when = f" {re.escape(time)}" if time else ""
    return f'<attvalue for="{re.escape(name)}" value="{value}"{when}/>'
