"""What all tests share: which marks run here, and in which order the files go."""

import os
import shutil
from pathlib import Path

import hypothesis
import pytest

from graphs.neighbors.faiss_library import faiss

hypothesis.settings.register_profile("untimed", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("untimed")
DATA = os.environ.get("STRATAGRAPH_DATA")


def pytest_collection_modifyitems(items):
    """Skip, visibly, what this machine cannot run.

    Markers, not keywords: a folder named `data` is a keyword too.
    """
    no_data = pytest.mark.skip(reason="STRATAGRAPH_DATA names no folder with the real data sets")
    no_gpu = pytest.mark.skip(reason="no CUDA GPU")
    no_browser = pytest.mark.skip(reason="no chromium on the PATH")
    for item in items:
        if item.get_closest_marker("data") and not (DATA and Path(DATA).is_dir()):
            item.add_marker(no_data)
        if item.get_closest_marker("gpu") and not faiss.get_num_gpus():
            item.add_marker(no_gpu)
        if item.get_closest_marker("browser") and not shutil.which("chromium"):
            item.add_marker(no_browser)
    # a file is one process's: those that take long go first, so that none is left for the end
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long and item.path.suffix != ".ipynb")


@pytest.fixture
def data_folder():
    """Folder of the real data sets."""
    return Path(DATA)
