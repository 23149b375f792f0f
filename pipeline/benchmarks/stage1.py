"""P3: stage 1, which writes what it computes, against the bare forward pass."""

import shutil

import numpy as np
import torch

from pipeline.benchmarks.images import prepare
from pipeline.benchmarks.setting import Case, Measured, Setting, alternate
from pipeline.forward import LARGEST_BATCH, place
from pipeline.models import load_model
from pipeline.options import Machine
from pipeline.stage1_activations import dump_activations


def measure_stage1(setting: Setting) -> Measured:
    """Compare all of stage 1 with the forward pass alone, in the same batches and memory format.

    The bare pass has its batches ready in memory; stage 1 reads and normalises the images, loads
    and traces the network and writes every layer's activations to disk.
    """
    workload = prepare(setting, setting.size(5000, quick=64))
    model = load_model(workload.network.model, weights=workload.network.weights)
    place(model, torch.device("cpu"))
    data = workload.load()
    batches = [
        data.images(part).contiguous(memory_format=torch.channels_last)
        for part in np.array_split(np.arange(len(data)), -(-len(data) // LARGEST_BATCH))
    ]
    run = setting.scratch / "run"

    def stage1() -> None:
        dump_activations(
            run,
            network=workload.network,
            images=workload.images,
            machine=Machine(device="cpu", progress=False),
        )

    @torch.inference_mode()
    def forward() -> None:
        for batch in batches:
            model(batch)

    forward()  # what torch sets up in its first pass is no cost of either side
    seconds, baseline = alternate(
        stage1, forward, rounds=setting.rounds, tidy=lambda: shutil.rmtree(run, ignore_errors=True)
    )
    case = Case(what="stage 1", seconds=seconds, baseline=baseline)
    return Measured(cases=(case,), input=f"{workload.text}, all blocks in float32")
