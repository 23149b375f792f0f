"""`--memory` is honoured however many samples there are: peak resident set of a process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

BUDGET = 96  # MiB
SLACK = 64  # MiB: the network's own maps, the images, buffers of the libraries


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in kB on Linux only")
def test_activations_larger_than_the_budget_stay_within_it(tmp_path):
    samples = 2000
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (samples, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "a.npz", x=images, y=np.arange(samples) % 10)
    # two layers of 16 x 32 x 32 values of 4 bytes, 125 MiB each: held whole, they break the limit
    assert 2 * samples * 16 * 32 * 32 * 4 / 2**20 > 1.2 * BUDGET + SLACK + 64
    script = Path(__file__).with_name("measure_memory.py")
    arguments = [tmp_path, tmp_path / "a.npz", samples, f"{BUDGET}MiB"]
    command = [sys.executable, str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    stage1, stage2 = map(int, done.stdout.split())
    assert stage1 < 1.2 * BUDGET + SLACK
    assert stage2 < 1.2 * BUDGET + SLACK
