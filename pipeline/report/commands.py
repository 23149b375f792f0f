"""The commands and versions that made what the page shows."""

from pipeline.report.opening import Folders
from pipeline.report.section import PageTable, Section


def commands_section(folders: Folders) -> Section:
    """Gather commands and versions from the records of runs and studies.

    Parameters
    ----------
    folders : Folders
        What the page is made of.
    """
    made = []
    for item in folders.runs:
        stages = item.run.manifest["stages"].values()
        commands = list(dict.fromkeys(str(stage["command"]) for stage in stages))
        made.append({"name": f"{item.name} ({item.title})", "commands": commands})
    made += [
        {"name": study.name, "commands": [str(study.record.get("command", ""))]}
        for study in folders.studies
    ]
    versions = [
        [item.name, package, version]
        for item in folders.runs
        for package, version in item.run.manifest.get("versions", {}).items()
    ]
    return Section(
        name="commands",
        title="How this was made",
        short="Commands",
        kind="commands",
        content={"made": made, "table": PageTable.of(["run", "package", "version"], versions)},
    )
