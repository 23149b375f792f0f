"""Cutting layers out of networks, and what that saves."""

from pipeline.pruning.profile import MacCount, count_macs, count_parameters

__all__ = ["MacCount", "count_macs", "count_parameters"]
