"""The equations of motion as one table of trigonometric polynomials: for limbs where it is short, as planar ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .constants import SHORTEST, Constants, Equations
from .harmonics import Polynomial, constant, derivative, displacement, filled, table, wave
from .paths import Path, Paths
from .tree import WORLD, Tree

Polynomials = NDArray[np.object_]
"""An array of them."""


class ClosedForm:
    """Mass matrix, bias forces, tendons and sites from cosines and sines of a few sums of joint angles.

    The bias forces are the Christoffel symbols of the mass matrix times products of velocities, and the gradient of
    gravity's potential (Murray, Li & Sastry, "A Mathematical Introduction to Robotic Manipulation", 1994, section 4.2).
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        paths: Sequence[Path],
        sites: Sequence[int],
        added: NDArray[np.float64],
        constants: Constants,
    ) -> None:
        """Derive it; `added` (joint,) is added to the diagonal of the mass matrix.

        Raises:
            TooManyTerms: there is no short one.
        """
        n = self._n = int(model.nv)
        limb = _Limb(model)
        mass = limb.mass()
        christoffel, products = _christoffel(mass, n)
        chosen = np.eye(n)[np.array(products, int).reshape(-1, 3)]  # (symbol, i j k, joint)
        self._onto, self._first, self._second = (
            constants.number(part) for part in (chosen[:, 0].T, chosen[:, 1], chosen[:, 2])
        )

        gravity = limb.gravity()
        self._heavy = bool(gravity)

        self._paths = Paths(model, paths, constants)
        betweens = [limb.site(start) - limb.site(end) for start, end in self._paths.segments]
        squares = [(between * between).sum() for between in betweens]
        slopes = [square.derivative(i) * 0.5 for square in squares for i in range(n)]

        inertia = mass + filled(np.diag(added), n)
        parts = inertia.ravel().tolist(), christoffel, gravity, squares, slopes
        self._split = [len(part) for part in parts]
        self._dynamics = Table([row for part in parts for row in part], n, constants)

        places = [coordinate for site in sites for coordinate in limb.site(site)]
        self._places = Table(places, n, constants)
        self._slopes = Table([place.derivative(i) for place in places for i in range(n)], n, constants)

    def __call__(self, qpos: Tensor, qvel: Tensor) -> Equations:
        """At positions and velocities (joint, batch)."""
        mass, christoffel, gravity, squares, slopes = torch.split(self._dynamics(qpos), self._split)
        bias = self._onto @ (christoffel * (self._first @ qvel) * (self._second @ qvel))
        if self._heavy:
            bias = bias + gravity
        distances = squares.clamp(min=SHORTEST**2).sqrt()
        directions = slopes.view(-1, *qpos.shape) / distances[:, None]
        return Equations(
            mass=mass.view(self._n, *qpos.shape),
            bias=bias,
            lengths=self._paths.lengths(distances, qpos),
            moments=self._paths.moments(directions),
        )

    def positions(self, qpos: Tensor) -> Tensor:
        """Of the sites, (site, 3, batch)."""
        return self._places(qpos).view(-1, 3, qpos.shape[1])

    def jacobian(self, qpos: Tensor) -> Tensor:
        """d position / d joint position of the sites, (site, 3, joint, batch)."""
        return self._slopes(qpos).view(-1, 3, *qpos.shape)


class Table:
    """Some polynomials, to be evaluated together."""

    def __init__(self, polynomials: Sequence[Polynomial], joints: int, constants: Constants) -> None:
        """Of as many joint positions."""
        terms, cosine, sine, offset = table(polynomials)
        waves = [i for i, (k, _) in enumerate(terms) if any(k)]
        powers = [i for i, (k, _) in enumerate(terms) if not any(k)]
        multiples = np.array([terms[i][0] for i in waves], float).reshape(-1, joints)
        self._multiples = constants.number(multiples)
        self._factors = [_factors(terms[i][1]) for i in waves]
        self._powers = [_factors(terms[i][1]) for i in powers]
        self._coefficients = constants.number(np.hstack([cosine[:, waves], sine[:, waves], cosine[:, powers]]))
        self._offset = constants.column(offset)

    def __call__(self, qpos: Tensor) -> Tensor:
        """Their values (polynomial, batch) at positions (joint, batch)."""
        phases = self._multiples @ qpos
        basis = [phases.cos(), phases.sin()]
        if any(self._factors):
            scale = torch.stack([_product(qpos, joints) for joints in self._factors])
            basis = [wave * scale for wave in basis]
        if self._powers:
            basis.append(torch.stack([_product(qpos, joints) for joints in self._powers]))
        return torch.addmm(self._offset, self._coefficients, torch.cat(basis))


class _Limb:
    """A limb in polynomials, by its homogeneous limb.

    Paul, "Robot Manipulators", MIT Press 1981, chapter 6: the mass matrix is the sum over links of
    trace(dT/dq_i P dT/dq_j'), with a link's frame T and pseudo-inertia P.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        n = self._n = int(model.nv)
        self._model, self._tree = model, Tree(model)
        self._frames: list[Polynomials] = []
        for joint, parts in enumerate(zip(self._tree.parents, *self._tree.turns(), strict=True)):
            parent, fixed, cosine, sine, linear = parts
            zero = float(model.qpos0[joint])
            turn = filled(fixed, n) + filled(cosine, n) * wave(joint, n, -zero)
            turn = turn + filled(sine, n) * wave(joint, n, -zero - np.pi / 2)
            turn = turn + filled(linear, n) * (displacement(joint, n) - constant(zero, n))
            self._frames.append(turn if parent == WORLD else self._frames[parent] @ turn)

    def site(self, site: int) -> Polynomials:
        """Where a site is, (3,)."""
        link, place = self._tree.site(site)
        where = filled(place, self._n)
        return (where if link == WORLD else self._frames[link] @ where)[:3]

    def mass(self) -> Polynomials:
        """The mass matrix (joint, joint)."""
        n = self._n
        mass = filled(np.diag(self._model.dof_armature), n)
        for frame, inertia in zip(self._frames, self._tree.pseudo_inertia(), strict=True):
            slopes = [derivative(frame[:3], i) for i in range(n)]
            pushed = [slope @ filled(inertia, n) for slope in slopes]
            for i, j in combinations_with_replacement(range(n), 2):
                mass[i, j] = mass[i, j] + (pushed[i] * slopes[j]).sum()
        return np.array([[mass[min(i, j), max(i, j)] for j in range(n)] for i in range(n)])

    def gravity(self) -> list[Polynomial]:
        """Forces at the joints against gravity; none if there is no gravity."""
        gravity = self._model.opt.gravity
        if self._model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_GRAVITY or not gravity.any():
            return []
        potential = constant(0.0, self._n)
        for frame, weight in zip(self._frames, self._tree.weights(), strict=True):
            potential = potential - (filled(gravity, self._n) @ (frame[:3] @ filled(weight, self._n)))
        return [potential.derivative(i) for i in range(self._n)]


def _christoffel(mass: Polynomials, n: int) -> tuple[list[Polynomial], list[tuple[int, int, int]]]:
    """What velocities j and k, j <= k, are multiplied with to give a force at joint i, and all such (i, j, k)."""
    symbols, products = [], []
    for i in range(n):
        for j, k in combinations_with_replacement(range(n), 2):
            symbol = mass[i, j].derivative(k) + mass[i, k].derivative(j) - mass[j, k].derivative(i)
            symbol = symbol * (0.5 if j == k else 1.0)
            if symbol.terms:
                symbols.append(symbol)
                products.append((i, j, k))
    return symbols, products


def _factors(powers: tuple[int, ...]) -> list[int]:
    """Joints as often as their displacement is multiplied."""
    return [joint for joint, power in enumerate(powers) for _ in range(power)]


def _product(qpos: Tensor, joints: list[int]) -> Tensor:
    """Product of some joint positions, (batch,)."""
    product = torch.ones_like(qpos[0])
    for joint in joints:
        product = product * qpos[joint]
    return product
