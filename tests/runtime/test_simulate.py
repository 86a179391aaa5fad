"""``motorctl simulate``: what it writes, and what it says when it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import imageio_ffmpeg  # type: ignore[import-untyped]
import pytest
import torch
from rich.console import Console

from motorctl.agents import ControllerConfig, RecurrentController
from motorctl.cli import main
from motorctl.envs import describe_env, make_vec
from motorctl.errors import ConfigurationError
from motorctl.runtime import simulate
from motorctl.runtime.simulate import Simulate, parse_options, run_all
from motorctl.training.policy import StoredPolicy, save_policy

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """``run("--episodes 3")`` gives the summary that was written."""

    def command(words: str, video: int = 0) -> dict[str, Any]:
        out = tmp_path / "run"
        assert main(["simulate", *words.split(), "--video-episodes", str(video), "--out", str(out)]) == 0
        summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
        return summary

    return command


def test_the_expert_is_counted_and_drawn(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = run(f"--episodes 3 --json {tmp_path / 'a.json'}")
    assert (summary["env"], summary["command"], summary["episodes"]) == ("motorctl/ArmReach-v0", "muscles", 3)
    assert summary["success_rate"] == 1 and len(summary["per_episode"]) == 3
    assert summary == json.loads((tmp_path / "a.json").read_text())
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"config.json", "summary.json", "episodes.png"}
    assert "100 % of 3 episodes" in capsys.readouterr().out


def test_options_reach_the_environment(run: Run) -> None:
    summary = run("--episodes 2 --command velocity --options time_limit=0.06 target_radius=0.001 --controller random")
    assert summary["command"] == "velocity" and summary["reasons"] == {"time limit": 2}
    assert summary["mean_seconds"] == pytest.approx(0.06)


@pytest.mark.parametrize("controller", ["expert", "random"])
def test_episodes_have_their_own_seeds_however_many_run_at_once(controller: Literal["expert", "random"]) -> None:
    def rewards(at_once: int, config: Simulate) -> list[float]:
        env = make_vec(config.env, at_once, 1, time_limit=0.2)
        return [episode.reward for episode in run_all(env, config, Console(quiet=True))]

    five = rewards(5, Simulate(controller=controller, episodes=5))
    assert len(set(five)) == 5
    assert rewards(2, Simulate(controller=controller, episodes=5)) == pytest.approx(five, rel=1e-9)
    assert rewards(3, Simulate(controller=controller, episodes=3, seed=2)) == pytest.approx(five[2:], rel=1e-9)


def test_of_many_episodes_the_picture_says_how_many_it_shows(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(simulate, "BATCH", 60)
    summary = run("--episodes 105 --options time_limit=0.04")
    assert len(summary["per_episode"]) == 105
    assert "(the first 100 episodes)" in capsys.readouterr().out


def test_the_video_is_as_long_as_its_episodes(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("--controller random --options time_limit=0.08 --episodes 2", video=5)
    if "No video" in capsys.readouterr().out:
        pytest.skip("there is no OpenGL")
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "run" / "episodes.mp4"))
    assert frames == 4 and seconds == pytest.approx(0.16, abs=0.01)  # two of four steps, every other one


def test_without_opengl_the_rest_is_there(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mujoco.rendering.classic import renderer

    def broken(*_args: object, **_kwargs: object) -> None:
        raise AttributeError("no display\nat all")

    monkeypatch.setattr(renderer, "Renderer", broken)
    assert run("--episodes 1", video=1)["episodes"] == 1
    said = [line for line in capsys.readouterr().out.splitlines() if "No video" in line]
    assert len(said) == 1 and "MUJOCO_GL=egl" in said[0]
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"config.json", "summary.json", "episodes.png"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--env ArmReach", "There is no environment 'ArmReach' here. Choose one of"),
        ("--command thought", "'thought'. Use one of 'muscles', 'velocity', 'torque'."),
        ("--episodes 0", "episodes is 0"),
        ("--episodes -4", "episodes is -4"),
        ("--seed -1", "seed is -1"),
        ("--video-episodes -1", "video_episodes is -1"),
        ("--options dwell", "NAME=VALUE"),
        ("--options hold=1", "motorctl/ArmReach-v0 has control_rate"),
        ("--options dwell=-1", "dwell is -1"),
        ("--options control_rate=60", "control_rate"),
        ("--json nowhere/a.json", "no folder nowhere"),
        ("--out full", "full holds files that are not of a run"),
        ("--controller nobody", "There is no policy.json in nobody"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_run_or_written(
    words: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    assert main(["simulate", *words.split()]) == 1
    output = capsys.readouterr()
    assert said in output.err and output.err.count("\n") == 1 and output.out == ""
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "thesis.txt"]


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """The folder of an untrained policy of the arm, which sees 40 ms late."""
    torch.manual_seed(0)
    controller = RecurrentController(ControllerConfig(widths=(4,)), 16, 6).eval()
    options = {"command": "muscles", "control_rate": 50.0, "delay": 0.04, "noise": 0.0}
    folder = tmp_path / "policy"
    folder.mkdir()
    save_policy(StoredPolicy(controller, torch.zeros(16), torch.ones(16), "motorctl/ArmReach-v0", options), folder)
    return folder


@pytest.mark.parametrize("more", ["", " --env motorctl/ArmCenterOut-v0", " --options delay=0 --command muscles"])
def test_a_stored_policy_acts(run: Run, policy: Path, more: str) -> None:
    summary = run(f"--controller {policy} --episodes 3 --options time_limit=0.1{more}".replace("0.1 --options", "0.1"))
    assert summary["reasons"] == {"time limit": 3} and summary["command"] == "muscles"


def test_a_policy_sees_what_it_was_trained_to_see(run: Run, policy: Path) -> None:
    """The delay is its own unless another is given."""
    own, late, soon = (
        run(f"--controller {policy} --episodes 2 --options time_limit=0.3{more}")["mean_reward"]
        for more in ("", " delay=0.04", " delay=0")
    )
    assert own == late != soon


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--command torque", "trained with command muscles"),
        ("--options control_rate=125", "trained with control_rate 50"),
        ("--env motorctl/Arm3dReach-v0 --command torque", "trained with command muscles"),
        ("--env motorctl/LegGait-v0", "observes or commands something else"),
    ],
)
def test_a_policy_that_does_not_fit_is_refused(
    words: str, said: str, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", "--controller", str(policy), *words.split(), "--out", str(tmp_path / "run")]) == 1
    assert said in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_options_have_the_types_of_their_defaults() -> None:
    gait, field = describe_env("motorctl/LegGait-v0"), describe_env("motorctl/ArmForceField-v0")
    assert parse_options(["movements=walk,run", "hold=2"], gait) == {"movements": ("walk", "run"), "hold": 2.0}
    assert parse_options(["block_trials=0"], field) == {"block_trials": 0}
    for texts in (["block_trials=0.5"], ["delay=0", "delay=0"], ["delay=fast"], ["command=torque"], ["=1"]):
        with pytest.raises(ConfigurationError):
            parse_options(texts, field)
