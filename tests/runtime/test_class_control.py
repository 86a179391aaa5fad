"""Classes as commands: live as offline, in every environment, with one line for what does not fit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from motorctl.envs import make_env
from motorctl.errors import ConfigurationError
from motorctl.runtime.class_control import ClassControl, ClassDecoder, CuedClasses, commands_of, softmax
from motorctl.runtime.loop import run_loop
from motorctl.runtime.reader import Reader
from motorctl.signals.recording import Recording, read_recording
from motorctl.signals.stream import Chunk
from motorctl.training.checkpoint import Checkpoint, load_checkpoint
from motorctl.training.classes import ClassTraining, trial_probabilities
from motorctl.training.classify import ClassifyRecordings, train_classifier
from motorctl.training.material import scaled
from motorctl.training.trials import class_sequence, stack_trials

NAMES = ("left", "right")


@pytest.mark.parametrize(
    ("environment", "command", "names", "meaning", "commands"),
    [
        ("LegGait", "class", ("fists", "feet"), ("fists=walk", "feet=rest"), [[0, 1, 0, 0], [0, 0, 0, 0]]),
        ("LegGait", "class", ("stand", "jump"), (), [[1, 0, 0, 0], [0, 0, 0, 1]]),
        ("HandGrasp", "class", ("rest", "fists", "feet"), ("fists=close", "feet=open"), [[0, 0], [0, 1], [1, 0]]),
        ("ArmReach", "velocity", ("left", "forward", "rest"), (), [[-0.15, 0], [0, 0.15], [0, 0]]),
        ("Arm3dReach", "velocity", NAMES, (), [[-0.15, 0, 0], [0.15, 0, 0]]),
    ],
)
def test_what_classes_do(environment, command, names, meaning, commands):
    env = make_env(f"motorctl/{environment}-v0", command=command)
    np.testing.assert_allclose(commands_of(ClassControl(meaning), names, env), commands)


@pytest.mark.parametrize(
    ("command", "meaning", "problem"),
    [
        ("class", (), "Nothing is done by left, right; there are stand, walk, run, jump, rest."),
        ("class", ("fists=walk",), "There is no class fists; the controller tells left, right."),
        ("muscles", (), "Classes cannot command 'muscles'."),
    ],
)
def test_classes_that_mean_nothing_are_refused(command, meaning, problem):
    env = make_env("motorctl/LegGait-v0", command=command)
    with pytest.raises(ConfigurationError, match=re.escape(problem)):
        commands_of(ClassControl(meaning), NAMES, env)


@pytest.fixture(scope="module", params=["rhythms", pytest.param("csp", marks=pytest.mark.slow)])
def trained(request, tmp_path_factory, write_edf) -> tuple[Checkpoint, Recording]:
    """A controller, and a recording that it has never seen."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    paths = [record(folder / f"{name}.edf", write_edf, seed) for seed, name in enumerate("ab")]
    config = ClassifyRecordings(
        recordings=(paths[0],),
        cues=("T1=left", "T2=right"),
        front_end=request.param,
        training=ClassTraining(epochs=15),
        permutations=0,
        hold_back=0.3,
        out=folder / "run",
    )
    train_classifier(config)
    return load_checkpoint(folder / "run"), read_recording(paths[1])


def record(path: Path, write_edf, seed: int) -> Path:
    """48 s in which the 10 Hz rhythm of C4 vanishes during T1, that of C3 during T2; noise else."""
    labels, rate, rng = ("FC3", "FC4", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "CP3", "CP4"), 160, None
    rng = np.random.default_rng(seed)
    times = np.arange(48 * rate) / rate
    samples = rng.standard_normal((len(times), len(labels))) * 30
    rhythm = 100 * np.sin(2 * np.pi * 10 * times)
    cues = [(3.0 + 5 * k, 4.0, ("T1", "T2")[k % 2]) for k in range(9)]
    for label, cue in (("C4", "T1"), ("C3", "T2")):
        there = np.ones(len(times))
        for onset, duration, text in cues:
            there[(times >= onset) & (times < onset + duration) & (text == cue)] = 0
        samples[:, labels.index(label)] += rhythm * there
    return write_edf(path, samples.round(), labels, rate=rate, annotations=cues)


class Played:
    """The recording as a source on simulated time, and its cues as markers."""

    def __init__(self, recording: Recording) -> None:
        self.recording, self.info, self.time, self.given = recording, recording.info, 0.0, 0
        self.cues = [(a.onset, a.text) for a in recording.annotations]

    def now(self) -> float:
        return self.time

    def read(self, timeout: float | None = None):
        if timeout is None:  # as markers
            due = [cue for cue in self.cues if cue[0] <= self.time]
            self.cues = self.cues[len(due) :]
            return due
        self.time += timeout
        first, self.given = self.given, int(np.searchsorted(self.recording.times, self.time + 1e-9, "right"))
        rows = slice(first, self.given)
        return Chunk(self.recording.samples[rows], self.recording.times[rows], self.recording.mask[rows])

    def __enter__(self):
        return self

    def __exit__(self, *error): ...


def test_a_played_recording_scores_live_as_it_does_offline(trained):
    checkpoint, recording = trained
    sequence = class_sequence(recording, checkpoint.cues, replace_scaling(checkpoint), (0.5, 4.0))
    prepared = checkpoint.patterns.apply(sequence) if checkpoint.patterns else scaled(sequence, checkpoint.pipeline)
    offline = trial_probabilities(checkpoint.controller, stack_trials([prepared])).numpy()
    labels = stack_trials([prepared]).labels.numpy()

    env = make_env("motorctl/ArmReach-v0", command="velocity", control_rate=10.0, time_limit=60.0)
    control = ClassControl()
    decoder = ClassDecoder(checkpoint, control, commands_of(control, NAMES, env))
    played, told = Played(recording), []
    cued = CuedClasses(played, checkpoint.cues, (0.5, 4.0), decoder, told.append)
    steps = list(run_loop(Reader(played, checkpoint.pipeline, played.now), decoder, env, 47.9, 0, trials=cued))

    assert len(told) == len(offline) == 9
    np.testing.assert_allclose([result.probability for result in told], offline.max(axis=1), atol=1e-4)
    assert [NAMES.index(result.decoded) for result in told] == offline.argmax(axis=1).tolist()
    assert (offline.argmax(axis=1) == labels).mean() > 0.7
    # the limb does what was decoded: at the end of most cues the hand goes to their side
    ends = [3.0 + 5 * k + 4.0 for k in range(9)]
    sideways = np.array([min(steps, key=lambda s, end=end: abs(s.time - end)).wanted[0] for end in ends])
    assert ((sideways > 0) == labels).mean() > 0.7


def replace_scaling(checkpoint: Checkpoint):
    """The pipeline before its scaling was fitted."""
    from dataclasses import replace

    return replace(checkpoint.pipeline, mean=None, std=None)


def test_a_class_is_kept_until_another_is_probable_enough():
    class Network:
        def initial_state(self):
            return 0

        def step(self, features, state):
            return features, state

    decoder = object.__new__(ClassDecoder)
    decoder._stepper, decoder._commands, decoder._confidence, decoder._patterns = Network(), np.eye(2), 0.7, None
    decoder._keep, decoder._restart, decoder._sum, decoder._rows = 0.5, False, np.zeros(2), 0
    state = decoder.initial_state()
    given = []
    for logit in (0.1, 0.2, 3.0, 3.0, 0.0, -1.0, -1.0, -3.0, -3.0, -3.0):
        command, state = decoder.step(np.array([logit, 0.0]), state)
        given.append(command.tolist())
    nothing, first, second = [0, 0], [1, 0], [0, 1]
    assert given == [nothing, nothing, first, first, first, first, first, second, second, second]


def test_probabilities_of_logits_that_are_not_finite_are_nan():
    np.testing.assert_allclose(softmax(np.array([0.0, np.log(3.0)])), [0.25, 0.75])
    assert np.isnan(softmax(np.array([np.nan, 0.0]))).all()
