"""The folder of a pruned network: whose it is, and what of the work is done."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from graphs.errors import RunError
from graphs.files import digest_json, read_json, remove_tree, sweep, write_json
from graphs.runs import versions
from pipeline.console import command_line
from pipeline.devices import require_writable
from pipeline.records import read_record

FORMAT = "prune/1"
FOLDERS = ("done", "tuning", "metrics")
FILES = ("model.pt", "model.pt2", "model.onnx", "copies.parquet")


class PruneFolder:
    """What lies on disk.

    ``prune.json`` says whose the folder is, at the end also what came out; ``done`` has one file
    for each finished piece of work.

    Parameters
    ----------
    root : Path
        The folder; it need not exist yet.
    identity : mapping
        What the work depends on, as plain values.
    force : bool
        Remove what other work left.

    Raises
    ------
    RunError
        When the folder holds something else, or cannot be written to.
    """

    def __init__(self, root: Path, identity: Mapping[str, Any], *, force: bool = False) -> None:
        self.root, self.identity = root, dict(identity)
        self.record_path = root / "prune.json"
        self.table = root / "metrics" / "prune.parquet"
        self._refuse_others(force=force)
        require_writable(root)
        if force:
            for name in FOLDERS:
                remove_tree(root / name)
            for name in (*FILES, "prune.json"):
                (root / name).unlink(missing_ok=True)
        root.mkdir(parents=True, exist_ok=True)
        sweep(root)
        if not self.record_path.exists():
            write_json(self.record_path, self._head("begun"))

    def _head(self, state: str) -> dict[str, Any]:
        return {"stratagraph": FORMAT, "state": state, "identity": self.identity}

    def _refuse_others(self, *, force: bool) -> None:
        found = read_record(self.record_path, form=FORMAT, what="pruned network", force=force)
        if found is None:
            return
        there = dict(found.get("identity", {}))
        if digest_json(there) == digest_json(self.identity) or force:
            return
        changed = [
            _difference(key, there.get(key), self.identity.get(key))
            for key in sorted(there.keys() | self.identity.keys())
            if digest_json(there.get(key)) != digest_json(self.identity.get(key))
        ]
        raise RunError(
            f"{self.root} holds another pruned network: {'; '.join(changed)}",
            "choose another --out, or --force to replace it",
        )

    @property
    def finished(self) -> bool:
        """Whether the work is done."""
        return bool(read_json(self.record_path).get("state") == "done")

    def done(self, name: str) -> dict[str, Any] | None:
        """Return what a piece of work gave; None when it is not done."""
        path = self.root / "done" / f"{name}.json"
        return read_json(path) if path.exists() else None

    def once(self, name: str, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Do a piece of work, or return what it gave."""
        found = self.done(name)
        if found is None:
            found = dict(work())
            write_json(self.root / "done" / f"{name}.json", found)
        return found

    def forget(self, name: str) -> None:
        """Let a piece of work be done again."""
        (self.root / "done" / f"{name}.json").unlink(missing_ok=True)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Record that everything is done. Called last."""
        about = {"command": command_line(), "versions": versions()}
        write_json(self.record_path, {**self._head("done"), **about, **result})


def _difference(key: str, before: object, now: object) -> str:
    values = (before, now)
    # digests say nothing to people
    if any(isinstance(value, dict | list) or len(str(value)) > 24 for value in values):
        return f"other {key}"
    return f"{key} was {before}, now {now}"
