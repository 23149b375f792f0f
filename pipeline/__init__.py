"""Networks and images through the three stages: inspect, train, run, analyse."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.analysis import Analysis
    from pipeline.api import analyze
    from pipeline.inspection import inspect_model

__all__ = ["Analysis", "analyze", "inspect_model"]

_HOMES = {
    "Analysis": "pipeline.analysis",
    "analyze": "pipeline.api",
    "inspect_model": "pipeline.inspection",
}


def __getattr__(name: str) -> Any:
    # On first use: `stratagraph --help` must not import torch.
    if name not in _HOMES:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
