"""Learning curves for TensorBoard (extra ``tensorboard``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from motorctl.errors import ConfigurationError
from motorctl.training.resume import Epoch


def check_tensorboard() -> None:
    """Say before training that the curves cannot be written.

    Raises:
        ConfigurationError: TensorBoard is not installed.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "TensorBoard is not installed.",
            "Install it with 'pip install \"motorctl[tensorboard]\"', or leave out --tensorboard.",
        ) from None


@contextmanager
def tensorboard_log(folder: Path) -> Iterator[Callable[[Epoch], None]]:
    """Write what it yields is called with into ``folder``: losses, norm of the gradient, learning rate by epoch.

    Raises:
        ConfigurationError: TensorBoard is not installed.
    """
    check_tensorboard()
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))

    def write(epoch: Epoch) -> None:
        for name, value in epoch._asdict().items():
            if name != "number" and not math.isnan(value):
                writer.add_scalar(name, value, epoch.number)

    try:
        yield write
    finally:
        writer.close()
