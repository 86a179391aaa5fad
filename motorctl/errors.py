"""What goes wrong for a user, said in one line: what was expected, what was found, and what to do."""

from __future__ import annotations


class MotorctlError(Exception):
    """Base of every error a user can cause or cure; the command line prints it as one line and exits with 1.

    Args:
        problem: what was expected and what was found.
        cure: what the user can do about it.
    """

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(f"{problem} {cure}")
        self.problem = problem
        self.cure = cure

    def __reduce__(self) -> tuple[type[MotorctlError], tuple[str, str]]:
        return type(self), (self.problem, self.cure)  # so that it comes whole from another process


class RecordingError(MotorctlError):
    """A recording is missing, damaged, or does not hold what was asked of it."""


class StreamError(MotorctlError):
    """No stream, more than one stream, or a stream that does not match what a controller was trained on."""


class StreamLost(StreamError):
    """A stream is gone for good: it cannot be told again should it come back."""


class CheckpointError(MotorctlError):
    """A stored controller is missing, damaged, or does not fit its use."""


class ConfigurationError(MotorctlError):
    """An option has a value that cannot be used."""


def check_positive(name: str, value: float) -> None:
    """Say that an option must be a number above 0.

    Raises:
        ConfigurationError: it is not.
    """
    if not 0 < value < float("inf"):
        raise ConfigurationError(f"{name} is {value:g}.", "Give a number above 0.")


def check_seed(seed: int) -> None:
    """Say that a seed must be a whole number that every generator takes.

    Raises:
        ConfigurationError: it is not.
    """
    if not 0 <= seed < 2**32:
        raise ConfigurationError(f"seed is {seed}.", "Give a whole number from 0 to 4294967295.")
