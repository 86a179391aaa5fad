"""Pictures of a run or of episodes: the hand's paths, what was followed, and a video where OpenGL is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import imageio_ffmpeg  # type: ignore[import-untyped]
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from motorctl.envs import Env, Reach, VectorEnvironment, joint_names
from motorctl.evaluation.episodes import Episode
from motorctl.runtime.loop import Step

VIDEO_RATE = 25.0
"""Pictures per second (Hz)."""

DRAWN, COLUMNS = 100, 3
"""Most episodes in a picture: all in one, or with a column each."""

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


def draw_episodes(episodes: Sequence[Episode], env: VectorEnvironment, title: str, path: Path) -> int:
    """A picture of episodes of ``env``, written to ``path``: the path of a hand that reaches; over time, what has to
    follow something, or the height of an object. Of many, the first `DRAWN` or `COLUMNS`; returns how many."""
    episodes = episodes[:DRAWN]
    first = episodes[0].traces
    if "object_position" in first:
        figure = _draw_heights(episodes)
    elif "reference_angles" in first:
        labels = [f"{name.replace('_', ' ')} (°)" for name in joint_names(env.limb)]
        episodes = episodes[:COLUMNS]
        figure = _draw_followed(episodes, ("joint_angles", "reference_angles"), labels, 180 / np.pi)
    elif (np.diff(first["target_position"], axis=0) != 0).any(-1).mean() > 0.5:
        labels = [f"{axis} (cm)" for axis in ("x, to the right", "y, forward", "z, up")]
        episodes = episodes[:COLUMNS]
        figure = _draw_followed(episodes, ("shown_position", "target_position"), labels, 100)
    else:
        figure = _draw_paths(episodes, radius=cast(Reach, env.task).target_radius)
    figure.suptitle(title)
    figure.savefig(path)
    return len(episodes)


def _draw_paths(episodes: Sequence[Episode], radius: float) -> Figure:
    """Paths of the hand, as it is shown, from above, and those in space from behind too."""
    space = episodes[0].traces["shown_position"].shape[-1] == 3
    figure = Figure(figsize=(11, 6) if space else (6.5, 6.8), dpi=150, layout="constrained")
    views = (("from above", 1, "y, forward (m)"), ("from behind", 2, "z, up (m)"))[: 1 + space]
    for index, (view, vertical, label) in enumerate(views):
        axes = figure.add_subplot(1, 1 + space, 1 + index, aspect="equal", xlabel="x, to the right (m)", ylabel=label)
        axes.set_title(view, fontsize="medium")
        for episode in episodes:
            hand, target = (episode.traces[name][:, [0, vertical]] for name in ("shown_position", "target_position"))
            colour = REACHED if episode.success else MISSED
            axes.plot(*hand.T, color=colour, lw=1.2, alpha=0.8)
            for x, y in np.unique(target, axis=0):
                axes.add_patch(Circle((x, y), radius, fill=False, ec=colour, ls="-" if episode.success else ":"))
        axes.autoscale_view()
    figure.axes[0].plot([], [], "o", mfc="none", mec="0.2", ms=9, label="target")
    _add_legend(figure)
    return figure


def _draw_heights(episodes: Sequence[Episode]) -> Figure:
    """Height of the object over time; marked is when the phase changes."""
    figure = Figure(figsize=(9, 5), dpi=150, layout="constrained")
    axes = figure.add_subplot(xlabel="time (s)", ylabel="height of the object (cm)")
    for episode in episodes:
        height, phase = 100 * episode.traces["object_position"][:, 2], episode.traces["phase"]
        times = np.linspace(0, episode.seconds, len(height))
        axes.plot(times, height, color=REACHED if episode.success else MISSED, lw=1, alpha=0.7)
        for new, marker in ((1, "o"), (2, "v")):
            changed = np.flatnonzero((phase[1:] == new) & (phase[:-1] != new)) + 1
            axes.plot(times[changed], height[changed], marker, color="0.2", ms=5)
    axes.plot([], [], "o", color="0.2", ms=5, label="lifted, hold begins")
    axes.plot([], [], "v", color="0.2", ms=5, label="go cue")
    _add_legend(figure)
    return figure


def _draw_followed(episodes: Sequence[Episode], names: tuple[str, str], labels: Sequence[str], unit: float) -> Figure:
    """What is and what is asked for over time: a row for each of what follows, a column for each episode."""
    width = episodes[0].traces[names[0]].shape[1]
    figure = Figure(figsize=(2 + 4 * len(episodes), 1.5 + 2 * width), dpi=120, layout="constrained")
    grid = figure.subplots(width, len(episodes), sharex="col", sharey="row", squeeze=False)
    for column, episode in enumerate(episodes):
        actual, wanted = (unit * episode.traces[name] for name in names)
        times = np.linspace(0, episode.seconds, len(actual))
        for row, axes in enumerate(grid[:, column]):
            axes.plot(times, wanted[:, row], color="0.2", lw=1.2, ls="--")
            axes.plot(times, actual[:, row], color=REACHED if episode.success else MISSED, lw=1.2, alpha=0.8)
        grid[0, column].set_title(f"episode {1 + column}", fontsize="medium")
        grid[-1, column].set_xlabel("time (s)")
    for axes, label in zip(grid[:, 0], labels, strict=False):
        axes.set_ylabel(label)
    grid[0, 0].plot([], [], color="0.2", lw=1.2, ls="--", label="asked for")
    _add_legend(figure)
    return figure


def _add_legend(figure: Figure) -> None:
    """Below the plots: the colours of success and failure, and what the first of the axes names."""
    axes = figure.axes[0]
    axes.plot([], [], color=REACHED, label="success")
    axes.plot([], [], color=MISSED, label="failure")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)


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
        env.get_wrapper_attr("set_state")(step.info["joint_angles"], step.info["activation"], step.target)
        if index % every == 0:
            writer.send(picture(env))
        progress(index + 1)
    writer.close()


def picture(env: Env) -> NDArray[np.uint8]:
    """What the environment shows now, ``(height, width, 3)``."""
    return np.ascontiguousarray(env.render(), dtype=np.uint8)
