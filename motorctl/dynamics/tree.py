"""The kinematic tree of a model, joint by joint.

Bodies welded to each other move as one. The frame of a joint is MuJoCo's frame of its body after the joint has moved;
its link is all that moves with it and with no later joint. Homogeneous coordinates: (3 or 4, 4) are a frame's axes and
origin.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WORLD = -1
"""The joint of what does not move."""


class Tree:
    """What is constant about the joints of a model of hinges and slides."""

    def __init__(self, model: mujoco.MjModel) -> None:
        """Take it from a model."""
        self.model = model
        self.parents: list[int] = []
        """Of each joint the one it moves with, or `WORLD`."""
        self.before: list[Array] = []
        """Of each joint its frame, before it moves, in the frame of its parent: (4, 4)."""
        self.links: list[int] = [WORLD]
        """Of each body the joint it moves with."""
        self.frames: list[Array] = [np.eye(4)]
        """Of each body its frame in the frame of that joint, (4, 4)."""
        for body in range(1, model.nbody):
            parent = model.body_parentid[body]
            link, frame = self.links[parent], self.frames[parent] @ _frame(model.body_pos[body], model.body_quat[body])
            for joint in range(model.body_jntadr[body], model.body_jntadr[body] + model.body_jntnum[body]):
                self.parents.append(link)
                self.before.append(frame)
                link, frame = joint, np.eye(4)
            self.links.append(link)
            self.frames.append(frame)

    def ancestry(self) -> Array:
        """(joint, joint): 1 where the second moves the first."""
        moved = np.eye(len(self.parents))
        for joint, parent in enumerate(self.parents):
            if parent != WORLD:
                moved[joint] += moved[parent]
        return moved

    def turns(self) -> tuple[Array, Array, Array, Array]:
        """Frames in their parents': what is fixed, and the factors of cos q, sin q and q, (joint, 4, 4) each."""
        fixed, cosine, sine, linear = np.zeros((4, len(self.parents), 4, 4))
        for joint, before in enumerate(self.before):
            axis, anchor = self.model.jnt_axis[joint], self.model.jnt_pos[joint]
            if self.model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE:
                fixed[joint], linear[joint, :, 3] = before, before[:, :3] @ axis
                continue
            along = np.outer(axis, axis)
            fixed[joint] = before @ _about(along, anchor, fixed=True)
            cosine[joint] = before @ _about(np.eye(3) - along, anchor)
            sine[joint] = before @ _about(np.cross(np.eye(3), axis), anchor)
        return fixed, cosine, sine, linear

    def pseudo_inertia(self) -> Array:
        """Of the links, (joint, 4, 4): the second moments of mass in homogeneous coordinates of the joint's frame."""
        total = np.zeros((len(self.parents), 4, 4))
        for body, link in enumerate(self.links):
            if link == WORLD:
                continue
            inertia, mass = self.model.body_inertia[body], self.model.body_mass[body]
            moments = np.diag([*(inertia.sum() / 2 - inertia), mass])
            frame = self.frames[body] @ _frame(self.model.body_ipos[body], self.model.body_iquat[body])
            total[link] += frame @ moments @ frame.T
        return total

    def weights(self) -> Array:
        """Of the links, (joint, 4): masses times homogeneous centres, less what is compensated for gravity."""
        total = np.zeros((len(self.parents), 4))
        passive = mujoco.mjtDisableBit.mjDSBL_SPRING | mujoco.mjtDisableBit.mjDSBL_DAMPER
        compensated = self.model.opt.disableflags & passive != passive  # both flags disable all that is passive
        for body, link in enumerate(self.links):
            if link != WORLD:
                weight = self.model.body_mass[body] * (1 - compensated * self.model.body_gravcomp[body])
                total[link] += weight * self.frames[body] @ [*self.model.body_ipos[body], 1]
        return total

    def site(self, site: int) -> tuple[int, Array]:
        """The joint that a site moves with, and its place in that joint's frame, homogeneous, (4,)."""
        body = self.model.site_bodyid[site]
        return self.links[body], self.frames[body] @ [*self.model.site_pos[site], 1]


def _frame(position: Array, quaternion: Array) -> Array:
    """A frame (4, 4) of MuJoCo's position and quaternion."""
    flat = np.zeros(9)
    mujoco.mju_quat2Mat(flat, quaternion)
    frame = np.eye(4)
    frame[:3, :3], frame[:3, 3] = flat.reshape(3, 3), position
    return frame


def _about(part: Array, anchor: Array, fixed: bool = False) -> Array:
    """A part (3, 3) of a rotation as part of one about an anchor, (4, 4); the `fixed` part brings the anchor itself."""
    frame = np.zeros((4, 4))
    frame[:3, :3], frame[:3, 3] = part, fixed * anchor - part @ anchor
    frame[3, 3] = fixed
    return frame
