"""Sessions in the closed loop in which a decoder changes: people use what was fitted to them.

People, their caps and their electrodes go on from one part of a session to the next, as they do in the laboratory, so
what was fitted to the first minutes is tried on the minutes that follow and on nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motorctl.agents import Stepper
from motorctl.evaluation.closed_loop import ClosedLoop, Decide, Moment, one_row
from motorctl.evaluation.episodes import Episode, Recorder
from motorctl.signals.scaling import SCALED_LIMIT
from motorctl.threads import one_thread
from motorctl.training.adaptation import AdaptationConfig, fine_tune
from motorctl.training.checkpoint import Checkpoint
from motorctl.training.dagger import Met, act
from motorctl.training.decoder_adaptation import Rule, commands, readouts, units


def adapt_people(
    checkpoints: list[Checkpoint],
    loop: ClosedLoop,
    minutes: float,
    config: AdaptationConfig,
    seed: int,
    gain: float = 1.0,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[list[Checkpoint], Moment]:
    """A session begins, everybody uses a controller for so many minutes, and it is fitted to each of them: DAgger on
    the very person, who goes on with the result.

    Args:
        checkpoints: what is used and fitted, each by an equal share of the people, in order; they stay as they are.
        loop: with :func:`unfitted` of the checkpoints' pipelines.
        minutes: of use (min).
        config: what is trained, and how.
        seed: of the session, and of training.
        gain: what the commands are multiplied by as they are used.
        progress: told how many people have been adapted to.

    Returns:
        A controller each, and where the loop is; :func:`go_on` from there.
    """
    sequences = act(loop, in_groups(checkpoints), 60 * minutes, seed, gain)
    share, adapted = len(sequences) // len(checkpoints), []
    for done, sequence in enumerate(sequences):
        adapted.append(fine_tune(checkpoints[done // share], [sequence], None, config, seed))
        progress(done + 1)
    return adapted, stand_still(loop)


def stand_still(loop: ClosedLoop) -> Moment:
    """One control step without a command: where the loop is after people have watched."""
    return loop.step(np.zeros((loop.env.num_envs, loop.env.limb.command.size)))


def one_each(checkpoints: list[Checkpoint]) -> Decide:
    """Each person's own controller, from features without scaling to commands; as live, a step at a time in numpy."""
    steppers = [Stepper(checkpoint.controller) for checkpoint in checkpoints]

    def decide(features: Tensor, state: Any) -> tuple[Tensor, Any]:
        rows = own_scaling(checkpoints, features)
        before = [stepper.initial_state() for stepper in steppers] if state is None else state
        stepped = [s.step(row, own) for s, row, own in zip(steppers, rows.numpy(), before, strict=True)]
        return torch.from_numpy(np.stack([command for command, _ in stepped])), [own for _, own in stepped]

    return decide


def in_groups(checkpoints: list[Checkpoint]) -> Decide:
    """Each controller for an equal share of the people, in order, from features without scaling to commands."""
    deciders = [one_row(checkpoint.controller) for checkpoint in checkpoints]

    def decide(features: Tensor, state: Any) -> tuple[Tensor, Any]:
        groups = own_scaling(checkpoints, features).chunk(len(deciders))
        before = [None] * len(deciders) if state is None else state
        decided = [d(rows, own) for d, rows, own in zip(deciders, groups, before, strict=True)]
        return torch.cat([commands for commands, _ in decided]), [own for _, own in decided]

    return decide


def own_scaling(checkpoints: list[Checkpoint], features: Tensor) -> Tensor:
    """``features (person, feature)`` scaled by the pipelines of ``checkpoints``, each for an equal share of people."""
    share = len(features) // len(checkpoints)
    offset, size = (
        torch.from_numpy(np.stack([getattr(c.pipeline, name) for c in checkpoints]).astype(np.float32))
        for name in ("mean", "std")
    )
    offset, size = offset.repeat_interleave(share, dim=0), size.repeat_interleave(share, dim=0)
    return ((features - offset) / size).clamp(-SCALED_LIMIT, SCALED_LIMIT)


@torch.inference_mode()
def go_on(loop: ClosedLoop, moment: Moment, decide: Decide, episodes_each: int) -> tuple[list[Episode], Moment]:
    """The next episodes of every person under a controller; the ones that are under way are finished and do not count.

    Returns:
        The episodes, person by person, and where the loop is then.
    """
    recorder, state = Recorder(loop.env, loop.env.num_envs, episodes_each + 1, {}), None
    with one_thread():
        while not recorder.complete:
            command, state = decide(moment.features, state)
            moment = loop.step(command)
            recorder.add(moment.reward, moment.done, moment.info, {})
    counted = [e for i, e in enumerate(recorder.episodes) if i % (episodes_each + 1)]
    return counted, moment


@torch.inference_mode()
def use_and_adapt(
    checkpoints: list[Checkpoint],
    loop: ClosedLoop,
    rule: Rule[Any] | None,
    minutes: float,
    seed: int,
    gain: float = 1.0,
    others: bool = False,
) -> tuple[list[list[tuple[float, Episode]]], Tensor]:
    """A session in which everybody uses a controller whose read-out follows them, each person's on its own.

    What is intended is taken to be the expert's command at the hand and target that the person saw; in the target it is
    none. :func:`~motorctl.training.refit.intended_velocity` keeps the decoded speed; here the speed is the expert's,
    because a read-out that is regressed on its own speed slows down from update to update.

    Args:
        checkpoints: what everybody begins with, each an equal share of the people, in order.
        loop: with :func:`unfitted` of their pipelines.
        rule: how read-outs follow, None for not at all.
        minutes: for how long (min).
        seed: of the session.
        gain: what commands are multiplied by.
        others: everybody has the EEG of the next person, which tells nothing of their own target: chance.

    Returns:
        Of each person when each episode ended (s), and the episode; and the read-outs ``(person, command,
        width + 1)``.
    """
    people, rate, met = loop.env.num_envs, loop.env.control_rate, Met(loop, loop.reset(seed))
    controllers, share = [c.controller.eval() for c in checkpoints], people // len(checkpoints)
    radius = getattr(loop.env.task, "target_radius", 0.0)
    readout = torch.cat([readouts(controller, share) for controller in controllers]).double()
    states = [controller.initial_state(share) for controller in controllers]
    adapted = None if rule is None else rule.start(readout, rate)
    steps = round(60 * minutes * rate)
    recorder = Recorder(loop.env, people, steps, {})
    ended: list[list[tuple[float, Episode]]] = [[] for _ in range(people)]
    for step in range(1, steps + 1):
        features = met.moment.features.roll(1, 0) if others else met.moment.features
        rows = own_scaling(checkpoints, features).chunk(len(controllers))
        hidden, states = map(list, zip(*map(units, controllers, rows, states), strict=True))
        every = torch.cat(hidden)
        hand, target = met.seen
        inside = np.linalg.norm(target - hand, axis=1, keepdims=True) <= radius
        if rule is not None:
            wanted = torch.from_numpy(np.where(inside, 0.0, met.wanted()))
            adapted = rule.update(every, wanted, torch.from_numpy(met.moment.done), adapted)
            readout = adapted.readout
        met.go_on((gain * commands(readout, every)).numpy())
        recorder.add(met.moment.reward, met.moment.done, met.moment.info, {})
        for person in np.flatnonzero(met.moment.done).tolist():
            ended[person].append((step / rate, recorder.newest(person)))
    return ended, readout
