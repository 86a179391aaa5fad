"""What a model has that the twin has not: said by name when the twin is built, never ignored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import mujoco
import numpy as np
from numpy.typing import ArrayLike

from ..errors import ConfigurationError

FLAG = mujoco.mjtDisableBit
JOINT, TRN, WRAP = mujoco.mjtJoint, mujoco.mjtTrn, mujoco.mjtWrap
GAIN, BIAS, DYN, INTEGRATOR = mujoco.mjtGain, mujoco.mjtBias, mujoco.mjtDyn, mujoco.mjtIntegrator
TRANSMISSIONS = TRN.mjTRN_JOINT, TRN.mjTRN_JOINTINPARENT, TRN.mjTRN_TENDON
DYNAMICS = DYN.mjDYN_NONE, DYN.mjDYN_INTEGRATOR, DYN.mjDYN_FILTER, DYN.mjDYN_FILTEREXACT, DYN.mjDYN_MUSCLE
LAWS = (
    (GAIN.mjGAIN_FIXED, BIAS.mjBIAS_NONE),
    (GAIN.mjGAIN_FIXED, BIAS.mjBIAS_AFFINE),
    (GAIN.mjGAIN_AFFINE, BIAS.mjBIAS_NONE),
    (GAIN.mjGAIN_AFFINE, BIAS.mjBIAS_AFFINE),
    (GAIN.mjGAIN_MUSCLE, BIAS.mjBIAS_NONE),
    (GAIN.mjGAIN_MUSCLE, BIAS.mjBIAS_MUSCLE),
)

Obstacle = tuple[str, str]
"""What the twin has not, and who has it."""


def check(model: mujoco.MjModel) -> None:
    """Say what the twin has not.

    Raises:
        ConfigurationError: all of it, by name.
    """
    found = obstacles(model)
    if found:
        raise ConfigurationError(
            f"The twin of a model has none of these, but the model has: {'; '.join(found)}.",
            "Take them out of the model, or differentiate MuJoCo itself by finite differences, with MujocoStep.",
        )


def obstacles(model: mujoco.MjModel) -> list[str]:
    """What in a model keeps it from having a twin, in words, everything of a kind together."""
    owners: dict[str, list[str]] = {}
    for kind in (_of_joints, _of_constraints, _of_tendons, _of_actuators, _of_options):
        for what, owner in kind(model):
            owners.setdefault(what, []).append(owner)
    return [f"{what} ({', '.join(names)})" if any(names) else what for what, names in owners.items()]


def _of_joints(model: mujoco.MjModel) -> Iterator[Obstacle]:
    if not model.nv:
        yield "no joint at all", ""
    for kind in JOINT.mjJNT_FREE, JOINT.mjJNT_BALL:
        yield from _those(f"{_word(kind)} joints", model.joint, model.jnt_type == kind)
    yield from _those("joint stiffness that is not linear", model.joint, model.jnt_stiffnesspoly.any(-1))
    yield from _those("joint springs that yield", model.joint, model.jnt_springyield > 0)
    yield from _those("limits of the actuators' force at joints", model.joint, model.jnt_actfrclimited)
    compensated = model.jnt_actgravcomp & bool(model.body_gravcomp.any())
    yield from _those("gravity compensation by actuators", model.joint, compensated)
    crooked = np.isin(range(model.njnt), model.dof_jntid[model.dof_dampingpoly.any(-1)])
    yield from _those("joint damping that is not linear", model.joint, crooked)


def _of_constraints(model: mujoco.MjModel) -> Iterator[Obstacle]:
    off = int(model.opt.disableflags)
    if off & FLAG.mjDSBL_CONSTRAINT:
        return
    if not off & FLAG.mjDSBL_CONTACT:
        pairs = _touching(model)
        more = [f"{len(pairs) - 3} more pairs"] if len(pairs) > 3 else []
        yield from (("contacts", pair) for pair in [*pairs[:3], *more])
    if not off & FLAG.mjDSBL_LIMIT:
        hint = "(a fixed tendon with a dead band, springlength, is a passive one)"
        yield from _those(f"joint limits {hint}", model.joint, model.jnt_limited)
        yield from _those("tendon limits", model.tendon, model.tendon_limited)
    if not off & FLAG.mjDSBL_FRICTIONLOSS:
        rubbing = np.isin(range(model.njnt), model.dof_jntid[model.dof_frictionloss != 0])
        yield from _those("friction loss of joints", model.joint, rubbing)
        yield from _those("friction loss of tendons", model.tendon, model.tendon_frictionloss != 0)
    if not off & FLAG.mjDSBL_EQUALITY:
        yield from _those("equality constraints", model.equality, model.eq_active0)


def _touching(model: mujoco.MjModel) -> list[str]:
    """Pairs of geoms that MuJoCo would look for contacts between."""
    found = list(zip(model.pair_geom1.tolist(), model.pair_geom2.tolist(), strict=True))
    excluded = set(model.exclude_signature.tolist())
    above = model.body_weldid[model.body_parentid]
    parents_collide = bool(model.opt.disableflags & FLAG.mjDSBL_FILTERPARENT)
    for one, other in combinations(range(model.ngeom), 2):
        bodies = model.geom_bodyid[one], model.geom_bodyid[other]
        first, second = (model.body_weldid[body] for body in bodies)
        family = first and second and (first == above[second] or second == above[first])
        matches = (
            model.geom_contype[one] & model.geom_conaffinity[other]
            or model.geom_contype[other] & model.geom_conaffinity[one]
        )
        moves = any(model.body_treeid[body] >= 0 for body in bodies)
        left_out = (min(bodies) << 16) + max(bodies) in excluded
        if matches and moves and first != second and not left_out and (parents_collide or not family):
            found.append((one, other))
    return [" and ".join(_name(model.geom(geom)) for geom in pair) for pair in found]


def _of_tendons(model: mujoco.MjModel) -> Iterator[Obstacle]:
    """Paths matter where a force acts along them; other tendons are for the eye only."""
    pulled = np.isin(range(model.ntendon), model.actuator_trnid[model.actuator_trntype == int(TRN.mjTRN_TENDON), 0])
    pulled |= (model.tendon_stiffness != 0) | (model.tendon_damping != 0)
    paths = [range(start, start + count) for start, count in zip(model.tendon_adr, model.tendon_num, strict=True)]
    around = np.isin(model.wrap_type, [int(WRAP.mjWRAP_SPHERE), int(WRAP.mjWRAP_CYLINDER)])
    by_hand = model.body_mocapid[model.body_weldid[model.site_bodyid]] >= 0
    led = [
        kind == int(WRAP.mjWRAP_SITE) and by_hand[site]
        for kind, site in zip(model.wrap_type, model.wrap_objid, strict=True)
    ]
    yield from _those(
        "tendons that wrap around geoms",
        model.tendon,
        [p and around[path].any() for p, path in zip(pulled, paths, strict=True)],
    )
    yield from _those(
        "tendons that end on mocap bodies",
        model.tendon,
        [p and any(led[i] for i in path) for p, path in zip(pulled, paths, strict=True)],
    )
    yield from _those("tendon stiffness that is not linear", model.tendon, model.tendon_stiffnesspoly.any(-1))
    yield from _those("tendon damping that is not linear", model.tendon, model.tendon_dampingpoly.any(-1))
    yield from _those("tendon springs that yield", model.tendon, model.tendon_springyield > 0)
    yield from _those("tendon inertia (armature)", model.tendon, model.tendon_armature != 0)
    yield from _those("limits of the actuators' force on tendons", model.tendon, model.tendon_actfrclimited)


def _of_actuators(model: mujoco.MjModel) -> Iterator[Obstacle]:
    for i in range(model.nactuator):
        name = _name(model.actuator(i))
        law = GAIN(model.actuator_gaintype[i]), BIAS(model.actuator_biastype[i])
        transmission, dynamics = TRN(model.actuator_trntype[i]), DYN(model.actuator_dyntype[i])
        if transmission not in TRANSMISSIONS:
            yield f"actuators with transmission {_word(transmission)}", name
        if dynamics not in DYNAMICS:
            yield f"actuators with dynamics {_word(dynamics)}", name
        if law not in LAWS:
            yield f"actuators with gain {_word(law[0])} and bias {_word(law[1])}", name
        if law[0] == GAIN.mjGAIN_MUSCLE:
            gain = model.actuator_gainprm[i]
            if law[1] == BIAS.mjBIAS_MUSCLE and (gain != model.actuator_biasprm[i]).any():
                yield "muscles whose gain and bias differ in parameters", name
        if model.actuator_ctrlnum[i] != 1 or model.actuator_actnum[i] > 1:
            yield "actuators with more than one control or activation", name
    yield from _those(
        "actuators with a delay", model.actuator, (model.actuator_delay != 0) | model.actuator_history.any(-1)
    )
    yield from _those(
        "actuators with damping", model.actuator, (model.actuator_damping != 0) | model.actuator_dampingpoly.any(-1)
    )
    yield from _those("actuators with armature", model.actuator, model.actuator_armature != 0)


def _of_options(model: mujoco.MjModel) -> Iterator[Obstacle]:
    if INTEGRATOR(model.opt.integrator) not in (INTEGRATOR.mjINT_EULER, INTEGRATOR.mjINT_IMPLICITFAST):
        yield f"the integrator {_word(INTEGRATOR(model.opt.integrator))}, neither Euler nor implicitfast", ""
    if model.opt.density or model.opt.viscosity:
        yield "a fluid (density, viscosity)", ""
    if model.opt.disableflags & FLAG.mjDSBL_ACTUATION:
        yield "actuation that is disabled as a whole", ""
    if model.opt.enableflags & mujoco.mjtEnableBit.mjENBL_SLEEP:
        yield "sleeping", ""
    if model.nflex:
        yield "flexes", ""
    if model.nplugin:
        yield "plugins", ""


def _those(what: str, view: Callable[[int], Any], has: ArrayLike) -> Iterator[Obstacle]:
    """Name those that have it."""
    return ((what, _name(view(int(i)))) for i in np.flatnonzero(has))


def _name(item: Any) -> str:
    return repr(item.name) if item.name else f"number {item.id}"


def _word(kind: Any) -> str:
    """`mjJNT_BALL` as `ball`."""
    name: str = kind.name
    return name.partition("_")[2].lower()
