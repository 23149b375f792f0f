"""P3: stage 1, which writes what it computes, against the bare forward pass."""

import shutil

import numpy as np
import torch

from pipeline.benchmarks.images import prepare
from pipeline.benchmarks.setting import Case, Measured, Setting, alternate
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
    return Measured(cases=(case,), input=f"{workload.text}, all blocks in float32")
