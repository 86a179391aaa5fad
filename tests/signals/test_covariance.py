"""Covariances and their tangent space, against pyRiemann and scikit-learn."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pyriemann.geometry.mean import mean_riemann
from pyriemann.tangentspace import TangentSpace
from sklearn.covariance import oas

from motorctl.signals.covariance import (
    from_upper_triangle,
    riemannian_mean,
    shrunk_covariance,
    symmetric_exponential,
    tangent_vectors,
    upper_triangle,
)


@pytest.fixture
def signals():
    rng = np.random.default_rng(0)
    return rng.standard_normal((30, 80, 5)) @ rng.standard_normal((30, 5, 5)) * 10


def test_shrinkage_is_scikit_learns(signals):
    for trial in signals[:5]:
        assert_allclose(shrunk_covariance(trial), oas(trial, assume_centered=True)[0], rtol=1e-10)


def test_an_average_reference_leaves_an_invertible_covariance(signals):
    referenced = signals[0] - signals[0].mean(axis=1, keepdims=True)
    assert np.linalg.eigvalsh(shrunk_covariance(referenced))[0] > 1e-3


def test_mean_and_tangent_space_are_pyriemanns(signals):
    matrices = np.stack([shrunk_covariance(trial) for trial in signals])
    mean = riemannian_mean(matrices)
    assert_allclose(mean, mean_riemann(matrices, tol=1e-12), rtol=1e-6)
    expected = TangentSpace(metric="riemann").fit(matrices).transform(matrices)
    assert_allclose(tangent_vectors(matrices, mean), expected, atol=1e-5)
    assert_allclose(tangent_vectors(matrices, mean).mean(axis=0), 0, atol=1e-7)


def test_triangles_and_exponentials_are_inverses(signals):
    matrices = np.stack([shrunk_covariance(trial) for trial in signals])
    assert_allclose(from_upper_triangle(upper_triangle(matrices)), matrices)
    assert_allclose(np.linalg.norm(upper_triangle(matrices), axis=1), np.linalg.norm(matrices, axis=(1, 2)))
    logarithms = from_upper_triangle(tangent_vectors(matrices, np.eye(5)))
    assert_allclose(symmetric_exponential(logarithms), matrices, rtol=1e-8)
