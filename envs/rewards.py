"""The one primitive that rewards are built from."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def tolerance(x: ArrayLike, lower: float, upper: float, margin: float) -> NDArray[np.float64]:
    """How well `x` lies between two bounds: 1 inside, falling off outside as a Gaussian, 0.1 at `margin` beyond.

    The idea is dm_control's `rewards.tolerance` (Tassa et al., arXiv 1801.00690, 2018).

    Args:
        x: values, any shape, in any unit.
        lower: lower bound, in the unit of `x`.
        upper: upper bound, not below `lower`.
        margin: distance from the bounds at which the value is 0.1, above 0.

    Returns:
        Values in [0, 1], the shape of `x`.
    """
    outside = np.maximum(np.maximum(np.subtract(lower, x), np.subtract(x, upper)), 0.0) / margin
    return np.exp(outside * outside * -math.log(10.0))
