"""The equations of motion of any tree of hinges and slides, by spatial vectors in the world's frame.

Featherstone, "Rigid Body Dynamics Algorithms", Springer 2008: composite rigid bodies (section 6.2) and Newton-Euler
(section 5.3), with sums over ancestors and descendants as products with constant masks, so that only the frames
recurse. A spatial vector is (..., 6, batch), angular and linear, about the world's origin.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .constants import SHORTEST, Constants, Equations
from .paths import Path, Paths
from .tree import WORLD, Tree


class Spatial:
    """Mass matrix, bias forces, paths and sites."""

    def __init__(
        self,
        model: mujoco.MjModel,
        paths: Sequence[Path],
        sites: Sequence[int],
        added: NDArray[np.float64],
        constants: Constants,
    ) -> None:
        """Take what is constant; `added` (joint,) is added to the diagonal of the mass matrix."""
        tree = Tree(model)
        self._parents = tree.parents
        self._turns = [constants.column(part) for part in tree.turns()]
        self._zero = constants.column(model.qpos0)
        hinge = (model.jnt_type == mujoco.mjtJoint.mjJNT_HINGE).astype(float)
        self._hinge, self._slides = constants.column(hinge[:, None]), not hinge.all()
        self._axes = constants.column(model.jnt_axis[:, None])
        self._anchors = constants.column(np.insert(model.jnt_pos, 3, 1, axis=1)[:, None])

        moved = tree.ancestry()
        self._sum_up, self._sum_down = constants.number(moved), constants.number(moved.T)
        self._upper, self._lower = constants.column(moved.T), constants.column(moved - np.eye(model.nv))
        self._diagonal = constants.column(np.diag(model.dof_armature + added))
        inertia = tree.pseudo_inertia()
        self._inertia = constants.column(inertia[:, None])
        self._masses = constants.column(inertia[:, 3, 3, None])
        self._composite_masses = constants.column(moved.T @ inertia[:, 3, 3, None])
        self._unit = constants.column(np.eye(3))
        gravity = model.opt.gravity * (not model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_GRAVITY)
        weights = tree.weights()
        self._weights = constants.column(weights[:, None])
        self._gravity = constants.column(np.broadcast_to(gravity, (model.nv, 3)))
        self._weight = constants.column(weights[:, 3:] * gravity)
        self._heavy = bool(gravity.any())

        self._paths = Paths(model, paths, constants)
        self._starts, self._ends = (
            _Places(tree, [segment[end] for segment in self._paths.segments], moved, constants) for end in (0, 1)
        )
        self._sites = _Places(tree, sites, moved, constants)

    def __call__(self, qpos: Tensor, qvel: Tensor) -> Equations:
        """At positions and velocities (joint, batch)."""
        frames = self._frames(qpos)
        stacked = torch.stack(frames)
        motions = self._motions(stacked)  # (joint, 6, batch)
        weighted = (stacked[:, :, :, None] * self._inertia).sum(2)  # frame @ pseudo-inertia, (joint, 3, 4, batch)
        second = (weighted[:, :, None] * stacked[:, None]).sum(3)
        inertia = self._unit * (second[:, 0, 0] + second[:, 1, 1] + second[:, 2, 2])[:, None, None] - second
        moments = weighted[:, :, 3]  # mass times centre

        composite = _sums(self._sum_down, inertia), _sums(self._sum_down, moments), self._composite_masses
        products = (motions[:, None] * _momentum(*composite, motions)).sum(2)
        mass = self._upper * products + self._lower * products.transpose(0, 1) + self._diagonal
        bias = self._bias(stacked, motions, qvel, (inertia, moments, self._masses))
        distances, directions = self._segments(frames, motions)
        return Equations(mass, bias, self._paths.lengths(distances, qpos), self._paths.moments(directions))

    def positions(self, qpos: Tensor) -> Tensor:
        """Of the sites, (site, 3, batch)."""
        return self._sites(self._frames(qpos))

    def jacobian(self, qpos: Tensor) -> Tensor:
        """d position / d joint position of the sites, (site, 3, joint, batch)."""
        frames = self._frames(qpos)
        motions = self._motions(torch.stack(frames))
        places = self._sites(frames)[:, None]  # (site, 1, 3, batch)
        return (self._sites.moved * (_cross(motions[None, :, :3], places) + motions[:, 3:])).transpose(1, 2)

    def _frames(self, qpos: Tensor) -> list[Tensor]:
        """Of the joints, in the world, (3, 4, batch) each."""
        angle = (qpos - self._zero)[:, None, None]
        fixed, cosine, sine, linear = self._turns
        turns = fixed + cosine * angle.cos() + sine * angle.sin()
        if self._slides:
            turns = turns + linear * angle
        frames: list[Tensor] = []
        for parent, turn in zip(self._parents, turns.unbind(), strict=True):
            frames.append(turn[:3] if parent == WORLD else (frames[parent][:, :, None] * turn).sum(1))
        return frames

    def _motions(self, frames: Tensor) -> Tensor:
        """What a unit of velocity of each joint is, (joint, 6, batch)."""
        axes = (frames[:, :, :3] * self._axes).sum(2)
        about = _cross((frames * self._anchors).sum(2), axes)
        if not self._slides:
            return torch.cat([axes, about], 1)
        return torch.cat([axes * self._hinge, torch.where(self._hinge > 0, about, axes)], 1)

    def _bias(self, frames: Tensor, motions: Tensor, qvel: Tensor, inertia: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Forces of inertia at joints that do not accelerate, and of gravity, (joint, batch)."""
        own = motions * qvel[:, None]
        velocities = _sums(self._sum_up, own)
        spin, glide = velocities[:, :3], velocities[:, 3:]
        turned = torch.cat([_cross(spin, own[:, :3]), _cross(spin, own[:, 3:]) + _cross(glide, own[:, :3])], 1)
        momentum = _momentum(*inertia, velocities)
        turning, push = momentum[:, :3], momentum[:, 3:]
        change = torch.cat([_cross(spin, turning) + _cross(glide, push), _cross(spin, push)], 1)
        force = _momentum(*inertia, _sums(self._sum_up, turned)) + change
        if self._heavy:
            lever = _cross((frames * self._weights).sum(2), self._gravity)
            force = force - torch.cat([lever, self._weight.expand_as(lever)], 1)
        return (motions * _sums(self._sum_down, force)).sum(1)

    def _segments(self, frames: list[Tensor], motions: Tensor) -> tuple[Tensor, Tensor]:
        """Lengths (segment, batch) of the tendons' segments, and d length / d position (segment, joint, batch)."""
        ends = self._ends(frames)
        between = ends - self._starts(frames)
        distances = between.square().sum(1).clamp(min=SHORTEST**2).sqrt()
        along = between / distances[:, None]
        line = torch.cat([_cross(ends, along), along], 1)  # a force along the segment, as a spatial vector
        return distances, (self._ends.moved - self._starts.moved)[:, :, 0] * (line[:, None] * motions).sum(2)


class _Places:
    """Where some sites are."""

    def __init__(self, tree: Tree, sites: Sequence[int], moved: NDArray[np.float64], constants: Constants) -> None:
        places = [tree.site(site) for site in sites]
        self._links = [link for link, _ in places]
        self._places = constants.column(np.array([place for _, place in places]).reshape(-1, 1, 4))
        self._world = constants.column(np.eye(3, 4))
        still = np.zeros(len(moved))
        rows = np.array([still if link == WORLD else moved[link] for link in self._links]).reshape(-1, len(moved), 1)
        self.moved = constants.column(rows)
        """1 where a joint moves a site, (site, joint, 1, 1)."""

    def __call__(self, frames: list[Tensor]) -> Tensor:
        """(site, 3, batch)."""
        if not self._links:
            return frames[0].new_empty(0, *frames[0][:, 0].shape)
        world = self._world.expand_as(frames[0])
        chosen = torch.stack([world if link == WORLD else frames[link] for link in self._links])
        return (chosen * self._places).sum(2)


def _momentum(inertia: Tensor, moment: Tensor, mass: Tensor, motion: Tensor) -> Tensor:
    """Of links (link, 6, batch): inertia about the origin, mass times centre, and mass, times motions."""
    turn, glide = motion[:, :3], motion[:, 3:]
    return torch.cat([(inertia * turn[:, None]).sum(2) + _cross(moment, glide), mass * glide + _cross(turn, moment)], 1)


def _sums(mask: Tensor, values: Tensor) -> Tensor:
    """Over the joints that a mask (joint, joint) selects, of (joint, ..., batch)."""
    return (mask @ values.flatten(1)).view(values.shape)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    """The cross product of (..., 3, batch)."""
    product: Tensor = torch.linalg.cross(a, b, dim=-2)
    return product
