"""The limb and its target in 3-D: the geoms of the environment's MJCF, moved by the angles that are heard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np
import trimesh
import viser
from numpy.typing import NDArray
from trimesh.visual.material import PBRMaterial

from motorctl.envs import make_env

Array = NDArray[np.floating]

DRAWN_GROUPS = 3
"""MuJoCo draws geoms of groups 0 to 2 unless told otherwise."""
MUSCLE = (71, 92, 158)
WANTED, INTENDED = (37, 99, 235), (234, 88, 12)
"""Colours of arrows, as in the curves: what was decoded, what was intended."""
ARROW = 0.4
"""Length of an arrow (m) for 1 m/s."""
LIGHT = 0.4
"""Of the surroundings, beside viser's lamps; at full light, skin is white."""
ARROW_SHAPE: dict[str, Any] = {"shaft_radius": 0.004, "head_radius": 0.011, "head_length": 0.022}
"""In m."""
GRID: dict[str, Any] = {"cell_size": 0.1, "section_size": 0.5, "cell_thickness": 0.6, "section_thickness": 1.0}
GRID |= {"cell_color": (150, 160, 172), "section_color": (120, 132, 148), "fade_distance": 4.0, "shadow_opacity": 0.2}
"""The floor: a line every 10 cm."""
STILL = 1e-5
"""What moves less (m, or as much of a turn) is not sent."""


class LimbScene:
    """Draws a limb into a page.

    Args:
        server: of the page.
        environment: id of the environment.
        options: that it was made with.

    Raises:
        ConfigurationError: there is no such environment here.
    """

    def __init__(self, server: viser.ViserServer, environment: str, options: Mapping[str, Any]) -> None:
        env = make_env(environment, **options).unwrapped
        limb: Any = env.get_wrapper_attr("limb")
        self._model: mujoco.MjModel = limb.model
        self._data = mujoco.MjData(self._model)
        mujoco.mj_resetDataKeyframe(self._model, self._data, self._model.key("rest").id)
        mujoco.mj_kinematics(self._model, self._data)
        self._server = server
        server.scene.reset()
        server.scene.configure_environment_map(environment_intensity=LIGHT)
        self._look(limb.camera)
        self._bodies = {body: handle for body in range(self._model.nbody) if (handle := self._body(body))}
        self._muscles = self._tendons()
        self._arrows = {
            name: server.scene.add_arrows(f"/{name}", np.zeros((1, 2, 3)), colour, visible=False, **ARROW_SHAPE)
            for name, colour in (("wanted", WANTED), ("intended", INTENDED))
        }

    def show(self, pose: Mapping[str, float]) -> None:
        """Move everything to where it is.

        Args:
            pose: the newest values of the limb's stream by label.
        """
        for joint in range(self._model.njnt):
            value = pose.get(self._model.joint(joint).name, np.nan)
            if np.isfinite(value):
                self._data.qpos[self._model.jnt_qposadr[joint]] = value
        for body in range(self._model.nbody):
            name, moved = self._model.body(body).name, self._model.body_mocapid[body]
            if moved >= 0:
                self._data.mocap_pos[moved] = placed(pose, name, self._data.mocap_pos[moved])
        mujoco.mj_kinematics(self._model, self._data)
        with self._server.atomic():
            for body, handle in self._bodies.items():
                self._move(handle, self._data.xpos[body], self._data.xquat[body])
            self._show_muscles()
            self._show_arrows(pose)

    def _look(self, name: str) -> None:
        """Look at the limb as its camera does."""
        camera = self._model.camera(name)
        axes = np.zeros(9)
        mujoco.mju_quat2Mat(axes, camera.quat)
        _, up, backward = axes.reshape(3, 3).T
        first = self._server.initial_camera
        first.up = up
        first.position = camera.pos
        first.look_at = camera.pos - backward * np.linalg.norm(camera.pos - self._model.stat.center)
        first.fov = float(np.deg2rad(camera.fovy[0]))
        floor = [g for g in range(self._model.ngeom) if self._model.geom_type[g] == mujoco.mjtGeom.mjGEOM_PLANE]
        for geom in floor[:1]:
            self._server.scene.add_grid("/floor", 4, 4, position=self._model.geom_pos[geom], **GRID)

    def _body(self, body: int) -> viser.GlbHandle | None:
        """A body's geoms, as one thing that moves."""
        parts = trimesh.Scene()
        first = self._model.body_geomadr[body]
        for geom in range(first, first + self._model.body_geomnum[body]):
            if (mesh := geom_mesh(self._model, geom)) is not None:
                parts.add_geometry(mesh)
        if not parts.geometry:
            return None
        name = self._model.body(body).name or f"body{body}"
        return self._server.scene.add_glb(
            f"/limb/{name}", parts.export(file_type="glb"), position=self._data.xpos[body], wxyz=self._data.xquat[body]
        )

    def _move(self, handle: Any, position: Array, turn: Array) -> None:
        if np.abs(handle.position - position).max() > STILL:
            handle.position = position
        if np.abs(handle.wxyz - turn).max() > STILL:
            handle.wxyz = turn

    def _tendons(self) -> viser.LineSegmentsHandle | None:
        """The muscles, straight from site to site."""
        points = self._muscle_paths()
        if not len(points):
            return None
        return self._server.scene.add_line_segments("/muscles", points, MUSCLE, thickness=0.009)

    def _muscle_paths(self) -> Array:
        """``(segment, 2, 3)`` m."""
        model, data = self._model, self._data
        mujoco.mj_comPos(model, data)  # tendons are found after it
        mujoco.mj_tendon(model, data)
        segments = []
        for tendon in range(model.ntendon):
            first = data.ten_wrapadr[tendon]
            path = data.wrap_xpos.reshape(-1, 3)[first : first + data.ten_wrapnum[tendon]]
            segments += [path[i : i + 2] for i in range(len(path) - 1)]
        return np.array(segments, np.float32).reshape(-1, 2, 3)

    def _show_muscles(self) -> None:
        if self._muscles:
            points, before = self._muscle_paths(), self._muscles.points
            # A path that comes to lie on a bone, or leaves it, has other pieces.
            if points.shape != before.shape or np.abs(points - before).max() > STILL:
                self._muscles.points = points

    def _show_arrows(self, pose: Mapping[str, float]) -> None:
        """Of a command that is a velocity of the hand: what was decoded, and what was intended."""
        hand = placed(pose, "hand", np.array([0.0, 0.0, ABOVE]))
        for name, arrow in self._arrows.items():
            velocity = placed(pose, name, np.zeros(3))
            arrow.visible = bool(f"{name}_x" in pose and "hand_x" in pose and np.linalg.norm(velocity) > 0.02)
            if arrow.visible:
                arrow.points = np.array([[hand, hand + ARROW * velocity]], np.float32)


ABOVE = 0.06
"""How high above a limb that moves in a plane arrows are drawn (m)."""


def placed(pose: Mapping[str, float], name: str, otherwise: Array) -> Array:
    """``(3,)``: x, y and z of something, as far as they are heard."""
    heard = [pose.get(f"{name}_{axis}", np.nan) for axis in "xyz"]
    return np.where(np.isfinite(heard), heard, otherwise)


def geom_mesh(model: mujoco.MjModel, geom: int) -> trimesh.Trimesh | None:
    """A geom as triangles in its body's frame; None for what is not drawn, and for planes."""
    colour = model.geom_rgba[geom]
    if (material := model.geom_matid[geom]) >= 0:
        colour = model.mat_rgba[material]
    mesh = shape(model, geom)
    if mesh is None or model.geom_group[geom] >= DRAWN_GROUPS or colour[3] == 0:
        return None
    place = np.eye(4)
    axes = np.zeros(9)
    mujoco.mju_quat2Mat(axes, model.geom_quat[geom])
    place[:3, :3], place[:3, 3] = axes.reshape(3, 3), model.geom_pos[geom]
    mesh.apply_transform(place)
    mesh.visual = trimesh.visual.TextureVisuals(
        material=PBRMaterial(
            baseColorFactor=np.round(255 * linear(colour)).astype(np.uint8), metallicFactor=0.0, roughnessFactor=0.75,
            alphaMode="BLEND" if colour[3] < 1 else "OPAQUE",
        )
    )  # fmt: skip
    return mesh


def shape(model: mujoco.MjModel, geom: int) -> trimesh.Trimesh | None:
    """The surface of a geom about its own centre (m)."""
    types = mujoco.mjtGeom
    size, kind = model.geom_size[geom], types(model.geom_type[geom])
    if kind == types.mjGEOM_CAPSULE:
        mesh = trimesh.creation.capsule(height=2 * size[1], radius=size[0], count=[24, 24])
        mesh.apply_translation(-mesh.bounds.mean(axis=0))
        return mesh
    if kind == types.mjGEOM_CYLINDER:
        return trimesh.creation.cylinder(radius=size[0], height=2 * size[1], sections=48)
    if kind == types.mjGEOM_BOX:
        return trimesh.creation.box(extents=2 * size)
    if kind in (types.mjGEOM_SPHERE, types.mjGEOM_ELLIPSOID):
        ball = trimesh.creation.icosphere(subdivisions=3)
        ball.apply_scale(size if kind == types.mjGEOM_ELLIPSOID else size[0])
        return ball
    if kind == types.mjGEOM_MESH:
        mesh = model.mesh(model.geom_dataid[geom])
        return trimesh.Trimesh(
            model.mesh_vert[mesh.vertadr[0] :][: mesh.vertnum[0]], model.mesh_face[mesh.faceadr[0] :][: mesh.facenum[0]]
        )
    return None


def linear(colour: Array) -> Array:
    """A colour that a screen shows, as glTF wants it: linear in light (IEC 61966-2-1), opacity as it is."""
    light = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return np.append(light[:3], colour[3])
