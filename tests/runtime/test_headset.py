"""Who wears the headset."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from motorctl.person.person import Person
from motorctl.person.user import User
from motorctl.runtime.headset import HeadsetConfig, simulated_person
from motorctl.training.steering import way_to_steer


@pytest.mark.parametrize(("brain", "steer"), [("ideal", "reach"), ("realistic", "imagery"), ("hard", "imagery")])
def test_the_live_person_is_the_one_that_was_trained_on(
    brain: Literal["ideal", "realistic", "hard"], steer: Literal["reach", "imagery"]
) -> None:
    """The same electrodes in the same order, and the same EEG from one seed."""
    way = way_to_steer(brain)
    person = simulated_person(HeadsetConfig(brain=brain, steer=steer, control_rate=way.pipeline.rate, seed=4))
    assert person.brain.labels == way.electrodes
    trained = Person(User(way.pipeline.rate), person.brain, 4, way.imagine)
    for one in (person, trained):
        one.see(np.zeros(2), np.array([0.1, 0.1]))
    np.testing.assert_array_equal(person.next_samples(100), trained.next_samples(100))
