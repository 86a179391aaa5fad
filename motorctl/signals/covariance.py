"""Covariance matrices as features: shrunk, and projected on the tangent space at their Riemannian mean.

Barachant, Bonnet, Congedo & Jutten 2012, IEEE Trans. Biomed. Eng. 59(4):920-928.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ITERATIONS, TOLERANCE = 50, 1e-9


def shrunk_covariance(signals: Array) -> Array:
    """Covariance ``(channel, channel)`` of zero-mean signals ``(time, channel)``, shrunk towards white noise.

    The oracle-approximating shrinkage of Chen, Wiesel, Eldar & Hero 2010, IEEE Trans. Signal Process.
    58(10):5016-5029, in scikit-learn's form; so it has an inverse even after an average reference.
    """
    count, size = signals.shape
    covariance = signals.T @ signals / count
    power = np.trace(covariance) / size
    square = np.mean(covariance**2)
    spread = (count + 1) * (square - power**2 / size)
    shrinkage = min((square + power**2) / spread, 1.0) if spread > 0 else 1.0
    shrunk: Array = (1 - shrinkage) * covariance + shrinkage * power * np.eye(size)
    return shrunk


def riemannian_mean(matrices: Array) -> Array:
    """``(channel, channel)`` mean of ``(matrix, channel, channel)`` in the affine-invariant metric (Moakher 2005, SIAM
    J. Matrix Anal. Appl. 26(3):735-747), by gradient descent."""
    mean: Array = matrices.mean(axis=0)
    for _ in range(ITERATIONS):
        root, inverse = _on_spectrum(mean, np.sqrt), _on_spectrum(mean, lambda v: 1 / np.sqrt(v))
        step = _on_spectrum(inverse @ matrices @ inverse, np.log).mean(axis=0)
        mean = root @ _on_spectrum(step, np.exp) @ root
        if np.linalg.norm(step) < TOLERANCE:
            break
    return mean


def tangent_vectors(matrices: Array, reference: Array) -> Array:
    """``(matrix, channel * (channel + 1) / 2)``: how each matrix differs from ``reference``, as Euclidean vectors."""
    whiten = _on_spectrum(reference, lambda v: 1 / np.sqrt(v))
    return upper_triangle(_on_spectrum(whiten @ matrices @ whiten, np.log))


def symmetric_exponential(matrices: Array) -> Array:
    """Matrix exponential of symmetric matrices."""
    return _on_spectrum(matrices, np.exp)


def upper_triangle(matrices: Array) -> Array:
    """Symmetric matrices as vectors of the same norm: what is off the diagonal counts twice, so times root two."""
    rows, columns = np.triu_indices(matrices.shape[-1])
    vectors: Array = matrices[..., rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2))
    return vectors


def from_upper_triangle(vectors: Array) -> Array:
    """The inverse of :func:`upper_triangle`."""
    size = int((np.sqrt(8 * vectors.shape[-1] + 1) - 1) / 2)
    rows, columns = np.triu_indices(size)
    matrices = np.zeros((*vectors.shape[:-1], size, size))
    matrices[..., rows, columns] = vectors / np.where(rows == columns, 1.0, np.sqrt(2))
    matrices[..., columns, rows] = matrices[..., rows, columns]
    return matrices


def _on_spectrum(matrices: Array, function: Callable[[Array], Array]) -> Array:
    """A function of symmetric matrices, which is that function of their eigenvalues."""
    values, vectors = np.linalg.eigh(matrices)
    result: Array = (vectors * function(values)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return result
