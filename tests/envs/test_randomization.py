import numpy as np
import pytest

from motorctl.envs import Environment, make_vec

RANGES = {"body_mass": (0.5, 2.0), "strength": (0.5, 1.0)}


@pytest.mark.parametrize("command", ["muscles", "torque"])
def test_every_episode_of_every_environment_is_drawn_anew_within_the_range(command):
    vector = make_vec("motorctl/ArmReach-v0", 50, 1, command=command, randomize=RANGES)
    first, second = vector.reset(seed=0)[1], vector.reset()[1]
    for name, (low, high) in RANGES.items():
        scales = np.concatenate([info[f"scale_{name}"] for info in (first, second)])
        assert len(np.unique(scales)) == 100
        assert low <= scales.min() < low + 0.1 * (high - low) and high - 0.1 * (high - low) < scales.max() <= high


def test_the_models_are_scaled_as_said():
    env = Environment("ArmReach", randomize=RANGES)
    nominal = Environment("ArmReach").limb.model
    for seed in range(3):  # scales do not pile up
        _, info = env.reset(seed=seed)
        mass, strength = info["scale_body_mass"], info["scale_strength"]
        model = env.limb.model
        assert model.body_mass == pytest.approx(nominal.body_mass * mass)
        assert model.body_inertia == pytest.approx(nominal.body_inertia * mass)
        assert model.body_subtreemass == pytest.approx(nominal.body_subtreemass * mass)  # a constant derived from it
        assert model.actuator_gainprm[:, 2] == pytest.approx(nominal.actuator_gainprm[:, 2] * strength)
        assert model.actuator_gainprm[:, [0, 1, 3, 4, 5, 6, 7, 8]] == pytest.approx(
            nominal.actuator_gainprm[:, [0, 1, 3, 4, 5, 6, 7, 8]]
        )


def moved(**ranges):
    """How far the hand gets in 0.1 s of full excitation of the flexors."""
    env = Environment("ArmReach", randomize={name: (scale, scale) for name, scale in ranges.items()})
    env.reset(seed=0)
    for _ in range(5):
        *_, info = env.step([1, -1, 1, -1, 1, -1])
    return np.linalg.norm(info["hand_position"] - env.rest_position)


def test_heavier_limbs_move_less_and_stronger_ones_more():
    assert 1.1 * moved(body_mass=2.0) < moved(body_mass=1.0) < moved(strength=1.5) / 1.1
    # twice the mass with twice the strength moves as before, but for the damping of the joints
    assert moved(body_mass=2.0, strength=2.0) == pytest.approx(moved(body_mass=1.0), rel=0.1)


def test_keep_limb_keeps_the_limb_as_it_was_drawn():
    env = Environment("ArmReach", randomize=RANGES)
    _, first = env.reset(seed=0)
    _, kept = env.reset(options={"keep_limb": True})
    assert kept["scale_body_mass"] == first["scale_body_mass"]
