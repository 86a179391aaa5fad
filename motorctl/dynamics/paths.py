"""What forces act along: straight lines from site to site, and sums of joint positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .constants import Constants


@dataclass(frozen=True)
class Path:
    """A length that forces act along: what an actuator pulls, or a tendon with a spring or a damper."""

    weights: NDArray[np.float64]
    """(joint,): what a joint's position adds to the length."""
    segments: tuple[tuple[int, int, float], ...]
    """From site, to site, and what the distance is multiplied with."""


def actuator_path(model: mujoco.MjModel, actuator: int) -> Path:
    """What an actuator pulls."""
    gear, target = float(model.actuator_gear[actuator, 0]), int(model.actuator_trnid[actuator, 0])
    if model.actuator_trntype[actuator] == mujoco.mjtTrn.mjTRN_TENDON:
        return tendon_path(model, target, gear)
    weights = np.zeros(model.nv)
    weights[target] = gear
    return Path(weights, ())


def tendon_path(model: mujoco.MjModel, tendon: int, gear: float = 1.0) -> Path:
    """A tendon, its length multiplied with `gear`."""
    weights, segments = np.zeros(model.nv), []
    before, scale = None, gear
    for part in range(model.tendon_adr[tendon], model.tendon_adr[tendon] + model.tendon_num[tendon]):
        kind, target = model.wrap_type[part], int(model.wrap_objid[part])
        if kind == mujoco.mjtWrap.mjWRAP_JOINT:
            weights[target] += gear * model.wrap_prm[part]
        elif kind == mujoco.mjtWrap.mjWRAP_PULLEY:
            before, scale = None, gear / float(model.wrap_prm[part])
        else:
            if before is not None:
                segments.append((before, target, scale))
            before = target
    return Path(weights, tuple(segments))


class Paths:
    """Lengths and moment arms of all paths of a limb, from those of the segments that change their length."""

    def __init__(self, model: mujoco.MjModel, paths: Sequence[Path], constants: Constants) -> None:
        """Find the segments."""
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        weld = model.body_weldid[model.site_bodyid]
        self.segments: list[tuple[int, int]] = []
        """Those that change their length: from site, to site."""
        offset, columns = np.zeros(len(paths)), []
        for row, path in enumerate(paths):
            for start, end, scale in path.segments:
                if weld[start] == weld[end]:
                    offset[row] += scale * np.linalg.norm(data.site_xpos[start] - data.site_xpos[end])
                else:
                    self.segments.append((start, end))
                    columns.append(scale * (np.arange(len(paths)) == row))
        scales = np.array(columns).reshape(len(columns), len(paths)).T
        weights = np.array([path.weights for path in paths]).reshape(-1, model.nv)
        self._scales, self._weights = constants.number(scales), constants.column(weights)
        self._sums, self._offset = constants.number(np.hstack([scales, weights])), constants.column(offset)

    def lengths(self, distances: Tensor, qpos: Tensor) -> Tensor:
        """(path, batch), of the segments' lengths (segment, batch) and joint positions (joint, batch)."""
        return torch.addmm(self._offset, self._sums, torch.cat([distances, qpos]))

    def moments(self, directions: Tensor) -> Tensor:
        """d length / d position, (path, joint, batch), of those of the segments (segment, joint, batch)."""
        straight = self._scales @ directions.flatten(1)
        return straight.view(-1, *directions.shape[1:]) + self._weights
