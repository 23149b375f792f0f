"""Small image files and tables, written by other programs than the ones under test."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image


def encode(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def png() -> Callable[..., bytes]:
    return encode


@pytest.fixture
def colour() -> np.ndarray:
    """Twelve random colour images, uint8 (12, 6, 5, 3)."""
    return np.random.default_rng(0).integers(0, 256, (12, 6, 5, 3), dtype=np.uint8)


@pytest.fixture
def write_parquet() -> Callable[..., Path]:
    """Write images and labels in the layout of the Hugging Face hub."""

    def write(path, images, labels, *, names=None, row_group=5, column="img", label="label"):
        encoded = [image if isinstance(image, bytes) else encode(image) for image in images]
        cells = [{"bytes": one, "path": f"{i}.png"} for i, one in enumerate(encoded)]
        struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        table = pa.table({column: pa.array(cells, struct), label: pa.array(labels)})
        if names is not None:
            features = {
                column: {"_type": "Image"},
                label: {"_type": "ClassLabel", "names": list(names)},
            }
            meta = json.dumps({"info": {"features": features}})
            table = table.replace_schema_metadata({"huggingface": meta})
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, row_group_size=row_group)
        return path

    return write


@pytest.fixture
def write_folders() -> Callable[..., None]:
    """Write images as PATH/class/NN.png."""

    def write(root: Path, classes: dict[str, list[np.ndarray]]) -> None:
        for name, images in classes.items():
            (root / name).mkdir(parents=True, exist_ok=True)
            for number, image in enumerate(images):
                (root / name / f"{number:02d}.png").write_bytes(encode(image))

    return write
