"""Kalman filters fitted to what was seen and what was wanted, plain and after ReFIT's idea of what was intended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_discrete_are

from motorctl.agents import KalmanController
from motorctl.errors import ConfigurationError
from motorctl.signals.covariance import shrunk_covariance
from motorctl.training.wiener import Part, apply, solve

Array = NDArray[np.float64]

ARRIVED = 0.1
"""Nearer to its end than this share of a trial's way, the hand is taken to be there."""
RIDGE = 1e-6
"""Keeps least squares solvable, as a share of the mean variance."""


def fit_kalman(parts: Sequence[Part], noise: float = 1.0) -> KalmanController:
    """The filter whose state is the targets and whose measurements are the inputs, with the matrices of least squares
    (Wu et al. 2006, Neural Comput. 18:80-118, eq. 5 to 8) and the gain that it settles on.

    The measurements' noise covariance is shrunk (Chen et al. 2010), since features are many and rows are few.

    Args:
        parts: what to learn from; a row counts where all of its targets are known.
        noise: that many times the measurements' noise covariance is taken for it. Wu et al. take 1, as if the noise of
            each row were new; that of band powers goes on over many rows, so that the filter believes them too much.

    Raises:
        ConfigurationError: fewer rows than it takes to fit the matrices.
    """
    known = [np.asarray(np.isfinite(targets).all(axis=1)) for _, targets in parts]
    x = np.concatenate([targets[there] for (_, targets), there in zip(parts, known, strict=True)]).astype(float)
    z = np.concatenate([inputs[there] for (inputs, _), there in zip(parts, known, strict=True)]).astype(float)
    pairs = [np.flatnonzero(there[:-1] & there[1:]) for there in known]
    if sum(map(len, pairs)) <= x.shape[1]:
        raise ConfigurationError(
            f"A Kalman filter of {x.shape[1]} outputs cannot be fitted to {sum(map(len, pairs))} rows.",
            "Record more, or hold fewer back.",
        )
    x_mean, z_mean = x.mean(axis=0), z.mean(axis=0)
    before = np.concatenate([targets[rows] for (_, targets), rows in zip(parts, pairs, strict=True)]) - x_mean
    after = np.concatenate([targets[rows + 1] for (_, targets), rows in zip(parts, pairs, strict=True)]) - x_mean
    x, z = x - x_mean, z - z_mean

    onward, seen = solve(before, after, RIDGE), solve(x, z, RIDGE)
    a, c = onward[0].T, seen[0].T  # x_t = A x_(t-1) + w; z_t = C x_t + q
    w = np.atleast_2d(np.cov((after - apply(onward, before)).T))
    w += RIDGE * (np.trace(np.cov(x.T).reshape(len(w), -1)) / len(w) + 1e-12) * np.eye(len(w))
    q = noise * shrunk_covariance(z - apply(seen, x))
    informative = np.linalg.solve(q, c).T  # C' Q^-1
    information = informative @ c  # C' Q^-1 C
    root = _root(information)
    predicted = solve_discrete_are(a.T, root, w, np.eye(len(root)))  # covariance before the measurement
    updated = np.linalg.inv(np.linalg.inv(predicted) + information)
    gain = updated @ informative
    transition = (np.eye(len(a)) - gain @ c) @ a
    return KalmanController(*map(torch.from_numpy, (transition, gain, z_mean, x_mean)))


def _root(matrix: Array) -> Array:
    """Symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def intended_velocity(velocity: NDArray[np.floating], trial: NDArray[np.int64]) -> NDArray[np.floating]:
    """What somebody who moved so was after, after ReFIT's relabelling (Gilja et al. 2012, Nat. Neurosci. 15:1752-1757):
    the velocity as it was, turned towards where the trial ended, and zero once the hand is there.

    Args:
        velocity: ``(time, axis)``.
        trial: ``(time,)`` number of each row's trial, -1 between trials, where nothing changes; nor does a trial that
            lacks a velocity, or that ends where it began.
    """
    intended = velocity.astype(float)
    for number in np.unique(trial[trial >= 0]):
        rows = trial == number
        way = np.cumsum(velocity[rows], axis=0, dtype=float)
        left = way[-1] - way + velocity[rows]  # from before each row's movement to the end
        distance = np.linalg.norm(left, axis=1, keepdims=True)
        if np.isfinite(distance).all() and distance[0] > 0:
            speed = np.linalg.norm(velocity[rows], axis=1, keepdims=True)
            there = distance < ARRIVED * distance[0]
            intended[rows] = np.where(there, 0.0, speed * left / np.where(there, 1.0, distance))
    return intended
