"""Runs stages and a study in child processes, and kills them (SIGKILL) at a chosen step.

Not a test itself.

Reads jobs as JSON lines: ``{"stage": ..., "out": ..., "kill_at": n or null}``. Every file-system
step below ``out`` (making a folder, opening, renaming, removing) is counted by an audit hook; a
child with ``kill_at`` dies right before that step. Answers with one JSON line a job: the exit
status of the child and the steps it took. Children are forked from this process, which has imported
everything but computed nothing, so that a kill costs no import.
"""

import json
import os
import signal
import sys
from pathlib import Path

import pipeline.dumping
from pipeline.options import Images, Network
from pipeline.stage1_activations import dump_activations
from pipeline.stage2_edges import build_edges
from pipeline.stage3_communities import measure_graphs
from pipeline.studies.ablation import study_ablation
from pipeline.studies.grid import Grid

EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}


def run_stage(stage, out):
    if stage == "activations":
        images = Images(samples=150, repeats=2)
        dump_activations(out, network=Network(model="resnet8"), images=images)
    elif stage == "edges":
        build_edges(out)
    elif stage == "communities":
        measure_graphs(out)
    else:
        grid = Grid(ks="3,5", sizes="none", metrics="none")
        images = Images(samples=40, repeats=1)
        study_ablation(out, network=Network(model="resnet8"), images=images, grid=grid)


def work(job, report):
    """What a child does: never returns."""
    steps = 0

    def count(event, args):
        nonlocal steps
        if event in EVENTS and args and str(args[0]).startswith(job["out"]):
            steps += 1
            if steps == job["kill_at"]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    pipeline.dumping.PART_ROWS = 64  # three parts a repeat
    run_stage(job["stage"], Path(job["out"]))
    os.write(report, str(steps).encode())
    os._exit(0)


def serve():
    for line in sys.stdin:
        job = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                work(job, writing)
            finally:
                os._exit(1)
        os.close(writing)
        _, status = os.waitpid(child, 0)
        steps = os.read(reading, 100).decode()
        os.close(reading)
        answer = {"status": os.waitstatus_to_exitcode(status), "steps": int(steps or 0)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
