"""The run folder: where things lie, what is finished, and whose run it is."""

import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, get_args

from graphs.errors import CorruptFileError, RunError, SchemaError, TableError
from graphs.files import read_json, remove_tree, sweep, write_json
from graphs.places import remote, resolve_folder
from graphs.schema import TableName
from graphs.tables import read_metadata

FORMAT = "run/1"
Stage = Literal["activations", "edges", "communities"]
# what later stages read of each stage's entry
NEEDED: dict[Stage, set[str]] = {
    "activations": {"identity", "parameters", "label_names", "sets"},
    "edges": {"parameters"},
    "communities": {"parameters", "digest", "exports", "figures"},
}
STAGES: tuple[Stage, ...] = ("activations", "edges", "communities")
MetricTable = Literal["layers", "classes", "class_pairs", "communities", "nodes", "flows", "events"]
METRIC_TABLES: tuple[MetricTable, ...] = get_args(MetricTable)
# of whole node sets, beside those of single layers
SetTable = Literal["samples"]
SET_TABLES: tuple[SetTable, ...] = get_args(SetTable)
FIGURES = tuple(
    f"{name}.{kind}" for name in ("curve", "classes", "class-pairs") for kind in ("svg", "png")
)
PACKAGES = (
    "stratagraph",
    "torch",
    "torchvision",
    "faiss-gpu",
    "faiss-cpu",
    "igraph",
    "networkx",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "adversarial-robustness-toolbox",
)


class RepeatFolder:
    """What belongs to one node set: ``RUN/variant=clean/repeat=0``."""

    def __init__(self, root: Path, variant: str, repeat: int) -> None:
        self.variant = variant
        self.repeat = repeat
        self.path = root / f"variant={variant}" / f"repeat={repeat}"
        self.nodes = self.path / "nodes.parquet"
        self.predictions = self.path / "predictions"

    @property
    def name(self) -> str:
        """Name in file names: ``clean-r0``."""
        return f"{self.variant}-r{self.repeat}"

    def layer(self, index: int) -> Path:
        """Folder of one layer's activation shards."""
        return self.path / "activations" / f"layer={index:03d}"

    def shard(self, index: int, part: int) -> Path:
        """One shard of one layer."""
        return self.layer(index) / f"part-{part:05d}.parquet"

    def prediction(self, part: int) -> Path:
        """Predictions for the samples of one part, kept until the node table is written."""
        return self.predictions / f"part-{part:05d}.parquet"

    def edges(self, index: int) -> Path:
        """k-NN edges of one layer."""
        return self.path / "edges" / f"layer={index:03d}.parquet"


class Run:
    """A run folder.

    Parameters
    ----------
    root : Path
        The folder, or a URL (`graphs.places.resolve_folder`); it need not exist yet.

    Raises
    ------
    RunError
        When the folder holds files but is no run, its manifest cannot be read, or the file system
        at a URL does not answer.
    """

    def __init__(self, root: Path) -> None:
        self.root = root = resolve_folder(root)
        if there := remote(root):
            there.require_answer()
        self.manifest_path = root / "manifest.json"
        self.exports = root / "exports"
        self.figures = root / "figures"
        self.parts = root / "metrics" / ".parts"
        self.page = root / "report.html"
        if root.exists() and not root.is_dir():
            raise RunError(f"{root} is a file, not a folder", "choose another --out")
        if self.manifest_path.exists():
            self.manifest = read_json(self.manifest_path)
            if self.manifest.get("stratagraph") != FORMAT:
                raise RunError(
                    f"{self.manifest_path} is of format {self.manifest.get('stratagraph')!r}, "
                    f"this version reads {FORMAT!r}",
                    "use the version of stratagraph that wrote it, or another --out",
                )
            self._check_manifest()
        elif root.is_dir() and any(root.iterdir()) and not self._has_traces():
            raise RunError(f"{root} holds files that are no run", "choose another --out folder")
        else:
            self.manifest = {}

    def _has_traces(self) -> bool:
        """Whether a folder without a manifest holds what a killed run left."""
        return self.parts.exists() or any(self.root.glob("variant=*"))

    def _check_manifest(self) -> None:
        """Refuse a manifest that lacks what the stages read from it."""
        stages = self.manifest.get("stages")
        whole = isinstance(stages, dict) and all(
            isinstance(stages[name], dict) and needed <= stages[name].keys()
            for name, needed in NEEDED.items()
            if name in stages
        )
        if not whole:
            raise RunError(
                f"{self.manifest_path} lacks entries that stratagraph writes",
                "delete it and run the stages again; what is whole is kept",
            )

    def repeat(self, variant: str, repeat: int) -> RepeatFolder:
        """Return the folder of one node set."""
        return RepeatFolder(self.root, variant, repeat)

    def table(self, name: MetricTable | SetTable) -> Path:
        """Return the path of a metric table."""
        return self.root / "metrics" / f"{name}.parquet"

    def stage(self, name: Stage) -> dict[str, Any]:
        """Return what a finished stage recorded.

        Raises
        ------
        RunError
            When the stage is not finished.
        """
        entry = self.recorded(name)
        if not entry:
            number = STAGES.index(name) + 1
            remedy = f"run `stratagraph {name} --out {self.root}` first"
            if number == 1 and self.root.is_dir() and self._has_traces():
                remedy = "repeat the command that began it: what is there is kept"
            raise RunError(f"{self.root} has no finished stage {number} ({name})", remedy)
        return entry

    def recorded(self, name: Stage) -> dict[str, Any]:
        """Return what a stage recorded, or nothing where it is not finished."""
        return dict(self.manifest.get("stages", {}).get(name, {}))

    def reopen(self, name: Stage) -> None:
        """Take a stage and those after it out of the manifest: they are about to change.

        The outputs of stage 3 go too: they would speak of other edges. Only a stage 3 that goes
        on after a kill keeps what it has.
        """
        stages = self.manifest.get("stages", {})
        later = STAGES[STAGES.index(name) :]
        recorded = any(stage in stages for stage in later)
        for stage in later:
            stages.pop(stage, None)
        if recorded:
            write_json(self.manifest_path, self.manifest)
        if recorded or name != "communities":
            self._remove_outputs()

    def finish(self, name: Stage, entry: Mapping[str, Any], *, command: str) -> None:
        """Record a stage as done. Called last, after all of its files are in place."""
        stages = dict(self.manifest.get("stages", {}))
        stages[name] = {"state": "done", "command": command, **entry}
        self.manifest = {
            "stratagraph": FORMAT,
            "versions": versions(),
            "stages": {stage: stages[stage] for stage in STAGES if stage in stages},
        }
        write_json(self.manifest_path, self.manifest)

    def sweep(self) -> None:
        """Remove what killed writers left behind."""
        sweep(self.root)

    def clear(self) -> None:
        """Remove everything that a run writes; files of the user beside them stay.

        What tells that the folder is a run goes last, so that a kill leaves one.
        """
        self.manifest_path.unlink(missing_ok=True)
        self.manifest = {}
        self._remove_outputs()
        for folder in self.root.glob("variant=*"):
            remove_tree(folder)

    def _remove_outputs(self) -> None:
        """Remove tables, figures, graph files and the page that shows them."""
        remove_tree(self.parts)
        tables = [self.table(name) for name in (*METRIC_TABLES, *SET_TABLES)]
        figures = [self.figures / name for name in FIGURES]
        for path in (*tables, *figures, *self.graph_files(), self.page):
            path.unlink(missing_ok=True)
        for folder in (self.parts.parent, self.figures, self.exports):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def graph_files(self, name: str = "*") -> list[Path]:
        """Return the graph files of one node set, ``clean-r0``, or of all."""
        kinds = ("_L[0-9][0-9]*_*.graphml", "_union.graphml", "_dynamic.gexf")
        return [
            path
            for kind in kinds
            for packed in ("", ".gz")
            for path in sorted(self.exports.glob(f"{name}{kind}{packed}"))
        ]

    def size(self) -> int:
        """Return what the run's node sets take on disk, in bytes."""
        if there := remote(self.root):
            sizes = there.sizes().items()
            return sum(
                size
                for name, size in sizes
                if name.startswith("variant=") and name.endswith(".parquet")
            )
        return sum(path.stat().st_size for path in self.root.glob("variant=*/**/*.parquet"))


def holds(path: Path, name: TableName, digest: str) -> bool:
    """Whether a file is there, whole, of a version that we read, and made from these inputs."""
    try:
        return read_metadata(path, name).get("digest") == digest
    except (CorruptFileError, SchemaError, TableError):
        return False


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
