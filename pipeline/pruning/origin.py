"""Which state of a run a plan was made from, and whether the run is still in it."""

from pathlib import Path

from graphs.errors import PlanError, RunError
from graphs.files import digest_json, read_json
from graphs.runs import Run
from pipeline.edge_files import edges_digest
from pipeline.pruning.plan import Plan


def digest_run(run: Run) -> str:
    """Return a digest of what a plan looks at in a run: network, images, features and links.

    Raises
    ------
    RunError
        When stage 1 or 2 is not finished.
    """
    source, links = run.stage("activations"), run.stage("edges")["parameters"]
    graphs = [
        [item["digest"], *(edges_digest(layer, links) for layer in item["layers"])]
        for item in source["sets"]
    ]
    return digest_json([source["identity"], graphs])


def require_current(plan: Plan, path: Path) -> None:
    """Refuse a plan that lies in a run which is not any more what it was made from.

    Parameters
    ----------
    plan : Plan
        The plan. One that was made without a run says nothing of any.
    path : Path
        Its file.

    Raises
    ------
    PlanError
        When the run in that folder is another, was made anew, or is unfinished.
    RunError
        When its manifest cannot be read.
    """
    folder = path.parent
    if not plan.made_from or not _holds_run(folder):
        return
    run = Run(folder)
    try:
        now = digest_run(run)
    except RunError as error:
        raise PlanError(
            f"{path} was made from a run that is not finished any more: {error.problem}",
            f"{error.remedy}; then make the plan again: stratagraph plan {folder}",
        ) from error
    if now != plan.made_from:
        raise PlanError(
            f"{path} was made from another state of the run: since then its features or links "
            "were made anew",
            f"make it again: stratagraph plan {folder}; or, to follow it all the same, move it "
            "out of the run",
        )


def _holds_run(folder: Path) -> bool:
    """Whether a run is there, or what is left of one that is being made anew."""
    if any(folder.glob("variant=*")):
        return True
    manifest = folder / "manifest.json"  # of this name others write, too
    try:
        return manifest.exists() and "stratagraph" in read_json(manifest)
    except RunError:
        return False
