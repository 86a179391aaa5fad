"""Pictures of a limb: an image, or a window. OpenGL is looked for when the first picture is asked for."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from motorctl.errors import MotorctlError

TRAIL = np.array([0.13, 0.45, 0.85])
"""Colour of the hand's path."""


class RenderingError(MotorctlError):
    """No picture can be made here."""


class Camera:
    """Takes square pictures with one of the model's cameras."""

    def __init__(self, model: mujoco.MjModel, camera: str, size: int = 640) -> None:
        """Open an OpenGL context of `size` × `size` pixels.

        Raises:
            RenderingError: there is no working OpenGL.
        """
        from mujoco.rendering.classic import gl_context, renderer

        try:
            if _headless() and not os.environ.get("MUJOCO_GL"):
                # MuJoCo has settled on GLFW at its import, which needs a screen; EGL does not
                from mujoco.egl import GLContext

                gl_context.GLContext = GLContext
            self._renderer = renderer.Renderer(model, height=size, width=size)
        except Exception as error:  # each backend fails in its own way: ImportError, AttributeError, FatalError, ...
            raise RenderingError(
                f"No OpenGL to render with ({type(error).__name__}: {error}).",
                "Install libegl1 (Debian, Ubuntu: apt-get install libegl1 libgl1) and set MUJOCO_GL=egl.",
            ) from error
        self._options = _options()
        self._name = camera

    def picture(self, data: mujoco.MjData, path: Sequence[NDArray[np.float64]]) -> NDArray[np.uint8]:
        """Take a picture (size, size, 3) of the present state, with the hand's path (2,) or (3,), m, oldest first."""
        self._renderer.update_scene(data, camera=self._name, scene_option=self._options)
        _draw(self._renderer.scene, path)
        pixels: NDArray[np.uint8] = self._renderer.render()
        return pixels

    def close(self) -> None:
        """Free the OpenGL context."""
        self._renderer.close()


class Window:
    """Shows the limb in MuJoCo's viewer, seen from one of the model's cameras at first."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, camera: str) -> None:
        """Open the window.

        Raises:
            RenderingError: there is no screen.
        """
        if _headless():
            raise RenderingError(
                "render_mode 'human' needs a screen, and neither DISPLAY nor WAYLAND_DISPLAY is set.",
                "Use render_mode='rgb_array', or run it where there is a screen.",
            )
        import mujoco.viewer

        self._viewer: Any = mujoco.viewer.launch_passive(model, data, show_left_ui=False, show_right_ui=False)
        self._viewer.cam.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._viewer.cam.fixedcamid = model.camera(camera).id
        self._viewer.opt.flags[mujoco.mjtVisFlag.mjVIS_ACTUATOR] = True

    def show(self, path: Sequence[NDArray[np.float64]]) -> None:
        """Show the present state, with the hand's path, oldest first. A closed window stays closed."""
        if self._viewer.is_running():
            with self._viewer.lock():
                self._viewer.user_scn.ngeom = 0
                _draw(self._viewer.user_scn, path)
            self._viewer.sync()

    def close(self) -> None:
        """Close the window."""
        self._viewer.close()


def _headless() -> bool:
    return sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _options() -> mujoco.MjvOption:
    options = mujoco.MjvOption()
    options.flags[mujoco.mjtVisFlag.mjVIS_ACTUATOR] = True  # tendons coloured by activation
    return options


def _draw(scene: mujoco.MjvScene, path: Sequence[NDArray[np.float64]]) -> None:
    """Add a path to a scene, fading towards its oldest end."""
    path = list(path)  # a deque has no slices
    for i in range(len(path) - 1):
        if scene.ngeom >= scene.maxgeom:
            break
        geom = scene.geoms[scene.ngeom]
        colour = np.append(TRAIL, 0.9 * (i + 1) / len(path)).astype(np.float32)
        capsule = mujoco.mjtGeom.mjGEOM_CAPSULE
        mujoco.mjv_initGeom(geom, capsule, np.zeros(3), np.zeros(3), np.eye(3).ravel(), colour)
        start, end = (
            point if point.size == 3 else np.append(point, 0.035) for point in path[i : i + 2]
        )  # above the arm
        mujoco.mjv_connector(geom, capsule, 0.0025, start, end)
        scene.ngeom += 1
