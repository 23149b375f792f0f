"""Training of classifiers: the paper's recipe, checkpoints, resume."""

from pipeline.training.evaluation import evaluate
from pipeline.training.loop import train
from pipeline.training.recipe import AUGMENTATIONS, Augmentation, Recipe
from pipeline.training.results import EpochRecord, TrainResult

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "EpochRecord",
    "Recipe",
    "TrainResult",
    "evaluate",
    "train",
]
