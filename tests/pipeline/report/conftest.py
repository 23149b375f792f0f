"""Runs that pages are made of: digits under names that a page must not believe."""

import io
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from pipeline.options import Images, Network
from pipeline.run import run_stages

# the third one is no name that markup could hide in
NAMES = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)> & co', "plain")
SAMPLES = 60


def write_parquet(path):
    """Digits 0, 1 and 2 as PNG, with labels that are markup."""
    digits = load_digits()
    chosen = np.flatnonzero(digits.target < 3)[:150]
    cells = []
    for image in digits.images[chosen]:
        buffer = io.BytesIO()
        Image.fromarray(np.uint8(image * 15)).save(buffer, "PNG")
        cells.append({"bytes": buffer.getvalue(), "path": None})
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    labels = [NAMES[label] for label in digits.target[chosen]]
    pq.write_table(pa.table({"img": pa.array(cells, struct), "label": labels}), path)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A run of two repeats and seven layers, beside its images."""
    place = tmp_path_factory.mktemp("report")
    write_parquet(place / "digits.parquet")
    run_stages(
        place / "run",
        network=Network(model="resnet14"),
        images=Images(dataset="parquet", data=place / "digits.parquet", samples=SAMPLES, repeats=2),
    )
    return SimpleNamespace(place=place, run=place / "run", names=NAMES, samples=SAMPLES)


@pytest.fixture
def run(made, tmp_path):
    """A copy of the run that a test may change; its images stay where they are."""
    shutil.copytree(made.run, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def manifest():
    """Change the record of a run: ``manifest(run, change)``."""

    def rewrite(run, change):
        path = run / "manifest.json"
        record = json.loads(path.read_text())
        change(record["stages"])
        path.write_text(json.dumps(record))

    return rewrite
