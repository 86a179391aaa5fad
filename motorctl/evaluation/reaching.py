"""Reaching with a decoder: one cell of the grid is one pure function of its task, so that cells run in any process.

Chance is not assumed: the commands of the same run are dealt out anew among the people, so that each limb is moved as
somebody else's should have been. What is lost is that they answer what their own limb and target do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, pairwise, product
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from motorctl.envs import CenterOut, Reach, Track, VectorEnvironment, describe_env, expert, make_vec
from motorctl.envs.center_out import TARGETS
from motorctl.envs.track import BASE, LEAD_IN, MULTIPLES
from motorctl.errors import ConfigurationError
from motorctl.evaluation.closed_loop import ClosedLoop, Decide
from motorctl.evaluation.episodes import Episode, Recorder
from motorctl.evaluation.movement import Movement, integral, movement_figures
from motorctl.evaluation.pursuit import pursuit
from motorctl.evaluation.reaching_decoders import RATE, Decoder, decoder
from motorctl.evaluation.reaching_people import person_of, usual_user
from motorctl.evaluation.value_decoders import Controlled, step_cost
from motorctl.person.brain import make_brain
from motorctl.runs import plain
from motorctl.runtime.simulate import parse_options
from motorctl.threads import one_thread

Array = NDArray[np.float64]
Result = dict[str, Any]
Map = Callable[[Callable[["ReachingTask"], Result], Iterable["ReachingTask"]], Iterable[Result]]
"""``map`` or what does the same elsewhere: the results in the order of the tasks."""

EXPERT = "expert"
"""The controller that sees everything and needs no EEG."""
PEOPLE = 256
"""Most people at once; more episodes than that are several of each."""
PATHS = 32
"""So many hand paths are kept for pictures."""
SEEN = ("shown_position", "target_position", "hand_velocity", "activation")


@dataclass(frozen=True)
class ReachingTask:
    """A cell of the grid: plain values, so that it can be sent to another process or machine.

    Args:
        controller: ``expert``, the folder of a stored controller, or ``gru``, ``lstm``, ``ridge``, ``kalman``, learned
            from simulated people.
        env: of the tasks with a hand and a target.
        brain, user: by name; none for the expert.
        delay: that the technique adds to the user's own (s).
        options: of the environment as NAME=VALUE.
        episodes: how many; above 256, rounded up to as many for each of 256 people.
        seed: of the session; what a decoder learns from has the next.
    """

    controller: str
    env: str = "motorctl/ArmReach-v0"
    brain: str = ""
    user: str = ""
    delay: float = 0.0
    options: tuple[str, ...] = ()
    episodes: int = 256
    seed: int = 0


def plan(
    controllers: Iterable[str],
    brains: Sequence[str],
    users: Sequence[str],
    delays: Sequence[float],
    env: str,
    options: tuple[str, ...],
    episodes: int,
    seed: int,
) -> list[ReachingTask]:
    """Every cell: the expert first and once, then each controller with each brain, user and delay; without users, those
    who steer as the brain allows."""
    common = {"env": env, "options": options, "episodes": episodes, "seed": seed}
    people = [(brain, user) for brain in brains for user in users or (usual_user(brain),)]
    cells = product(people, delays, [name for name in controllers if name != EXPERT])
    tasks = [ReachingTask(name, brain=b, user=u, delay=d, **common) for (b, u), d, name in cells]  # type: ignore[arg-type]
    return [ReachingTask(EXPERT, **common), *tasks]  # type: ignore[arg-type]


def evaluate_reaching_task(task: ReachingTask) -> Result:
    """The episodes of a cell and what they were like, as JSON types; the same for the same task.

    ``people``, ``radius`` (m), ``targets`` to choose from (None without a choice), ``episodes``, ``movements``, and of
    pursuit ``pursuits``, each a list of figures with the number of the ``person``; ``shuffled``, those three for
    commands that are dealt out anew; ``cost`` of a step and ``losses`` of training; ``paths`` of the hand;
    ``seconds`` that it took.

    Raises:
        ConfigurationError: environment, controller, brain, user or an option cannot be used.
        CheckpointError: there is no controller in the folder.
        StreamError: the brain does not give the channels that the controller needs.
    """
    started = time.perf_counter()
    people = min(task.episodes, PEOPLE)
    each = -(-task.episodes // people)
    with one_thread():
        if task.controller == EXPERT:
            env = environment(task, people, RATE)
            run = record(env, expert_steps(env, task.seed), each)
            told = figures_of(run.episodes, env, each)
        else:
            loop, stored = seat(task, people)
            env, decide = loop.env, stored.decide
            run = record(env, decoded_steps(loop, decide, task.seed), each)
            again = record(env, dealt_steps(env, run.commands, task.seed), each)
            told = figures_of(run.episodes, env, each) | {"shuffled": figures_of(again.episodes, env, each)}
            row = np.zeros((1, len(stored.pipeline.names)), np.float32)
            told |= {"cost": step_cost(Controlled(stored.controller), row), "losses": stored.losses}
    paths = [
        {"hand": m.hand.round(4).tolist(), "target": m.target.tolist(), "reached": m.reached}
        for episode in run.episodes[:PATHS]
        for m in movements_of(episode, env, 0)
    ]
    result: Result = plain(
        asdict(task)
        | {"people": people, "radius": task_of(env).target_radius, "targets": choices(task_of(env))}
        | told
        | {"paths": paths, "seconds": time.perf_counter() - started}
    )
    return result


def seat(task: ReachingTask, people: int) -> tuple[ClosedLoop, Decoder]:
    """So many people in the loop of a task, and the decoder that stands between them and their limbs."""
    learned = decoder(task.controller, task.env, task.brain, task.user, task.delay, task.seed + 1)
    pipeline = learned.pipeline
    env = environment(task, people, pipeline.config.rate)
    person = person_of(task.user, env.control_rate, task.delay)
    brain = make_brain(task.brain, tuple(c.label for c in pipeline.info.channels), pipeline.info.rate)
    return ClosedLoop(env, person.user, brain, pipeline, person.way.imagine), learned


def environment(task: ReachingTask, people: int, rate: float) -> VectorEnvironment:
    """The task's, for so many people, who command the hand's velocity.

    Raises:
        ConfigurationError: it has no hand that is moved to a target in a plane.
    """
    described = describe_env(task.env)
    options = parse_options(task.options, described)
    for name in ("control_rate", "command"):
        if name in options:
            raise ConfigurationError(f"{name} is the controller's.", f"Leave out --options {name}=....")
    if "velocity" in described["actions"]:
        env = make_vec(task.env, people, 1, command="velocity", control_rate=rate, **options)
        if isinstance(env.task, Reach) and env.limb.command.size == 2:
            return env
    raise ConfigurationError(
        f"{task.env} has no hand that velocities move in a plane.", "Choose one of the arm's, such as ArmReach."
    )


def task_of(env: VectorEnvironment) -> Reach:
    """The task, which has a target."""
    assert isinstance(env.task, Reach)
    return env.task


def choices(task: Reach) -> float | None:
    """How many targets there are to choose from: those of center-out; as many as cover the area that they are drawn
    from; none of pursuit."""
    if isinstance(task, Track):
        return None
    return TARGETS if isinstance(task, CenterOut) else (task.radius / task.target_radius) ** 2


class Stepped(NamedTuple):
    """What a step of all environments gave, and the commands ``(environment, size)`` that led to it (m/s)."""

    reward: Array
    done: NDArray[np.bool_]
    info: dict[str, Any]
    command: Array


def expert_steps(env: VectorEnvironment, seed: int) -> Iterator[Stepped]:
    """The expert's episodes, the start first, without end."""
    _, info = env.reset(seed=seed)
    yield _start(env, info)
    policy, unit = expert(env), env.to_action(np.ones((env.num_envs, 2)))
    while True:
        action = policy(info)
        _, reward, terminated, truncated, info = env.step(action)
        yield Stepped(reward, terminated | truncated, info, np.asarray(action / unit, float))


def decoded_steps(loop: ClosedLoop, decide: Decide, seed: int) -> Iterator[Stepped]:
    """The same of people with a decoder."""
    moment, state = loop.reset(seed), None
    yield _start(loop.env, moment.info)
    while True:
        with torch.no_grad():
            decided, state = decide(moment.features, state)
        commands = np.asarray(decided, float)
        moment = loop.step(commands)
        yield Stepped(moment.reward, moment.done, moment.info, commands)


def dealt_steps(env: VectorEnvironment, commands: Array, seed: int) -> Iterator[Stepped]:
    """The same with everybody's ``commands (step, environment, size)`` given to the next one; after the last step's
    come the first's."""
    _, info = env.reset(seed=seed)
    yield _start(env, info)
    for dealt in cycle(np.roll(commands, 1, axis=1)):
        _, reward, terminated, truncated, info = env.step(env.to_action(dealt))
        yield Stepped(reward, terminated | truncated, info, dealt)


def _start(env: VectorEnvironment, info: dict[str, Any]) -> Stepped:
    nothing = np.zeros(env.num_envs)
    return Stepped(nothing, nothing.astype(bool), info, np.full((env.num_envs, env.limb.command.size), np.nan))


class Run(NamedTuple):
    """Episodes, environment by environment, and all commands ``(step, environment, size)``."""

    episodes: list[Episode]
    commands: Array


def record(env: VectorEnvironment, steps: Iterator[Stepped], each: int) -> Run:
    """The first ``each`` episodes of every environment, traced."""
    torque, speed = (env.physics.bind(name) for name in ("qfrc_actuator", "qvel"))

    def traces(stepped: Stepped) -> dict[str, Array]:
        power = np.abs(torque * speed).sum(axis=-1)
        return {name: stepped.info[name] for name in SEEN} | {"command": stepped.command, "power": power}

    recorder = Recorder(env, env.num_envs, each, traces(next(steps)))
    commands = []
    while not recorder.complete:
        stepped = next(steps)
        recorder.add(stepped.reward, stepped.done, stepped.info, traces(stepped))
        commands.append(stepped.command)
    return Run(recorder.episodes, np.array(commands))


def figures_of(episodes: Sequence[Episode], env: VectorEnvironment, each: int) -> Result:
    """``episodes``, ``movements`` and, of pursuit, ``pursuits``, each a list of figures with their person's number."""
    follows = isinstance(env.task, Track)
    told: Result = {"episodes": [], "movements": [], "pursuits": []}
    for number, episode in enumerate(episodes):
        person = number // each
        told["episodes"].append(
            {"person": person, "success": float(episode.success), "seconds": episode.seconds, "reason": episode.reason}
        )
        if follows:
            told["pursuits"].append({"person": person, **pursuit_figures(episode, env)})
        else:
            told["movements"] += [{"person": person} | movement_figures(m) for m in movements_of(episode, env, person)]
    return told


def movements_of(episode: Episode, env: VectorEnvironment, person: int) -> list[Movement]:
    """The movements of an episode, one a target; none to a target that the hand was in when it was shown. All but the
    last arrived, as the next target was shown."""
    radius, traces = task_of(env).target_radius, episode.traces
    target, hand = traces["target_position"], traces["shown_position"]
    changes = np.flatnonzero((np.diff(target, axis=0) != 0).any(axis=1)) + 1
    found = []
    for first, last in pairwise([0, *changes.tolist(), len(hand) - 1]):
        if last > first and np.linalg.norm(hand[first] - target[first]) > radius:
            rows = slice(first, last + 1)
            found.append(
                Movement(
                    times=np.arange(last - first + 1) / env.control_rate,
                    hand=hand[rows],
                    velocity=traces["hand_velocity"][rows],
                    target=target[first],
                    radius=radius,
                    reached=episode.success or last < len(hand) - 1,
                    command=traces["command"][rows],
                    activation=traces["activation"][rows],
                    power=traces["power"][rows],
                    person=person,
                )
            )
    return found


def pursuit_figures(episode: Episode, env: VectorEnvironment) -> Result:
    """Of an episode of tracking, the time that it takes to get to the target aside."""
    traces, first = episode.traces, round(LEAD_IN * env.control_rate) + 1
    times = np.arange(len(traces["power"])) / env.control_rate
    told = pursuit(
        times[first:],
        traces["shown_position"][first:],
        traces["target_position"][first:],
        BASE * MULTIPLES,
        task_of(env).target_radius,
    )
    return {
        **{name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in told._asdict().items()},
        "command_effort": integral(np.square(traces["command"]).sum(axis=1), times),
        "muscle_effort": integral(np.square(traces["activation"]).sum(axis=1), times),
        "work": integral(traces["power"], times),
    }
