"""The one primitive that rewards are built from."""

from typing import Any


def tolerance(x: Any, lower: float, upper: float, margin: float) -> Any:
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
    outside = abs(x - (lower + upper) / 2) - (upper - lower) / 2
    share = outside * (outside > 0) / margin  # for single floats, far quicker than np.maximum
    return 0.1 ** (share * share)
