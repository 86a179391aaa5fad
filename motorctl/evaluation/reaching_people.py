"""Who reaches with a decoder: simulated users by name, and the brains that they give EEG off with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from motorctl.errors import ConfigurationError
from motorctl.person.attention import Attention
from motorctl.person.user import User
from motorctl.training.steering import IMAGINING, REACHING, Way, way_to_steer


@dataclass(frozen=True)
class Person:
    """How somebody steers.

    Args:
        user: sees and intends; its rate is replaced by the control rate.
        way: what is intended or imagined, and what a decoder that learns from it is made of.
    """

    user: User
    way: Way = REACHING


USERS = {
    "reaching": Person(User(50.0)),
    "imagery": Person(User(50.0), IMAGINING),
    "learning": Person(User(50.0, learning=0.5)),
    "distracted": Person(User(50.0, noise=0.01, reaction=0.15, attention=Attention(lapses_per_minute=6.0))),
}
"""``reaching``: intends to move the hand. ``imagery``: imagines movements instead, which change the rhythms for as long
as they last. ``learning``: reaches, and forms an internal model of the decoder on the way. ``distracted``: sees to a
centimetre, takes 0.15 s longer to notice a target, and six times a minute does not attend for 1.5 s."""


def usual_user(brain: str) -> str:
    """Who steers as the brain allows: by reaching with ``ideal``, by imagery with the others, as reaching shows too
    briefly there (:func:`~motorctl.training.steering.way_to_steer`)."""
    return "imagery" if way_to_steer(brain) is IMAGINING else "reaching"


def person_of(name: str, rate: float, delay: float) -> Person:
    """A user by name at a control rate (Hz), every answer ``delay`` (s) later, to whole control steps.

    A delay anywhere in the loop is a delay of the loop, so that of the technique is added to the user's own.

    Raises:
        ConfigurationError: there is no such user, or the delay is below 0.
    """
    if name not in USERS:
        raise ConfigurationError(f"There is no user '{name}'.", f"Choose {', '.join(USERS)}.")
    if not 0 <= delay < float("inf"):
        raise ConfigurationError(f"A delay is {delay:g} s.", "Give 0 or a number above 0.")
    person = USERS[name]
    user = replace(person.user, rate=rate)
    return replace(person, user=replace(user, delay=(user.delay_steps + round(delay * rate)) / rate))
