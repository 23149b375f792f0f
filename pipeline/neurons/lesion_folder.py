"""What `neurons lesion` writes, part by part, so that finished parts are not done again."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from graphs.errors import RunError
from graphs.files import remove_tree, sweep, write_json
from graphs.runs import holds, versions
from graphs.schema import TableName
from graphs.tables import read_frame, write_table
from pipeline.console import command_line
from pipeline.devices import require_writable
from pipeline.records import read_record

FORMAT = "lesions/1"


class LesionFolder:
    """The folder of one lesion test.

    Parameters
    ----------
    root : Path
        Made where it is missing.
    digest : str
        Of network, clusters, images and options.
    force : bool
        Remove what is there.

    Raises
    ------
    RunError
        When the folder holds something else.
    """

    def __init__(self, root: Path, digest: str, *, force: bool = False) -> None:
        self.root, self.digest = root, digest
        self.record = root / "lesions.json"
        found = read_record(self.record, form=FORMAT, what="lesions", force=force)
        if found is not None and found.get("digest") != digest and not force:
            raise RunError(
                f"{root} holds lesions of another network or with other options",
                "choose another --out, or --force to replace them",
            )
        require_writable(root)
        if force:
            for name in ("parts", "metrics", "figures", "exports"):
                remove_tree(root / name)
        root.mkdir(parents=True, exist_ok=True)
        sweep(root)
        write_json(self.record, self._head("begun"))

    def _head(self, state: str) -> dict[str, str]:
        return {"stratagraph": FORMAT, "state": state, "digest": self.digest}

    def part(
        self, name: str, tables: tuple[TableName, ...], make: Callable[[], tuple[pd.DataFrame, ...]]
    ) -> tuple[pd.DataFrame, ...]:
        """Read the tables of a part, or make and write them.

        Parameters
        ----------
        name : str
            Of the part, for its files.
        tables : tuple of str
            What `make` returns.
        make : callable
            Does the work.
        """
        paths = [self.root / "parts" / f"{table}-{name}.parquet" for table in tables]
        pairs = list(zip(paths, tables, strict=True))
        if all(holds(path, table, self.digest) for path, table in pairs):
            return tuple(read_frame(path, table) for path, table in pairs)
        frames = make()
        for frame, (path, table) in zip(frames, pairs, strict=True):
            write_table(frame, path, table, metadata={"digest": self.digest})
        return frames

    def write(self, name: TableName, table: pd.DataFrame) -> Path:
        """Write a table of the whole test."""
        path = self.root / "metrics" / f"{name}.parquet"
        return write_table(table, path, name, metadata={"digest": self.digest})

    def finish(self, parameters: Mapping[str, Any], *, reading: str) -> None:
        """Record the test as done, and what it said. Called last."""
        write_json(
            self.record,
            {
                **self._head("done"),
                "command": command_line(),
                "parameters": dict(parameters),
                "versions": versions(),
                "reading": reading,
            },
        )
