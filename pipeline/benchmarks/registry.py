"""The benchmarks by id."""

from pipeline.benchmarks.approximate_index import measure_approximate_index
from pipeline.benchmarks.curve import measure_curve
from pipeline.benchmarks.direct_modularity import measure_direct_modularity
from pipeline.benchmarks.graph_files import measure_graph_files
from pipeline.benchmarks.growth import measure_growth
from pipeline.benchmarks.neighbor_search import measure_neighbor_search
from pipeline.benchmarks.neuron_clusters import measure_clustering, measure_shuffles
from pipeline.benchmarks.page import measure_page
from pipeline.benchmarks.permutations import measure_permutations
from pipeline.benchmarks.result import Benchmark
from pipeline.benchmarks.search_memory import measure_search_memory
from pipeline.benchmarks.stage1 import measure_stage1
from pipeline.benchmarks.whole_demo import measure_demo

BENCHMARKS = {
    "P1": Benchmark("speed-up", 12, "curve vs the paper's algorithm", measure_curve),
    "P2": Benchmark("speed-up", 3, "exact k-NN vs FAISS flat", measure_neighbor_search),
    "P3": Benchmark("overhead", 1.35, "stage 1 vs bare forward pass", measure_stage1),
    "P4": Benchmark("speed-up", 20, "Q of a list vs igraph", measure_direct_modularity),
    "P5": Benchmark("speed-up", 5, "graph files vs NetworkX", measure_graph_files),
    "P6": Benchmark("share", 1.2, "peak memory over --memory", measure_search_memory),
    "P7": Benchmark("speed-up", 10, "approximate index vs exact", measure_approximate_index),
    "P8": Benchmark("seconds", 60, "the whole demo", measure_demo),
    "P9": Benchmark("excess", 0.2, "exponents above the expected", measure_growth),
    "C1": Benchmark("seconds", 1, "labels permuted, all layers", measure_permutations),
    "N1": Benchmark("seconds", 0.2, "clusters of 1,818 neurons", measure_clustering),
    "N2": Benchmark("seconds", 30, "50 shuffles of two null models", measure_shuffles),
    # last: without a browser it is an error
    "R1": Benchmark("seconds", 3, "the page of 1,000 samples opens", measure_page),
}
