"""The limb is drawn as MuJoCo has it."""

from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np
import pytest

from motorctl.envs import make_env
from motorctl.runtime.cockpit.page import serve
from motorctl.runtime.cockpit.scene import LimbScene, geom_mesh

ENVIRONMENTS = ["motorctl/ArmReach-v0", "motorctl/Arm3dReach-v0", "motorctl/HandGrasp-v0", "motorctl/LegGait-v0"]


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """A page that nobody looks at."""
    served, _ = serve("127.0.0.1", None, None)
    yield served
    served.stop()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_geoms_have_their_size_and_place(environment: str) -> None:
    model = make_env(environment).get_wrapper_attr("limb").model
    drawn = 0
    for geom in range(model.ngeom):
        mesh = geom_mesh(model, geom)
        if mesh is None:
            assert model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_PLANE or model.geom_group[geom] >= 3
            continue
        drawn += 1
        axes = np.zeros(9)
        mujoco.mju_quat2Mat(axes, model.geom_quat[geom])
        own = (mesh.vertices - model.geom_pos[geom]) @ axes.reshape(3, 3)  # in the geom's frame, about its centre
        np.testing.assert_allclose(own.max(axis=0), model.geom_aabb[geom, 3:], rtol=0.02)
        np.testing.assert_allclose(own.min(axis=0), -model.geom_aabb[geom, 3:], rtol=0.02)
    assert drawn > 5


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_bodies_go_where_the_angles_that_are_heard_put_them(server: Any, environment: str) -> None:
    env = make_env(environment)
    env.reset(seed=1)
    for _ in range(20):
        env.step(env.action_space.sample())
    model, data = env.get_wrapper_attr("limb").model, env.get_wrapper_attr("physics")
    hinges = [j for j in range(model.njnt) if model.jnt_type[j] != mujoco.mjtJoint.mjJNT_FREE]
    pose = {model.joint(j).name: float(data.qpos[model.jnt_qposadr[j]]) for j in hinges}
    LimbScene(server, environment, {}).show(pose | {"target_x": 0.1, "target_y": 0.2})
    mujoco.mj_kinematics(model, data)
    for body in range(1, model.nbody):
        handle = server.scene.get_handle_by_name(f"/limb/{model.body(body).name}")
        if handle is not None and model.body_mocapid[body] < 0 and model.body(body).name != "object":
            np.testing.assert_allclose(handle.position, data.xpos[body], atol=2e-5)
    target = server.scene.get_handle_by_name("/limb/target")
    if target is not None:
        np.testing.assert_allclose(target.position[:2], [0.1, 0.2])


def test_what_is_not_heard_moves_nothing(server: Any) -> None:
    scene = LimbScene(server, "motorctl/ArmReach-v0", {"command": "velocity"})
    before = server.scene.get_handle_by_name("/limb/forearm").position.copy()
    scene.show({"shoulder": float("nan"), "target_x": float("nan")})
    np.testing.assert_array_equal(server.scene.get_handle_by_name("/limb/forearm").position, before)
    assert np.isfinite(server.scene.get_handle_by_name("/limb/target").position).all()
