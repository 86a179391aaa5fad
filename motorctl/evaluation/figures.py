"""Pictures of a run: the hand's paths, and a video where OpenGL is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import imageio_ffmpeg  # type: ignore[import-untyped]
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from motorctl.envs import Env
from motorctl.runtime.loop import Step

VIDEO_RATE = 25.0
"""Pictures per second (Hz)."""

REACHED, MISSED = "#1b7f5c", "#c2410c"


def trials(steps: Sequence[Step]) -> list[Sequence[Step]]:
    """The steps of each trial that ended."""
    ends = [i + 1 for i, step in enumerate(steps) if step.outcome]
    return [steps[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def draw_hand_paths(steps: Sequence[Step], radius: float, title: str, path: Path) -> None:
    """Seen from above, the hand's path to every target (circles of ``radius`` m), written as a picture to ``path``."""
    figure = Figure(figsize=(6, 6), dpi=150, layout="constrained")
    axes = figure.add_subplot(aspect="equal", xlabel="x, to the right (m)", ylabel="y, forward (m)", title=title)
    for trial in trials(steps):
        hand, target = np.array([s.hand for s in trial]), trial[-1].target
        reached = trial[-1].outcome == "reached"
        colour = REACHED if reached else MISSED
        axes.plot(hand[:, 0], hand[:, 1], color=colour, lw=1.2, alpha=0.8)
        axes.add_patch(Circle((target[0], target[1]), radius, fill=False, ec=colour, ls="-" if reached else ":"))
    axes.plot([], [], color=REACHED, label="target reached")
    axes.plot([], [], color=MISSED, label="target missed")
    axes.autoscale_view()
    axes.legend(loc="upper right", frameon=False)
    figure.savefig(path)


def write_video(
    steps: Sequence[Step], env: Env, path: Path, progress: Callable[[int], None] = lambda done: None
) -> None:
    """Steps as MP4, drawn anew on ``env``, whose render mode is ``rgb_array``; tells how many are drawn.

    Raises:
        RenderingError: there is no OpenGL.
    """
    rate = env.get_wrapper_attr("control_rate")
    every = max(1, round(rate / VIDEO_RATE))
    env.reset()
    height, width, _ = picture(env).shape
    writer = imageio_ffmpeg.write_frames(str(path), (width, height), fps=rate / every)
    writer.send(None)
    for index, step in enumerate(steps):
        env.get_wrapper_attr("set_state")(step.joint_angles, step.activation, step.target)
        if index % every == 0:
            writer.send(picture(env))
        progress(index + 1)
    writer.close()


def picture(env: Env) -> NDArray[np.uint8]:
    """What the environment shows now, ``(height, width, 3)``."""
    return np.ascontiguousarray(env.render(), dtype=np.uint8)
