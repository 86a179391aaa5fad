"""The one primitive that rewards are built from."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOG_TENTH = -math.log(10.0)


def tolerance(x: Any, lower: float, upper: float, margin: float) -> NDArray[np.float64]:
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
    outside: NDArray[np.float64] = abs(x - (lower + upper) / 2) - (upper - lower) / 2
    share = outside * (outside > 0) / margin  # for single floats, far quicker than np.maximum
    value: NDArray[np.float64] = np.exp(share * share * LOG_TENTH)
    return value
