"""The folder of a study: the runs it is made of, the tables of its variants, what came out."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import pandas as pd

from graphs.errors import RunError
from graphs.files import remove_tree, sweep, write_json
from graphs.measures import MetricTables
from graphs.places import resolve_folder
from graphs.runs import METRIC_TABLES, MetricTable, holds, versions
from graphs.schema import TableName
from graphs.tables import read_frame, write_table
from pipeline.console import command_line, fill, show_table
from pipeline.devices import require_writable
from pipeline.graph_sets import TABLES
from pipeline.records import read_record

FORMAT = "study/1"


def refuse_others(root: Path, kind: str, *, subject: str = "", force: bool = False) -> None:
    """Refuse a folder of something else, as `StudyFolder` does; nothing is written.

    For studies that have long work to do before they open their folder.
    """
    root = resolve_folder(root)
    found = read_record(root / "study.json", form=FORMAT, what="study", force=force)
    if found is None:
        return
    if found.get("study") != kind:
        raise RunError(
            f"{root} holds a study {found.get('study')!r}, this one is {kind!r}",
            "choose another --out",
        )
    if subject and found.get("subject") != subject and not force:
        raise RunError(
            f"{root} holds a study of other runs or with other options",
            "choose another --out, or --force to replace it",
        )


class StudyFolder:
    """A study on disk.

    ``study.json`` says what it is and is written last; ``runs/NAME`` are ordinary run folders;
    ``variants/NAME`` keeps the tables of a finished variant; ``metrics`` and ``figures`` hold what
    the user looks at. What an earlier study recorded stays until `begin`: a command that is
    refused after the folder was opened changes nothing.

    Parameters
    ----------
    root : Path
        The folder; it need not exist yet.
    kind : str
        Name of the study: ``ablation``.
    subject : str
        Digest of what is studied, where the study takes over tables made from finished runs: a
        folder of other runs is refused.
    force : bool
        Remove what an earlier study left.

    Raises
    ------
    RunError
        When the folder holds something else.
    """

    def __init__(self, root: Path, kind: str, *, subject: str = "", force: bool = False) -> None:
        self.root, self.kind, self.subject = resolve_folder(root), kind, subject
        self.record_path = self.root / "study.json"
        self.figures = self.root / "figures"
        refuse_others(self.root, kind, subject=subject, force=force)
        require_writable(self.root)
        if force:
            for place in ("variants", "runs", "metrics", "figures"):
                remove_tree(self.root / place)
            self.record_path.unlink(missing_ok=True)
        self.root.mkdir(parents=True, exist_ok=True)
        self._begun = False
        if not self.record_path.exists():  # the folder is a study's from now on
            self.begin()
        sweep(self.root)

    def begin(self) -> None:
        """Take back what an earlier study recorded: called before the first file changes.

        A study that is killed after that does not look done.
        """
        if not self._begun:
            write_json(self.record_path, self._head("begun"))
            self._begun = True

    def change(self, variant: str) -> None:
        """Take back that a variant is measured: called before its graphs or tables change."""
        self.begin()
        self.done_path(variant).unlink(missing_ok=True)

    def _head(self, state: str) -> dict[str, str]:
        head = {"stratagraph": FORMAT, "study": self.kind, "state": state}
        return head | ({"subject": self.subject} if self.subject else {})

    def run(self, name: str) -> Path:
        """Return the folder of one of the runs."""
        return self.root / "runs" / name

    def table(self, name: str) -> Path:
        """Return the path of a table of the study, of all variants."""
        return self.root / "metrics" / f"{name}.parquet"

    def variant_table(self, variant: str, name: MetricTable) -> Path:
        """Return the path of a metric table of one variant."""
        return self.root / "variants" / variant / f"{name}.parquet"

    def done_path(self, variant: str) -> Path:
        """Return the path of the note that a variant is measured, and from what."""
        return self.root / "variants" / variant / "done.json"

    def holds(self, variant: str, digest: str) -> bool:
        """Whether the tables of a variant are there, made from these inputs."""
        return all(
            holds(self.variant_table(variant, name), TABLES[name], digest) for name in METRIC_TABLES
        )

    def read(self, variant: str) -> MetricTables:
        """Read the tables of a variant."""
        return MetricTables(
            **{
                name: read_frame(self.variant_table(variant, name), TABLES[name])
                for name in METRIC_TABLES
            }
        )

    def write(self, variant: str, tables: MetricTables, digest: str) -> None:
        """Write the tables of a variant."""
        self.change(variant)
        for name in METRIC_TABLES:
            path = self.variant_table(variant, name)
            write_table(getattr(tables, name), path, TABLES[name], metadata={"digest": digest})

    def write_metrics(self, tables: MetricTables) -> None:
        """Write the metric tables of all variants, as ``RUN/metrics`` has them of one."""
        self.begin()
        for field in fields(MetricTables):
            name: MetricTable = field.name  # type: ignore[assignment]  # they are the same names
            write_table(getattr(tables, name), self.table(name), TABLES[name])

    def write_own(self, table: pd.DataFrame) -> None:
        """Write the study's own table, which is called as the study is."""
        self.begin()
        write_table(table, self.table(self.kind), cast("TableName", self.kind))

    def finish(self, parameters: Mapping[str, Any], *, reading: str, files: list[str]) -> Path:
        """Record the study as done, say what came out and where it lies. Called last."""
        write_json(
            self.record_path,
            {
                **self._head("done"),
                "command": command_line(),
                "parameters": dict(parameters),
                "versions": versions(),
                "reading": reading,
                "figures": files,
            },
        )
        figure, table = self.figures / f"{self.kind}.png", self.table(self.kind)
        text = f"\n{fill(reading)}\n\nfigure   {figure}\ntable    {table}"
        show_table(self.kind, text, reading=reading, figure=figure, file=table)
        return self.root
