"""The project as a whole: what its documents say is so."""

import ast
import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import pytest

import graphs
import pipeline
from pipeline.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_packages_are_those_of_this_checkout():
    """Their names are generic: another `graphs` may be installed."""
    assert Path(graphs.__file__).parent == ROOT / "graphs"
    assert Path(pipeline.__file__).parent == ROOT / "pipeline"


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_everything_in_the_readme_runs_in_order(tmp_path, monkeypatch, capsys):
    """Console and Python blocks, one after the other, in one folder."""
    monkeypatch.chdir(tmp_path)
    names = {}
    ran = 0
    for kind, text in re.findall(
        r"^```(console|python)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL
    ):
        if kind == "python":
            exec(compile(text, "README.md", "exec"), names)
            ran += 1
            continue
        for line in text.splitlines():
            prompt, _, command = line.partition("$ stratagraph ")
            assert prompt == "", f"{line!r} is no command"
            with pytest.raises(SystemExit) as status:
                main(shlex.split(command))
            assert not status.value.code, (line, capsys.readouterr().err)
            ran += 1
    assert ran > len(blocks("console")) + len(blocks("python")) > 7
    for path in re.findall(r"runs/first/[\w./=-]+\.\w+", README):
        assert (tmp_path / path).exists(), path


def test_the_readme_lists_every_command_with_its_help():
    rows = dict(re.findall(r"^\| `stratagraph ([\w -]+)` \| (.*?) \|$", README, flags=re.MULTILINE))
    assert rows == {name: summary for name, (_, summary) in COMMANDS.items()}


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_links_and_files_that_documents_name_exist(name):
    text = (ROOT / name).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (ROOT / target).exists(), target


def test_the_architecture_names_every_module():
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    names = [
        path.stem for package in ("graphs", "pipeline") for path in (ROOT / package).glob("*.py")
    ]
    missing = [
        name
        for name in names
        if f"{name}.py" not in text and name != "__init__" and not name.endswith("_command")
    ]
    assert missing == []


def public_functions():
    """Every function that is public by name, in both packages."""
    for package in (graphs, pipeline):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            path = Path(module.module_finder.path) / f"{module.name.rpartition('.')[2]}.py"
            if not path.exists():
                continue
            for node in ast.parse(path.read_text("utf-8")).body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    yield module.name, node


def test_public_functions_take_at_most_three_positional_parameters():
    crowded = [
        f"{module}.{node.name}" for module, node in public_functions() if len(node.args.args) > 3
    ]
    assert crowded == []


def test_what_packages_offer_can_be_imported():
    for package in (graphs, pipeline):
        for name in package.__all__:
            assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="module 'pipeline' has no attribute 'nothing'"):
        importlib.import_module("pipeline").nothing  # noqa: B018
    with pytest.raises(AttributeError, match="module 'graphs' has no attribute 'nothing'"):
        importlib.import_module("graphs").nothing  # noqa: B018
