"""Trigonometric polynomials: what the geometry of a chain of hinges and slides is, exactly.

Every Cartesian coordinate of such a chain, and so every entry of its mass matrix and every squared distance, is a
finite sum of terms c · exp(i k·q) · Π q_s^m_s, whole k for the hinges, powers m for the slides. Where there are few
terms (any planar limb: the entries depend on a few differences of angles), one matrix product of constants with their
cosines and sines gives all of it, with nothing to recurse over.
"""

from __future__ import annotations

import cmath
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Term = tuple[tuple[int, ...], tuple[int, ...]]
"""Of one term: the multiple of each joint's angle, and the power of each joint's displacement."""

MOST_TERMS = 64
"""A polynomial that grows beyond this is not a short form of anything."""
NEGLIGIBLE = 1e-15
"""Coefficients (of lengths in m, masses in kg) that only rounding has left."""


class TooManyTerms(Exception):
    """The limb has no short closed form."""


class Polynomial:
    """A real trigonometric polynomial of joint positions, with the arithmetic that numpy's arrays of objects need."""

    def __init__(self, terms: dict[Term, complex]) -> None:
        """Take its terms; those with -k must be conjugate to those with k."""
        self.terms = {term: value for term, value in terms.items() if abs(value) > NEGLIGIBLE}
        if len(self.terms) > MOST_TERMS:
            raise TooManyTerms

    def __add__(self, other: Polynomial) -> Polynomial:
        terms = dict(self.terms)
        for term, value in other.terms.items():
            terms[term] = terms.get(term, 0) + value
        return Polynomial(terms)

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self + other * -1.0

    def __mul__(self, other: Polynomial | float) -> Polynomial:
        if not isinstance(other, Polynomial):
            return Polynomial({term: value * other for term, value in self.terms.items()})
        if len(self.terms) * len(other.terms) > MOST_TERMS**2:
            raise TooManyTerms
        terms: dict[Term, complex] = {}
        for (k, m), a in self.terms.items():
            for (other_k, other_m), b in other.terms.items():
                term = _add(k, other_k), _add(m, other_m)
                terms[term] = terms.get(term, 0) + a * b
        return Polynomial(terms)

    __rmul__ = __mul__

    def is_constant(self) -> bool:
        """Whether it is the same at all positions."""
        return not any(any(k) or any(m) for k, m in self.terms)

    def derivative(self, joint: int) -> Polynomial:
        """With respect to a joint's position."""
        terms: dict[Term, complex] = {}
        for (k, m), value in self.terms.items():
            if k[joint]:
                terms[k, m] = terms.get((k, m), 0) + 1j * k[joint] * value
            if m[joint]:
                lower = k, _add(m, tuple(-(i == joint) for i in range(len(m))))
                terms[lower] = terms.get(lower, 0) + m[joint] * value
        return Polynomial(terms)


def constant(value: float, joints: int) -> Polynomial:
    """A number, of `joints` variables."""
    return Polynomial({((0,) * joints, (0,) * joints): complex(value)})


def wave(joint: int, joints: int, phase: float) -> Polynomial:
    """cos(q + phase) of a hinge's angle q."""
    forth = tuple(int(i == joint) for i in range(joints))
    half = cmath.exp(1j * phase) / 2
    return Polynomial({(forth, (0,) * joints): half, (tuple(-i for i in forth), (0,) * joints): half.conjugate()})


def displacement(joint: int, joints: int) -> Polynomial:
    """A slide's displacement."""
    return Polynomial({((0,) * joints, tuple(int(i == joint) for i in range(joints))): 1.0 + 0j})


def derivative(polynomials: NDArray[np.object_], joint: int) -> NDArray[np.object_]:
    """Of an array of polynomials with respect to a joint's position."""
    slopes: NDArray[np.object_] = np.vectorize(lambda entry: entry.derivative(joint), otypes=[object])(polynomials)
    return slopes


def filled(values: NDArray[np.float64], joints: int) -> NDArray[np.object_]:
    """An array of numbers as one of polynomials."""
    whole: NDArray[np.object_] = np.vectorize(lambda value: constant(float(value), joints), otypes=[object])(values)
    return whole


def table(
    polynomials: Sequence[Polynomial],
) -> tuple[list[Term], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Their terms and coefficients, so that they are `offset + cosine @ cos(k·q) q^m + sine @ sin(k·q) q^m`.

    Returns:
        The terms but for the constant one; cosine and sine (polynomial, term); offset (polynomial,).
    """
    found = {_positive(term) for polynomial in polynomials for term in polynomial.terms}
    terms = sorted(term for term in found if any(term[0]) or any(term[1]))
    place = {term: i for i, term in enumerate(terms)}
    cosine, sine = np.zeros((2, len(polynomials), len(terms)))
    offset = np.zeros(len(polynomials))
    for row, polynomial in enumerate(polynomials):
        for term, value in polynomial.terms.items():
            if term not in place:
                offset[row] += value.real if not any(term[0]) and not any(term[1]) else 0.0
            elif any(term[0]):
                cosine[row, place[term]], sine[row, place[term]] = 2 * value.real, -2 * value.imag
            else:
                cosine[row, place[term]] = value.real
    return terms, cosine, sine, offset


def _positive(term: Term) -> Term:
    """Of the two terms with k and -k, the one whose first multiple is above 0."""
    first = next((k for k in term[0] if k), 1)
    return term if first > 0 else (tuple(-k for k in term[0]), term[1])


def _add(a: Iterable[int], b: Iterable[int]) -> tuple[int, ...]:
    return tuple(i + j for i, j in zip(a, b, strict=True))
