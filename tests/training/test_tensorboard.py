"""Learning curves for TensorBoard."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from motorctl.errors import ConfigurationError
from motorctl.training.resume import Epoch
from motorctl.training.tensorboard import check_tensorboard, tensorboard_log


def test_what_is_written_is_read_by_tensorboard(tmp_path: Path) -> None:
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    curves = [Epoch(1, 0.5, float("nan"), 2.0, 1e-3), Epoch(2, 0.25, float("nan"), 1.0, 5e-4)]
    with tensorboard_log(tmp_path) as write:
        for epoch in curves:
            write(epoch)
    events = reading.EventAccumulator(str(tmp_path)).Reload()
    assert set(events.Tags()["scalars"]) == {"loss", "gradient_norm", "learning_rate"}
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(1, 0.5), (2, 0.25)]


def test_without_tensorboard_the_cure_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigurationError, match=r'pip install "motorctl\[tensorboard\]"'):
        check_tensorboard()
