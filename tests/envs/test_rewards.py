import numpy as np
import pytest

from motorctl.envs import tolerance


def test_one_inside_the_bounds_and_a_tenth_at_the_margin():
    x = np.array([-0.5, 0.0, 0.3, 1.0, 1.5])
    assert tolerance(x, 0.0, 1.0, 0.5) == pytest.approx([0.1, 1.0, 1.0, 1.0, 0.1])


def test_falls_off_smoothly_and_symmetrically():
    outside = np.linspace(0.0, 2.0, 50)
    above, below = tolerance(1.0 + outside, 0.0, 1.0, 0.5), tolerance(-outside, 0.0, 1.0, 0.5)
    assert above == pytest.approx(below)
    assert (np.diff(above) < 0).all()
    assert above[1] > 0.98  # flat at the bound


def test_keeps_the_shape():
    assert tolerance(np.zeros((3, 2)), 0.0, 1.0, 1.0).shape == (3, 2)
    assert tolerance(0.5, 0.0, 1.0, 1.0) == 1.0
