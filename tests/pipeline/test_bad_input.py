"""What a user can do wrong, and the machine to him: one line says what, why and what to do.

The cases are the rows of bad_input.toml. Each drives the real command line; afterwards nothing is
half-written, nothing that was there is lost, and no stage is recorded that is not finished.
"""

import json
import os
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

MODEL = "--model @bad_models.py:good"
SMALL = "--samples 20 --repeats 1"
REPEAT = "variant=clean/repeat=0"
SHORTHAND = {
    "SHARD": f"{REPEAT}/activations/layer=000/part-00000.parquet",
    "EDGES": f"{REPEAT}/edges/layer=000.parquet",
}
# What may stand on standard error beside the line of the error.
NEWS = re.compile(r"(note: |stage [123]: ).*|accuracy on .*")

IS_ROOT = sys.platform == "linux" and os.geteuid() == 0
NEEDS = {
    "root": pytest.mark.skipif(not IS_ROOT, reason="mounting a small disk needs root on Linux"),
    "user": pytest.mark.skipif(IS_ROOT, reason="permission bits do not bind root"),
    "no-gpu": pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
}


def flip(path):
    """Damage a byte of the first data page, which no footer tells of."""
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 0xFF
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def delete(path):
    path.unlink()


def relabel(path, schema):
    """Let a table say that it is of another schema."""
    table = pq.read_table(path)
    said = {**table.schema.metadata, b"stratagraph.schema": schema.encode()}
    pq.write_table(table.replace_schema_metadata(said), path)


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def lock(path):
    path.mkdir(0o500)


DAMAGE = {do.__name__: do for do in (flip, cut, delete, relabel, write, lock)}


def rows():
    """The table, as parameters."""
    text = Path(__file__).with_name("bad_input.toml").read_text("utf-8")
    for row in tomllib.loads(text)["row"]:
        marks = [NEEDS[row["needs"]]] if "needs" in row else []
        yield pytest.param(row, id=row["name"], marks=marks)


def tokens(row):
    """The command of a row, without --out."""
    if "command" in row:
        return shlex.split(row["command"])
    given = row["run"]
    model = "" if "--model" in given else MODEL
    small = "" if "--samples" in given else SMALL
    return shlex.split(f"run {model} {small} {given}")


@pytest.fixture
def prepared(request, tmp_path, folder_after):
    """The run folder as a row wants it, before the command."""

    def prepare(row):
        out = tmp_path / "out"
        if "free_kib" in row:
            place, leave = request.getfixturevalue("disk")
            out = place / "out"
        if "after" in row:
            folder_after(row["after"], out)
        if "damage" in row:
            name, *rest = row["damage"]
            target, *arguments = rest or [""]
            DAMAGE[name](out / SHORTHAND.get(target, target), *arguments)
        if "free_kib" in row:
            leave(row["free_kib"] << 10)
        return out

    return prepare


def contents(folder):
    """Bytes of every file below a folder, or of the file."""
    paths = [folder] if folder.is_file() else folder.rglob("*")
    return {path: path.read_bytes() for path in paths if path.is_file()}


def finished(out):
    """The stages that a manifest records."""
    try:
        return list(json.loads((out / "manifest.json").read_text())["stages"])
    except (OSError, ValueError, KeyError):
        return []


def is_whole(path):
    """Whether a new file can be read to its end."""
    if path.suffix == ".parquet":
        return pq.read_table(path, page_checksum_verification=True).num_rows > 0
    return path.stat().st_size > 0 and not path.name.endswith(".tmp")


@pytest.mark.parametrize("row", list(rows()))
def test_bad_input(row, command, prepared, bad_file, tmp_path):
    out = prepared(row)
    argv = [re.sub("@([^:/]*)", lambda name: str(bad_file(name[1])), at) for at in tokens(row)]
    if "--out" not in argv and argv[0] != "rnu":
        argv += ["--out", str(out)]
    before, recorded = contents(out) if out.exists() else {}, finished(out)
    foreign = contents(tmp_path)

    status, _, error = command(argv)

    usage = row.get("status", 1) == 2
    *news, line = error.splitlines()
    assert status == row.get("status", 1), error
    assert "Traceback" not in error
    assert all(NEWS.fullmatch(other) for other in news), error
    prefix = "stratagraph: error: "
    assert line.startswith(prefix)
    assert re.search(row["message"], line), line
    assert usage or "; " in line, "no remedy"

    after = contents(out) if out.exists() else {}
    assert before.items() <= after.items(), "something that was there is lost"
    assert foreign.items() <= contents(tmp_path).items(), "an input was changed"
    assert finished(out) == recorded + row.get("done", [])
    new = after.keys() - before.keys()
    if row.get("begun"):
        assert all(is_whole(path) for path in new), "something is half-written"
    else:
        assert not new
        assert before or "damage" in row or not out.is_dir(), "an empty folder is left"
