"""Datasets: from folders and simulations to samples."""

from evaluator.datasets.dataset import Dataset
from evaluator.datasets.opening import open_dataset
from evaluator.datasets.specs import DatasetSpec

__all__ = ["Dataset", "DatasetSpec", "open_dataset"]
