"""Pictures of a run: the hand's paths, and a video where OpenGL is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gymnasium as gym
import imageio_ffmpeg
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

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
    steps: Sequence[Step], env: gym.Env[NDArray[np.float32], NDArray[np.float32]], rate: float, path: Path
) -> None:
    """The run as MP4, drawn anew from its steps on ``env`` (``render_mode="rgb_array"``).

    Args:
        rate: control steps per second (Hz).

    Raises:
        MotorctlError: there is no OpenGL.
    """
    every = max(1, round(rate / VIDEO_RATE))
    draw = env.get_wrapper_attr("draw")
    first = draw(steps[0].joints, steps[0].activation, steps[0].target)
    height, width, _ = first.shape
    writer = imageio_ffmpeg.write_frames(str(path), (width, height), fps=rate / every, macro_block_size=2)
    writer.send(None)
    for step in steps[::every]:
        writer.send(np.ascontiguousarray(draw(step.joints, step.activation, step.target)))
    writer.close()
