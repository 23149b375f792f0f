"""Labelled images: data sets, normalisation, deterministic sampling."""

from pipeline.data.arrays import from_arrays
from pipeline.data.images import ImageData, ImageSource
from pipeline.data.loading import DATASETS, DatasetName, load_data
from pipeline.data.normalization import Normalization, parse_normalization
from pipeline.data.sampling import SAMPLINGS, Draw, Sampling, draw_samples

__all__ = [
    "DATASETS",
    "SAMPLINGS",
    "DatasetName",
    "Draw",
    "ImageData",
    "ImageSource",
    "Normalization",
    "Sampling",
    "draw_samples",
    "from_arrays",
    "load_data",
    "parse_normalization",
]
