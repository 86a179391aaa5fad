import functools

import numpy as np
import pytest

from motorctl.envs import Environment, RenderingError, rendering

ArmReach = functools.partial(Environment, "ArmReach")


@pytest.fixture
def env():
    env = ArmReach(render_mode="rgb_array")
    env.reset(seed=0, options={"target": (0.1, 0.5)})
    try:
        env.render()
    except RenderingError as error:
        pytest.skip(str(error))
    yield env
    env.close()


def close_to(picture, colour, within):
    return (np.abs(picture.astype(int) - colour).max(-1) < within).sum()


def test_picture_shows_the_target_and_follows_it(env):
    green = [40, 190, 120]
    first = env.render()
    assert first.shape == (640, 640, 3) and first.dtype == np.uint8
    assert close_to(first, green, 60) > 100
    env.reset(options={"target": (-0.1, 0.4)})
    second = env.render()
    assert (first != second).any()


def test_muscles_redden_with_activation(env):
    def redness():
        picture = env.render().astype(int)
        return ((picture[..., 0] > 150) & (picture[..., 1:].max(-1) < 90)).sum()

    idle = redness()
    for _ in range(3):
        env.step(np.ones(6))
    assert redness() > idle + 200


def test_the_path_of_the_hand_is_drawn(env):
    for _ in range(15):
        env.step(env.to_action([0, 0, 0.3, 0, 0.3, 0]))
    with_path = env.render().astype(int)
    env.reset(options={"keep_limb": True, "target": (0.1, 0.5)})
    changed = with_path - env.render()
    assert (changed[..., 0] - changed[..., 2] < -40).sum() > 50  # bluer where it was


def test_without_opengl_the_error_names_the_cure(monkeypatch):
    from mujoco.rendering.classic import renderer

    def broken(*_args, **_kwargs):
        raise AttributeError("'NoneType' object has no attribute 'eglQueryString'")

    monkeypatch.setattr(renderer, "Renderer", broken)
    env = ArmReach(render_mode="rgb_array")
    env.reset(seed=0)
    with pytest.raises(RenderingError, match="MUJOCO_GL=egl") as caught:
        env.render()
    assert "\n" not in str(caught.value)


def test_without_a_screen_the_window_names_the_cure(monkeypatch):
    monkeypatch.setattr(rendering, "_headless", lambda: True)
    env = ArmReach(render_mode="human")
    with pytest.raises(RenderingError, match="rgb_array"):
        env.reset(seed=0)


def test_nothing_is_drawn_without_a_render_mode():
    env = ArmReach()
    env.reset(seed=0)
    assert env.render() is None


def test_a_hand_that_is_shown_elsewhere_is_drawn_there():
    env = Environment("ArmRotation", "velocity", render_mode="rgb_array", block_trials=0, angle=90.0)
    env.reset(seed=0)
    try:
        before = env.render()
    except RenderingError as error:
        pytest.skip(str(error))
    assert close_to(before, [225, 95, 40], 45) > 30
    env.close()
