"""The three stages in one command."""

from pathlib import Path

from graphs.neighbors.knn import check_k, check_search
from graphs.published import published_curve
from graphs.rewiring import check_rewirings
from graphs.runs import Run
from pipeline.options import Features, Images, Machine, Neighbours, Network, Outputs, Work
from pipeline.parallel import open_cluster
from pipeline.progress import stage
from pipeline.run_summary import tell_stages
from pipeline.stage1_activations import dump_activations
from pipeline.stage2_edges import build_edges
from pipeline.stage3_communities import measure_graphs


def run_stages(
    out: Path,
    *,
    network: Network,
    images: Images | None = None,
    features: Features | None = None,
    neighbours: Neighbours | None = None,
    outputs: Outputs | None = None,
    machine: Machine | None = None,
    work: Work | None = None,
) -> Path:
    """Run the three stages one after the other.

    Writes the same tables as the stages called one by one. What is there already is not done
    again: after an interruption the same command goes on.

    Parameters
    ----------
    out
        The run folder, or a URL such as `s3://bucket/run`.
    network, images, features
        For stage 1.
    neighbours
        For stage 2.
    outputs
        For stage 3.
    machine
        For all of them; memory and device for stages 1 and 2.
    work
        For all of them.

    Returns
    -------
    Path
        The run folder.
    """
    images = images or Images()
    neighbours = neighbours or Neighbours()
    outputs = outputs or Outputs()
    machine = machine or Machine()
    # what can only fail later is looked at before the work begins
    if images.samples > 0:
        check_k(neighbours.k, images.samples)
    check_rewirings(outputs.rewirings)
    check_search(neighbours.engine, recall=neighbours.recall, project=neighbours.project)
    if outputs.published:
        published_curve(outputs.published, model=network.model, dataset=images.dataset)
    with stage("run") as whole, open_cluster(machine):
        dump_activations(
            out, network=network, images=images, features=features, machine=machine, work=work
        )
        build_edges(out, neighbours=neighbours, machine=machine, work=work)
        folder = measure_graphs(out, outputs=outputs, machine=machine, work=work)
    tell_stages(Run(folder), whole)
    return folder
