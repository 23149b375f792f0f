"""Words in graph files: labels that every reader shows alike, and the names of the files."""

import re
from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from graphs.errors import ExportError

# Line ends and tabs count as well: a reader turns them into blanks inside an XML attribute.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
ENTITY_GAP = re.compile(r"(?<=[&<>]) +(?=[&<>])")
NOT_A_NAME = re.compile(r"[^A-Za-z0-9_]+")
LONGEST_LAYER = 80


def gephi_text(text: str, *, what: str) -> str:
    r"""Return `text` in the form that Gephi reads back without a change of its own.

    Gephi replaces the letters ``INF`` inside every value by ``Infinity`` and its GraphML reader
    drops white space that stands between two XML entities. So ``INF`` becomes ``Inf`` (the word
    stays readable and is still found by a search that ignores case), blanks between two of the
    signs ``& < >`` become no-break spaces, and blanks at the ends are cut off. Class numbers are
    exported beside the names, so that names which become equal stay apart.

    Parameters
    ----------
    text : str
        A label of the user.
    what : str
        What the label belongs to, for the message.

    Raises
    ------
    ExportError
        When the label holds a control character, which XML cannot carry.

    Examples
    --------
    >>> gephi_text("INFANT", what="class 3")
    'InfANT'
    >>> gephi_text("A & <B>", what="class 4")
    'A &\xa0<B>'
    """
    found = CONTROL.search(text)
    if found:
        raise ExportError(
            f"the name {text!r} of {what} holds the character U+{ord(found[0]):04X}, which graph "
            "files cannot carry",
            "rename it",
        )
    text = text.strip(" ").replace("INF", "Inf")
    return ENTITY_GAP.sub(lambda gap: "\u00a0" * len(gap[0]), text)


def xml_text(text: str) -> str:
    """Escape `text` for the inside of an element; quotation marks stay as they are.

    Examples
    --------
    >>> xml_text('"A" & <B>')
    '"A" &amp; &lt;B&gt;'
    """
    return escape(text)


def xml_attribute(text: str) -> str:
    """Escape `text` for a double-quoted attribute.

    Examples
    --------
    >>> xml_attribute('"A" & <B>')
    '&quot;A&quot; &amp; &lt;B&gt;'
    """
    return escape(text, {'"': "&quot;"})


def escape_column(
    values: Sequence[str | None], escape_text: Callable[[str], str]
) -> list[str | None]:
    """Escape the texts of a column, each different one once; what is missing stays so.

    Examples
    --------
    >>> escape_column(["A & B", None, "A & B"], xml_text)
    ['A &amp; B', None, 'A &amp; B']
    """
    known = {value: escape_text(value) for value in set(values) if value is not None}
    return [None if value is None else known[value] for value in values]


def export_file_name(name: str, layer_index: int, layer: str, *, gzip: bool = False) -> str:
    """Name the file of one layer; Gephi cuts a workspace's name at the first dot.

    Examples
    --------
    >>> export_file_name("clean-r0", 3, "layer1.2")
    'clean-r0_L03_layer1-2.graphml'
    """
    words = (_file_word(name), layer_tag(layer_index), _file_word(layer)[:LONGEST_LAYER])
    return "_".join(word for word in words if word) + ".graphml" + _gz(gzip=gzip)


def union_file_name(name: str, *, gzip: bool = False) -> str:
    """Name the file of all layers for tools without time.

    Examples
    --------
    >>> union_file_name("clean-r0")
    'clean-r0_union.graphml'
    """
    return f"{_file_word(name) or 'graph'}_union.graphml" + _gz(gzip=gzip)


def dynamic_file_name(name: str, *, gzip: bool = False) -> str:
    """Name the file of all layers with time.

    Examples
    --------
    >>> dynamic_file_name("resnet56[2,3,6]-r0", gzip=True)
    'resnet56-2-3-6-r0_dynamic.gexf.gz'
    """
    return f"{_file_word(name) or 'graph'}_dynamic.gexf" + _gz(gzip=gzip)


def layer_tag(layer_index: int) -> str:
    """Name a layer by its place in depth.

    Examples
    --------
    >>> layer_tag(3)
    'L03'
    """
    return f"L{layer_index:02d}"


def _file_word(text: str) -> str:
    return NOT_A_NAME.sub("-", text).strip("-")


def _gz(*, gzip: bool) -> str:
    return ".gz" if gzip else ""
