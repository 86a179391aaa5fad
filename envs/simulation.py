"""The physics under an environment: one simulation, or a batch of them, with one interface.

Arrays of one simulation have no leading axis, those of `count` simulations have one, (count, ...). `rows` are what
selects a simulation from them: `()`, the whole, or 0, 1, 2 and so on.
"""

from collections.abc import Iterable, Sequence

import mujoco
import numpy as np
from mujoco.batch import MODEL_FIELDS, Batch
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Row = int | tuple[()]

CURRENT = mujoco.mjtStage.mjSTAGE_VEL.value
"""What is computed at a new state: positions, velocities and the sensors of both."""
BAD_STATE = slice(mujoco.mjtWarning.mjWARN_BADQPOS.value, mujoco.mjtWarning.mjWARN_BADQACC.value + 1)
"""The warnings at which MuJoCo gives up and resets the state: bad positions, velocities or accelerations."""


class Single:
    """One simulation, on a `mujoco.MjData`."""

    shape: tuple[int, ...] = ()
    rows: Sequence[Row] = ((),)

    def __init__(self, model: mujoco.MjModel) -> None:
        """Simulate the model itself, not a copy."""
        self.model = model
        self.data = mujoco.MjData(model)
        self._found = self.data.warning.number[BAD_STATE]

    def reset(self, rows: Iterable[Row], keyframe: int) -> None:
        """Return to a keyframe."""
        mujoco.mj_resetDataKeyframe(self.model, self.data, keyframe)
        mujoco.mj_step1(self.model, self.data)

    def step(self, count: int, held: Sequence[Row] | None = None) -> None:
        """Take physics steps; positions, velocities and sensors are those of the new state afterwards.

        Args:
            count: steps.
            held: simulations that do not move.
        """
        mujoco.mj_step2(self.model, self.data)  # goes on from the first half that the last step ended with
        if count > 1:
            mujoco.mj_step(self.model, self.data, nstep=count - 1)
        mujoco.mj_step1(self.model, self.data)

    def refresh(self, rows: Iterable[Row]) -> None:
        """Compute positions, velocities and sensors again, after the state was written."""
        mujoco.mj_step1(self.model, self.data)

    def unstable(self) -> Mask | None:
        """Whether MuJoCo has found a state bad, and has reset it, since `reset`, (...); None if there is none."""
        return np.array(True) if any(self._found.tolist()) else None

    def field(self, name: str) -> Array:
        """A field of `mujoco.MjData`, or one of the simulation's own of `mujoco.MjModel`, live."""
        values: Array = getattr(self.model if name in MODEL_FIELDS else self.data, name)
        return values

    def set_constants(self, rows: Iterable[Row]) -> None:
        """Compute what MuJoCo derives from model fields, after these were written."""
        mujoco.mj_setConst(self.model, mujoco.MjData(self.model))


class Many:
    """`count` simulations, on a `mujoco.batch.Batch`: each the same to the last bit as a `Single`."""

    def __init__(self, model: mujoco.MjModel, count: int, threads: int, fields: Iterable[str]) -> None:
        """Prepare them, on `threads` threads (0: all CPUs); `fields` of `mujoco.MjData` are kept up to date."""
        self.shape = (count,)
        self.rows: Sequence[Row] = range(count)
        self.model = model
        self.data = Batch(model, nsim=count, nthread=threads, persistent=True)  # so that `step` goes on as above
        for name in fields:
            self.data.bind(name)
        self.data.forward(stage=CURRENT)

    def reset(self, rows: Iterable[Row], keyframe: int) -> None:
        """Return some to a keyframe."""
        self.data.reset(_ids(rows), keyframe=keyframe, stage=CURRENT)

    def step(self, count: int, held: Sequence[Row] | None = None) -> None:
        """As `Single.step`."""
        moving = np.delete(np.arange(*self.shape), _ids(held)) if held else None
        self.data.step(moving, nstep=count, stage=CURRENT)

    def refresh(self, rows: Iterable[Row]) -> None:
        """As `Single.refresh`, for some."""
        self.data.forward(_ids(rows), stage=CURRENT)

    def unstable(self) -> Mask | None:
        """As `Single.unstable`."""
        bad: Mask = self.data.warning[:, BAD_STATE, 1].any(-1)
        return bad if bad.any() else None

    def field(self, name: str) -> Array:
        """As `Single.field`, with a leading axis. A field of the model is every simulation's own from now on."""
        values: Array = self.data.expand(name) if name in MODEL_FIELDS else self.data.bind(name)
        return values

    def set_constants(self, rows: Iterable[Row]) -> None:
        """As `Single.set_constants`, for some."""
        self.data.set_const(_ids(rows))


Simulation = Single | Many


def _ids(rows: Iterable[Row]) -> NDArray[np.int32]:
    return np.fromiter(rows, np.int32)
