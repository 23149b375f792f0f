"""Training of classifiers: the paper's recipe, checkpoints, resume."""

from pipeline.training.distillation import Teacher, distillation_loss
from pipeline.training.evaluation import evaluate
from pipeline.training.loop import train
from pipeline.training.recipe import AUGMENTATIONS, Augmentation, Recipe
from pipeline.training.results import EpochRecord, TrainResult

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "EpochRecord",
    "Recipe",
    "Teacher",
    "TrainResult",
    "distillation_loss",
    "evaluate",
    "train",
]
