"""What tests of the dynamics share: limbs that the twin accepts, drawn models, and MuJoCo's own steps."""

from collections.abc import Callable

import mujoco
import numpy as np
import pytest

DRIVES = ("motor", "servo", "affine", "muscle", "smooth muscle", "filter", "exact filter", "integrator")


def _numbers(values) -> str:
    return " ".join(f"{value:.6g}" for value in np.ravel(values))


def _actuator(random: np.random.Generator, drive: str, target: str, group: int) -> str:
    limits = f'ctrllimited="true" ctrlrange="-1 1" group="{group}" gear="{random.uniform(0.5, 2):.3f}" {target}'
    forces = 'forcelimited="true" forcerange="-3 4"' if random.random() < 0.3 else ""
    early = f'actearly="{random.choice(["true", "false"])}" actlimited="true" actrange="-0.5 0.6"'
    if "muscle" in drive:
        force = 30 if "tendon" in target else -1  # from the scale, which a tendon within one link has not
        smooth = random.uniform(0.1, 1) if drive == "smooth muscle" else 0
        shape = f'lmin="{random.uniform(0.3, 0.7):.3f}" lmax="{random.uniform(1.3, 1.8):.3f}" vmax="3" fvmax="1.3"'
        width = f'lengthrange="0.2 0.9" range="0.6 1.4" force="{force}" tausmooth="{smooth:.3f}"'
        return f"<muscle {shape} {width} group='{group}' {target}/>"
    if drive == "servo":
        return f'<position kp="20" kv="0.5" {forces} {limits}/>'
    if drive == "affine":
        gain, bias = _numbers(random.normal(0, 1, 3)), _numbers(random.normal(0, 1, 3))
        laws = f'gaintype="affine" gainprm="{gain}" biastype="affine" biasprm="{bias}"'
        return f"<general {laws} {forces} {limits}/>"
    kinds = {"filter": "filter", "exact filter": "filterexact", "integrator": "integrator"}
    if drive in kinds:
        return f'<general dyntype="{kinds[drive]}" dynprm="0.03" gainprm="4" {early} {forces} {limits}/>'
    return f"<motor {forces} {limits}/>"


@pytest.fixture(scope="session")
def draw() -> Callable[..., mujoco.MjModel]:
    """A limb drawn from a seed.

    `parents` are of each joint-bearing body the one it hangs on (-1: the world), `kinds` its joints' letters, h or s;
    planar limbs have all axes along z. Everything else, tendons and drives too, is drawn.
    """

    def model(
        seed: int, parents: tuple[int, ...], kinds: tuple[str, ...], planar: bool, integrator: str
    ) -> mujoco.MjModel:
        random = np.random.default_rng(seed)
        axis = lambda: [0, 0, 1] if planar else random.normal(size=3)  # noqa: E731
        flat = lambda: random.uniform(-0.3, 0.3, 3) * ([1, 1, 0] if planar else [1, 1, 1])  # noqa: E731
        children: dict[int, list[int]] = {}
        for body, parent in enumerate(parents):
            children.setdefault(parent, []).append(body)
        sites = [f"base{i}" for i in range(2)]

        def body(number: int) -> str:
            turn = "" if planar else f'quat="{_numbers(random.normal(size=4))}"'
            joints = "".join(
                f'<joint name="j{number}{i}" type="{"hinge" if kind == "h" else "slide"}" '
                f'axis="{_numbers(axis() if kind == "h" or not planar else [1, 0.5, 0])}" pos="{_numbers(flat())}" '
                f'damping="{random.uniform(0, 1):.3f}" stiffness="{random.choice([0, 3])}" springref="0.2" '
                f'ref="{random.choice([0, 0.3])}" armature="{random.choice([0, 0.02])}" range="-1 1" limited="false"/>'
                for i, kind in enumerate(kinds[number])
            )
            heavy = f'mass="{random.uniform(0.5, 2):.3f}" diaginertia="{_numbers(random.uniform(0.02, 0.03, 3))}"'
            inertial = f'<inertial pos="{_numbers(flat())}" quat="{_numbers(random.normal(size=4))}" {heavy}/>'
            names = [f"s{number}{i}" for i in range(2)]
            sites.extend([*names, f"w{number}"])
            places = "".join(f'<site name="{name}" pos="{_numbers(random.uniform(-0.3, 0.3, 3))}"/>' for name in names)
            welded = (
                f'<body pos="{_numbers(flat())}"><inertial pos="0.1 0 0" mass="0.3" diaginertia="0.01 0.01 0.01"/>'
                f'<site name="w{number}" pos="0.1 0.05 0.02"/></body>'
            )
            below = "".join(body(child) for child in children.get(number, []))
            lift = f'gravcomp="{random.choice([0, 1, 0.4])}"'
            return f'<body pos="{_numbers(flat())}" {turn} {lift}>{joints}{inertial}{places}{welded}{below}</body>'

        bodies = "".join(body(root) for root in children[-1])
        names = [f"j{number}{i}" for number, of_body in enumerate(kinds) for i in range(len(of_body))]
        spring = (
            f'springlength="{random.choice(["0.3", "0.3 0.6"])}" stiffness="{random.choice([0, 20])}" damping="0.3"'
        )
        routes = [random.choice(sites, count, replace=False) for count in (2, 3, 4)]
        routes[2] = [*routes[2][:2], "pulley", *routes[2][2:]]
        spatial = "".join(
            f'<spatial name="t{i}" {spring if i else ""}>'
            + "".join('<pulley divisor="2"/>' if site == "pulley" else f'<site site="{site}"/>' for site in route)
            + "</spatial>"
            for i, route in enumerate(routes)
        )
        coupled = "".join(f'<joint joint="{name}" coef="{random.normal():.3f}"/>' for name in names[:3])
        fixed = f'<fixed name="f" springlength="-0.1 0.2" stiffness="15" damping="0.2">{coupled}</fixed>'
        targets = [f'tendon="t{i}"' for i in range(3)] + ['tendon="f"'] + [f'joint="{name}"' for name in names]
        drives = "".join(
            _actuator(random, str(drive), str(random.choice(targets)), int(random.integers(0, 3)))
            for drive in random.permutation(DRIVES)[: random.integers(1, len(DRIVES))]
        )
        flags = " ".join(
            f'{flag}="disable"'
            for flag in ("spring", "damper", "gravity", "clampctrl", "eulerdamp")
            if random.random() < 0.15
        )
        return mujoco.MjModel.from_xml_string(
            f'<mujoco><compiler angle="radian" autolimits="false"/>'
            f'<option timestep="0.002" integrator="{integrator}" gravity="{_numbers(random.normal(0, 5, 3))}" '
            f'actuatorgroupdisable="{random.choice(["", "1"])}"><flag {flags}/></option>'
            f'<worldbody><site name="base0" pos="0.2 0.1 0.3"/><site name="base1" pos="-0.3 0.1 0"/>'
            f"{bodies}</worldbody>"
            f"<tendon>{spatial}{fixed}</tendon><actuator>{drives}</actuator></mujoco>"
        )

    return model


@pytest.fixture(scope="session")
def states() -> Callable[..., tuple[np.ndarray, ...]]:
    """Random positions, velocities, activations, controls and forces of a model, (batch, ...) each."""

    def drawn(model: mujoco.MjModel, batch: int, seed: int) -> tuple[np.ndarray, ...]:
        random = np.random.default_rng(seed)
        low, high = np.where(model.actuator_ctrllimited, model.actuator_ctrlrange.T, [[-1], [1]])
        controls = random.uniform(1.2 * low - 0.2 * high, 1.2 * high - 0.2 * low, (batch, model.nu))
        ranges = np.where(model.jnt_range.any(-1), model.jnt_range.T, [[-1], [1]])
        return (
            random.uniform(*ranges, (batch, model.nq)),
            random.normal(0, 2, (batch, model.nv)),
            random.uniform(0, 1, (batch, model.na)),
            controls,
            random.normal(0, 1, (batch, model.nv)),
        )

    return drawn


@pytest.fixture(scope="session")
def mj_step() -> Callable[..., tuple[np.ndarray, ...]]:
    """The next positions, velocities and activations, by MuJoCo, one simulation after the other."""

    def step(model: mujoco.MjModel, *rows: np.ndarray) -> tuple[np.ndarray, ...]:
        data = mujoco.MjData(model)
        following = []
        for row in zip(*rows, strict=True):
            mujoco.mj_resetData(model, data)
            data.qpos, data.qvel, data.act, data.ctrl, data.qfrc_applied = row
            mujoco.mj_step(model, data)
            following.append((data.qpos.copy(), data.qvel.copy(), data.act.copy()))
        return tuple(np.array(part) for part in zip(*following, strict=True))

    return step
