"""P3: stage 1, which writes what it computes, against the bare forward pass."""

import os
import shutil
from collections.abc import Sequence
from statistics import median

import numpy as np
import torch

from pipeline.benchmarks.images import prepare
from pipeline.benchmarks.setting import Case, Measured, Note, Setting, alternate
from pipeline.benchmarks.setting import seconds as seconds_of
from pipeline.forward import Forward
from pipeline.options import Machine, Work
from pipeline.stage1_activations import dump_activations


def measure_stage1(setting: Setting) -> Measured:
    """Compare all of stage 1 with the forward pass alone, in the same batches and memory format.

    The bare pass has its batches ready in memory; stage 1 reads and normalises the images, loads
    and traces the network and writes every layer's activations to disk.
    """
    workload = prepare(setting, setting.size(5000, quick=64))
    bare = workload.forward()
    batches = [
        bare.data.images(part).contiguous(memory_format=bare.memory_format)
        for part in np.split(np.arange(len(bare.data)), range(bare.size, len(bare.data), bare.size))
    ]
    run = setting.scratch / "run"

    def stage1() -> None:
        dump_activations(
            run,
            network=workload.network,
            images=workload.images,
            machine=Machine(device="cpu"),
            work=Work(progress=False),
        )

    @torch.inference_mode()
    def forward() -> None:
        for batch in batches:
            bare.model(batch)

    forward()  # what torch sets up in its first pass is no cost of either side
    seconds, baseline = alternate(
        stage1, forward, rounds=setting.rounds, tidy=lambda: shutil.rmtree(run, ignore_errors=True)
    )
    case = Case(what="stage 1", seconds=seconds, baseline=baseline)
    floor = _disk_alone(batches, bare, setting)
    middle = median(baseline)
    note = Note(
        what="the same bytes, raw to disk",
        value=median(floor) / middle,
        low=min(floor) / middle,
        high=max(floor) / middle,
        unit="x",
    )
    return Measured(
        cases=(case,),
        input=f"{workload.text}, all blocks in float32",
        notes=(note,),
        points=tuple({"what": note.what, "seconds": value} for value in floor),
    )


def _disk_alone(
    batches: Sequence[torch.Tensor], bare: Forward, setting: Setting
) -> tuple[float, ...]:
    """Time writing and flushing as many bytes without any format: what no stage 1 can beat."""
    sizes = [layer.stored_values(bare.pool) for layer in bare.layers]
    arrays = [np.ones((bare.size, size), np.float32) for size in sizes]
    path = setting.scratch / "raw"

    def write() -> None:
        with path.open("wb") as stream:
            for batch in batches:
                for values in arrays:
                    values[: len(batch)].tofile(stream)
            os.fsync(stream.fileno())

    found = []
    for _ in range(setting.rounds):
        path.unlink(missing_ok=True)
        found.append(seconds_of(write))
    path.unlink()
    return tuple(found)
