"""Episodes run at once, against the same ones run alone; their figures, by hand; their pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from motorctl.envs import expert, make_env, make_vec
from motorctl.evaluation.episodes import Episode, run_episodes, summarize_episodes
from motorctl.evaluation.figures import COLUMNS, MISSED, REACHED, draw_episodes

REACH = "motorctl/ArmReach-v0"


def test_episodes_are_those_of_single_environments() -> None:
    vector = make_vec(REACH, 3, 1)
    told: list[int] = []
    episodes = run_episodes(vector, expert(vector), seed=5, progress=told.append)
    for i, episode in enumerate(episodes):
        env = make_env(REACH)
        _, info = env.reset(seed=5 + i)
        hands, reward, over, act = [info["shown_position"]], 0.0, False, expert(env)
        while not over:
            _, now, terminated, truncated, info = env.step(act(info))
            reward, over = reward + float(now), terminated or truncated
            hands.append(info["shown_position"])
        assert (episode.reason, episode.success) == (info["reason"], info["success"]) == ("reached", True)
        assert episode.seconds == pytest.approx(info["metrics"]["time_to_target"])
        assert episode.reward == pytest.approx(reward) and episode.metrics == pytest.approx(info["metrics"])
        assert episode.traces["shown_position"] == pytest.approx(np.array(hands))
    assert len({episode.seconds for episode in episodes}) > 1
    assert told == sorted(told) and told[-1] == 3


def test_only_what_counts_is_run_and_only_what_is_drawn_is_kept() -> None:
    env = make_vec(REACH, 4, 1, time_limit=0.2)
    episodes = run_episodes(env, lambda info: np.zeros((4, 6), np.float32), seed=0, count=3, traced=1)
    assert [bool(episode.traces) for episode in episodes] == [True, False, False]
    assert [(e.reason, e.success, e.seconds) for e in episodes] == [("time limit", False, 0.2)] * 3
    assert episodes[0].traces["shown_position"].shape == (11, 2)  # the start and ten steps
    assert all(np.isnan(episode.metrics["time_to_target"]) for episode in episodes)


EPISODE = Episode("reached", True, 1.0, -2.0, {"time": 0.5, "never": float("nan")}, {})


def test_figures() -> None:
    missed = replace(EPISODE, reason="time limit", success=False, seconds=2.0, reward=-4.0)
    summary = summarize_episodes([EPISODE] * 8 + [missed] * 2)
    assert summary["success_rate"] == 0.8
    # Wilson's interval of 8 in 10, closed form: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), z = 1.96
    assert (summary["low"], summary["high"]) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert summary["reasons"] == {"reached": 8, "time limit": 2}
    assert (summary["mean_seconds"], summary["mean_reward"]) == (1.2, -2.4)


def test_metrics_are_means_over_the_episodes_that_have_them() -> None:
    late = replace(EPISODE, metrics={"time": 1.5, "never": float("nan")})
    without = replace(EPISODE, metrics={"time": float("nan"), "never": float("nan")})
    assert summarize_episodes([EPISODE, late, without])["metrics"] == {"time": 1.0, "never": None}


@pytest.mark.parametrize(
    ("name", "count", "drawn"),
    [
        ("ArmReach", 3, 3),
        ("Arm3dReach", 2, 2),
        ("ArmTrack", COLUMNS + 1, COLUMNS),
        ("LegGait", COLUMNS - 1, COLUMNS - 1),
        ("HandGrasp", 2, 2),
    ],
)
def test_pictures_of_every_kind_show_as_many_as_they_say(name: str, count: int, drawn: int, tmp_path: Path) -> None:
    env = make_vec(f"motorctl/{name}-v0", count, 1, time_limit=0.1)
    some = run_episodes(env, lambda info: np.zeros(env.action_space.shape, np.float32), seed=0)
    some = [replace(some[0], success=True), *(replace(episode, success=False) for episode in some[1:])]
    assert draw_episodes(some, env, "a title", tmp_path / "a.png") == drawn
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    above_legend = pixels[: -len(pixels) // 8]
    for colour in (REACHED, MISSED):
        wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        assert (np.abs(above_legend - wanted).max(-1) < 60).sum() > 40, colour
