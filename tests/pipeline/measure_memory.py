"""Runs stages 1 and 2 and prints the growth of the peak resident set in MiB; not a test itself."""

import resource
import sys
from pathlib import Path

from pipeline.options import Features, Images, Machine, Network
from pipeline.stage1_activations import dump_activations
from pipeline.stage2_edges import build_edges


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def stages(out, data, samples, memory):
    images = Images(dataset="arrays", data=data, samples=samples, repeats=1)
    features = Features(layers="layer1.[01]")
    machine = Machine(memory=memory)
    dump_activations(
        out, network=Network(model="resnet20"), images=images, features=features, machine=machine
    )
    growth = [peak()]
    build_edges(out, machine=machine)
    return [*growth, peak()]


if __name__ == "__main__":
    folder, data, samples, memory = sys.argv[1:]
    # what torch, FAISS and Arrow take for themselves, once
    stages(Path(folder) / "first", Path(data), 64, memory)
    start = peak()
    after = stages(Path(folder) / "second", Path(data), int(samples), memory)
    print(*(round(value - start) for value in after))
