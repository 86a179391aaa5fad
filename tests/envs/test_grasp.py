"""The grasping task by itself, and in the hand."""

import numpy as np
import pytest

from motorctl.envs import RenderingError, expert, make_env, make_vec
from motorctl.envs.grasp import GRASP, HOLD, PLACE, RADII, RELEASE, grasp
from motorctl.envs.hand import hand

ID = "motorctl/HandGrasp-v0"
PERIOD = 0.02
TASK = grasp(hand("tendons", PERIOD), PERIOD, hold=0.1, dwell=0.04)


def senses(height, touch, axis=1.0):
    """Of objects at heights (...), touched by as many digits."""
    height, touch, axis = np.broadcast_arrays(height, touch, axis)
    zero = np.zeros(height.shape)
    return {
        "object_position": np.stack([zero, zero, height], axis=-1),
        "object_axis": np.stack([zero, zero, axis], axis=-1),
        "touch": (np.arange(5) < touch[..., None]).astype(float),
    }


def start():
    state = TASK.start(np.random.default_rng(0), {}, None, {})
    return {**state, "hold": 3, "time": 0.0}


def play(*steps):
    """States after steps of (height, touch) or (height, touch, axis)."""
    state, states = start(), []
    for i, step in enumerate(steps):
        state = TASK.advance({**state, "time": PERIOD * (i + 1)}, senses(*step))
        states.append(state)
    return states


GRASPED, HELD, STANDING = (0.0, 5), (0.05, 5), (0.001, 0)


def test_phases_follow_each_other_to_success():
    states = play(GRASPED, HELD, HELD, HELD, HELD, HELD, GRASPED, STANDING, STANDING)
    assert [s["phase"] for s in states] == [GRASP, HOLD, HOLD, HOLD, RELEASE, RELEASE, RELEASE, RELEASE, RELEASE]
    assert [int(TASK.end(s)) for s in states] == [0] * 8 + [1]
    assert TASK.success(states[-1]) and not TASK.success(states[-2])
    cues = [int(TASK.info(s, senses(0, 0))["cue"]) for s in states]
    assert cues == [1] * 4 + [0] * 5
    metrics = TASK.metrics(states[-1])
    assert metrics["time_to_lift"] == pytest.approx(0.04) and metrics["time_held"] == pytest.approx(0.06)
    assert metrics["time_to_release"] == pytest.approx(0.08)
    assert np.isnan(TASK.metrics(states[-2])["time_to_release"])


@pytest.mark.parametrize(
    "end",
    [
        pytest.param((HELD, HELD, STANDING), id="let go before the cue"),
        pytest.param((HELD, HELD, (0.0, 5)), id="put down before the cue"),
        pytest.param((GRASPED, (0.0, 0, 0.6)), id="toppled while grasping"),
        pytest.param((HELD, HELD, HELD, HELD, (0.0, 0, 0.6)), id="toppled after the cue"),
    ],
)
def test_dropped(end):
    *before, last = play(*end)
    assert all(TASK.end(state) == 0 for state in before) and TASK.end(last) == 2
    assert TASK.reasons[1] == "dropped" and not TASK.success(last)
    assert TASK.reward(last, senses(0, 0), 0.0)["dropped"] == -300  # six seconds


def test_release_needs_the_object_to_stand_alone():
    lifted = (HELD, HELD, HELD, HELD)
    for last in ((0.0, 1), (0.03, 0), (0.0, 0, 0.9)):  # touched, in the air, leaning
        assert all(state["released"] == 0 for state in play(*lifted, last, last, last)[4:])
    assert play(*lifted, STANDING, (0.0, 1), STANDING)[-1]["released"] == 1  # without a break


def test_lifting_without_touch_does_not_count():
    assert play((0.05, 0))[-1]["phase"] == GRASP


def test_many_do_what_each_does():
    steps = [(GRASPED, GRASPED, GRASPED), (HELD, GRASPED, HELD), (HELD, HELD, STANDING), (HELD, HELD, STANDING)]
    each = [play(*(row[i] for row in steps))[-1] for i in range(3)]
    many = {name: np.stack([np.asarray(value)] * 3) for name, value in start().items()}
    for i, row in enumerate(steps):
        now = senses(*np.array(row).T)
        many = TASK.advance({**many, "time": np.full(3, PERIOD * (i + 1))}, now)
    for name in many:
        assert many[name] == pytest.approx(np.stack([np.asarray(one[name]) for one in each]), nan_ok=True)
    last = [senses(*cell) for cell in steps[-1]]
    rewards = TASK.reward(many, now, np.zeros(3))
    for name, values in rewards.items():
        assert values == pytest.approx([TASK.reward(one, s, 0.0)[name] for one, s in zip(each, last, strict=True)])
    assert TASK.end(many).tolist() == [0, 0, 2]


def test_every_term_is_a_cost_and_a_lifted_object_costs_nothing():
    before, held, after = play(GRASPED)[-1], play(HELD)[-1], play(HELD, HELD, HELD, HELD)[-1]
    assert TASK.reward(before, senses(0.0, 5), 0.0)["lift"] == pytest.approx(-0.9)
    assert TASK.reward(held, senses(0.05, 5), 0.0)["lift"] == pytest.approx(0)
    assert TASK.reward(after, senses(0.0, 5), 0.0) == pytest.approx(
        {"lift": 0, "release": -1, "dropped": 0, "effort": 0}
    )
    assert TASK.reward(after, senses(0.0, 0), 1.0) == pytest.approx(
        {"lift": 0, "release": 0, "dropped": 0, "effort": -0.1}
    )


def test_objects_and_holds_are_drawn_where_documented():
    states = [TASK.start(np.random.default_rng(seed), {}, None, {}) for seed in range(300)]
    offset = np.array([state["object"][:2] for state in states]) - TASK.limb.at_rest["object_position"][:2]
    radius = np.array([state["radius"] for state in states])
    hold = np.array([state["hold"] for state in states])
    assert (np.abs(offset) <= PLACE).all() and (np.abs(offset).max(0) > 0.9 * PLACE).all()
    assert RADII[0] <= radius.min() < 0.026 and 0.034 < radius.max() <= RADII[1]
    assert set(hold.tolist()) == set(range(3, 8))


def test_the_object_is_where_and_as_large_as_drawn():
    env = make_env(ID).unwrapped
    sizes = []
    for seed in range(4):
        observation, info = env.reset(seed=seed)
        state = env.task.start(np.random.default_rng(0), {}, None, {})
        where = observation[env.observed["object_position"]]
        assert where == pytest.approx(info["object_position"], abs=1e-6)
        assert (np.abs(where[:2] - env.limb.at_rest["object_position"][:2]) <= PLACE).all()
        sizes.append(float(env.limb.model.geom("object").size[0]))
        assert info["object_position"][2] == pytest.approx(state["object"][2])
        assert (info["touch"] == 0).all() and info["cue"] == 1
    assert len(set(sizes)) == 4 and min(sizes) > RADII[0] and max(sizes) < RADII[1]


@pytest.mark.parametrize("command", ["tendons", "class"])
def test_the_expert_succeeds_in_17_of_20_episodes(command):
    envs = make_vec(ID, 20, 1, command=command)
    policy, success = expert(envs), np.zeros(20, bool)
    _, info = envs.reset(seed=0)
    for _ in range(230):
        _, _, _, _, info = envs.step(policy(info))
        success |= info["success"]
        if success.all():
            break
    assert success.mean() >= 0.85


def run(action_of, command="class", **options):
    env = make_env(ID, command=command, **options)
    _, info = env.reset(seed=3)
    while not info["reason"]:
        *_, info = env.step(action_of(info))
    return info


def test_doing_nothing_never_lifts():
    info = run(lambda info: [0, 0], time_limit=1.0)
    assert info["reason"] == "time limit" and info["phase"] == GRASP and np.isnan(info["metrics"]["time_to_lift"])


def test_holding_on_after_the_cue_is_no_success():
    info = run(lambda info: [-1, 1], time_limit=4.0)
    assert info["reason"] == "time limit" and info["phase"] == RELEASE and not info["success"]
    assert info["object_position"][2] > 0.04 and (info["touch"] > 0).sum() >= 3  # still held, against gravity


def test_opening_before_the_cue_drops_it():
    info = run(lambda info: [1, -1] if info["phase"] == HOLD else [-1, 1], hold=4.0)
    assert info["reason"] == "dropped" and info["metrics"]["time_held"] < 1.0


def test_the_picture_shows_object_and_cue():
    env = make_env(ID, command="class", render_mode="rgb_array")
    env.reset(seed=0)
    try:
        picture = env.render().astype(int)
    except RenderingError as error:
        pytest.skip(str(error))
    env.close()
    red, green, blue = np.moveaxis(picture, -1, 0)
    assert ((green - np.maximum(red, blue)) > 40).sum() > 300  # the disc
    assert ((red - blue > 90) & (red > green + 30)).sum() > 3000  # the object
