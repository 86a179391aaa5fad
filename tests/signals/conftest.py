"""Somebody else's headset: a process that knows nothing of motorctl, and does what it is told, line by line."""

import json
from collections.abc import Callable, Iterator

import pylsl
import pytest

from motorctl.signals.lsl import LSLSource, MarkerInlet

PATIENCE = 20.0  # s

DEVICE = """
import json, sys, pylsl
outlets = {}
print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    if "open" in order:
        channels, format = order["channels"], order.get("format", "float32")
        info = pylsl.StreamInfo(order["name"], order["type"], len(channels), order["rate"], format, order["source_id"])
        parent = info.desc().append_child("channels")
        for label, unit in channels:
            channel = parent.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
        outlets[order["open"]] = pylsl.StreamOutlet(info)
    elif "close" in order:
        outlets.pop(order["close"], None)
    else:
        outlets[order["push"]].push_chunk(order["rows"], order["stamps"] or pylsl.local_clock())
    print("done", flush=True)
"""


class Device:
    def __init__(self, process):
        self.process = process
        self.process.hear()
        self.opened = []

    def _do(self, **order):
        self.process.tell(json.dumps(order))
        self.process.hear()

    def open(self, name, channels=(("C3", "uV"), ("C4", "uV")), type="EEG", rate=100.0, key=None, **more):
        more.setdefault("source_id", f"id-{name}")
        self.opened.append(key or name)
        self._do(open=key or name, name=name, type=type, rate=rate, channels=list(channels), **more)

    def push(self, key, rows, stamps=()):
        self._do(push=key, rows=rows, stamps=list(stamps))

    def close(self, key):
        self._do(close=key)


@pytest.fixture(scope="module")
def _device(spawn_for_module: Callable) -> Device:
    return Device(spawn_for_module(DEVICE))


@pytest.fixture
def device(_device: Device) -> Iterator[Device]:
    """A headset; its streams are closed when the test is over."""
    yield _device
    while _device.opened:
        _device.close(_device.opened.pop())


@pytest.fixture
def new_device(spawn: Callable) -> Callable[[], Device]:
    """``new_device()`` starts one that may be killed."""
    return lambda: Device(spawn(DEVICE))


def _found(name: str) -> pylsl.StreamInfo:
    (found,) = pylsl.resolve_byprop("name", name, 1, PATIENCE)
    return found


@pytest.fixture
def connect() -> Callable[[str], LSLSource]:
    """``connect(name)``: a source of the stream, without the wait for twins."""
    return lambda name: LSLSource(_found(name), PATIENCE)


@pytest.fixture
def connect_markers() -> Callable[[str], MarkerInlet]:
    """``connect_markers(name)``: the same for markers."""
    return lambda name: MarkerInlet(_found(name), PATIENCE)
