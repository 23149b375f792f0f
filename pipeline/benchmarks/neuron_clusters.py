"""N1 and N2: clustering the neurons of an MLP 784-256x4-10, once and after shuffles."""

from graphs.neighbors.threads import thread_count
from graphs.spectral import spectral_partition
from graphs.weight_shuffles import NullName
from pipeline.benchmarks.setting import Case, Measured, Note, Setting, seconds
from pipeline.neurons.checks_untrained import glorot_graph
from pipeline.neurons.shuffles import shuffle_graph

CLUSTERS, SHUFFLES = 12, 50
SPARSITIES = {"all weights": 0.0, "a tenth of the weights": 0.9}
PUBLISHED: tuple[NullName, ...] = ("layer", "layer_nonzero")


def measure_clustering(setting: Setting) -> Measured:
    """Time one spectral clustering; it runs on one thread."""
    cases = []
    for what, sparsity in SPARSITIES.items():
        matrix = glorot_graph(0, sparsity=sparsity).adjacency
        times = tuple(
            seconds(lambda matrix=matrix: spectral_partition(matrix, CLUSTERS, seed=0))  # type: ignore[misc]
            for _ in range(setting.rounds)
        )
        cases.append(Case(what=what, seconds=times))
    return Measured(cases=tuple(cases), input="1,818 neurons, random weights, K = 12, one core")


def measure_shuffles(setting: Setting) -> Measured:
    """Time the shuffles of both published null models, with as many processes as processors."""
    shuffles = setting.size(SHUFFLES, quick=2)
    times = {}
    for what, sparsity in SPARSITIES.items():
        graph = glorot_graph(0, sparsity=sparsity)

        def run(*nulls: NullName) -> float:
            return seconds(
                lambda: shuffle_graph(
                    graph,  # noqa: B023 (called before the next round)
                    nulls=nulls,
                    clusters=CLUSTERS,
                    shuffles=shuffles,
                    seed=0,
                    workers=thread_count(),
                )
            )

        times[what] = (run(*PUBLISHED), run("degree"))
    return Measured(
        cases=tuple(Case(what=what, seconds=(both,)) for what, (both, _) in times.items()),
        input=f"1,818 neurons, random weights, K = 12, {thread_count()} processes",
        notes=tuple(
            Note(what=f"degree, {what}", value=own, unit="s") for what, (_, own) in times.items()
        ),
    )
