"""Two runs side by side: what changed in their figures, whether that is chance, and what was not the same."""

from evaluator.contrast.contrasting import contrast
from evaluator.contrast.reading import read_folder
from evaluator.contrast.records import RunContrast
from evaluator.contrast.writing import FORMAT_VERSION, contrast_files

__all__ = ["FORMAT_VERSION", "RunContrast", "contrast", "contrast_files", "read_folder"]
