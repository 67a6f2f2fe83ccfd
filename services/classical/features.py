"""The feature space of classification."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hooke.images import Micrograph
from services.classical.planes import to_plane


def describe(image: Micrograph) -> NDArray[np.float64]:
    """Describe one image by numbers that can be compared between images of any size."""
    values = to_plane(image).values
    gradient = np.hypot(*np.gradient(np.pad(values, 1, mode="edge")))
    quantiles = np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))
    return np.concatenate([quantiles, [values.mean(), values.std(), gradient.mean(), gradient.std()]])
