"""Streams over Lab Streaming Layer: find them, read them as chunks in µV, and send them.

What LSL does when things go wrong is met here: waits are bounded and short, since Ctrl-C has to wait until liblsl
returns; twins are told apart; units, labels and clocks are put right; what is missing is marked, never filled in.
"""

from motorctl.signals.lsl.description import read_metadata
from motorctl.signals.lsl.find import describe, find_stream, fits, hush, visible_streams
from motorctl.signals.lsl.isolated import IsolatedSource
from motorctl.signals.lsl.markers import MarkerInlet, open_markers
from motorctl.signals.lsl.outlet import LSLSink, marker_outlet, signal_outlet
from motorctl.signals.lsl.recorder import Journal, RecordedStream
from motorctl.signals.lsl.source import LSLSource, measured, open_source
from motorctl.signals.lsl.timeline import Event

__all__ = [
    "Event",
    "IsolatedSource",
    "Journal",
    "LSLSink",
    "LSLSource",
    "MarkerInlet",
    "RecordedStream",
    "describe",
    "find_stream",
    "fits",
    "hush",
    "marker_outlet",
    "measured",
    "open_markers",
    "open_source",
    "read_metadata",
    "signal_outlet",
    "visible_streams",
]
