"""The "Gephi rules": whether every graph program reads a file alike."""

import gzip
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from xml.parsers import expat

from graphs.errors import CorruptFileError, TableError
from graphs.export.rule_checker import Report, RuleChecker
from graphs.export.rule_tables import GEXF_RULES, GRAPHML_RULES
from graphs.export.rules_gexf import GexfRules
from graphs.export.rules_graphml import GraphmlRules

FORMATS: Final[Mapping[str, tuple[type[RuleChecker], Mapping[str, str]]]] = {
    ".graphml": (GraphmlRules, GRAPHML_RULES),
    ".gexf": (GexfRules, GEXF_RULES),
}
SHORTEST_STEM = 2
BLOCK = 1 << 16
LONGEST_LINE = 1 << 20


def check_gephi(path: Path | str) -> list[str]:
    """Return what graph programs would misread in a GraphML or GEXF 1.3 file.

    The rules stand in `graphs.export.rule_tables` with their reasons: what the schemas demand, and
    what Gephi, Gephi Lite, Cytoscape, igraph, NetworkX and graph-tool need beyond them to read one
    undirected weighted graph alike. The file is read once, in pieces.

    Parameters
    ----------
    path : Path or str
        A ``.graphml`` or ``.gexf`` file, or one of them packed as ``.gz``.

    Returns
    -------
    list of str
        One sentence a violation, with its line; at most 20 of each rule, then their number. Empty
        when the file is clean. XML that is not well-formed is a violation too.

    Raises
    ------
    TableError
        When the name has another suffix.
    CorruptFileError
        When the file is missing, unreadable or a truncated ``.gz``.
    """
    path = Path(path)
    return violations(path, name=path.name)


def violations(path: Path, *, name: str) -> list[str]:
    """Check the file at `path` as if it were called `name`; see `check_gephi`."""
    stem = name.removesuffix(".gz")
    suffix = next((suffix for suffix in FORMATS if stem.endswith(suffix)), None)
    if suffix is None:
        raise TableError(
            f"{name} is no graph file: its name does not end in .graphml or .gexf, or one of them "
            "and .gz",
            "name the file after its format",
        )
    kind, rules = FORMATS[suffix]
    report = Report(rules)
    stem = stem.removesuffix(suffix)
    if "." in stem or len(stem) < SHORTEST_STEM:
        report.add("file-name", f"the file is called {name}", line=0)
    try:
        _parse(path, kind=kind, report=report, packed=name.endswith(".gz"))
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CorruptFileError(
            f"{path.with_name(name)} cannot be read: {reason}", "export it again"
        ) from error
    return report.sentences()


def _parse(path: Path, *, kind: type[RuleChecker], report: Report, packed: bool) -> None:
    parser = expat.ParserCreate()
    checker = kind(parser, report)
    with gzip.open(path) if packed else path.open("rb") as stream:
        try:
            # whole lines, unless one is very long
            while block := stream.read(BLOCK) + stream.readline(LONGEST_LINE):
                checker.feed(block)
            parser.Parse(b"", True)  # noqa: FBT003  expat takes it by position
        except expat.ExpatError as error:
            line = error.lineno + checker.lines_passed
            report.add("xml", expat.errors.messages[error.code], line=line)
            return
        except (LookupError, ValueError) as error:
            # an encoding that Python does not know, or that maps bytes to several characters
            report.add("xml", str(error), line=1)
            return
    checker.finish()
