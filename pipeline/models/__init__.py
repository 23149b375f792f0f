"""Networks: the zoo, torchvision's classifiers, a user's own file; and their weights."""

from pipeline.models.registry import load_model, model_names

__all__ = ["load_model", "model_names"]
