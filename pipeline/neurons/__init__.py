"""Networks as graphs of neurons: the modularity of weights (Filan et al. 2020 and 2021)."""
