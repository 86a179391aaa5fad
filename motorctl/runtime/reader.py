"""What the loop reads: a stream of EEG, turned into features as it comes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from motorctl.errors import StreamError, StreamLost
from motorctl.runtime.pace import Pace
from motorctl.signals.gate import Gated
from motorctl.signals.pipeline import Features, Pipeline, PipelineState, join_features
from motorctl.signals.stream import Chunk, Source, channel_indices

BACKLOG = 5.0
"""Of more than this (s) that has piled up, only the end is looked at: a decision on what is long past helps nobody."""
CATCH_UP = 2.0
"""Length of that end (s), for the filters to settle in."""
NAN = float("nan")


class Reader:
    """Turns whatever has arrived into features; remembers the pipeline's state and how old the samples are.

    ``newest`` is when the newest usable sample was measured (s): one of which half of the electrodes have a value;
    ``lateness`` is how old it was when it came (s).
    ``trouble`` says why there is none, where that is known. ``heard`` is what the source gave in the last call of
    :meth:`read_at`, ``came`` when its last row was complete (s), ``used`` the oldest and the newest of the samples
    that its features rest on and those before did not (s).

    Args:
        source: must have the pipeline's channels.
        pipeline: fitted.
        now: the clock that the source's time stamps are on (s).

    Raises:
        StreamError: the source does not give what the pipeline needs.
    """

    def __init__(self, source: Source, pipeline: Pipeline, now: Callable[[], float]) -> None:
        self.source, self.pipeline, self.now = source, pipeline, now
        self.newest, self.came, self.used, self.skipped = -math.inf, -math.inf, (NAN, NAN), 0
        self.trouble, self.heard, self.lateness = "", list[Chunk](), 0.0
        self._columns = channel_indices(source.info, pipeline.info)
        self._as_it_comes = list(self._columns) == list(range(len(source.info.channels)))
        self._nothing = Chunk(np.empty((0, len(source.info.channels)), np.float32), np.empty(0))
        self._state: PipelineState | None = None
        self._past: PipelineState | None = None  # forgotten, but for what is counted
        self._unused = NAN  # when the oldest sample was measured that no features rest on yet (s)

    @property
    def gated(self) -> Gated:
        """What was missing or taken for an artefact so far (:meth:`Pipeline.gated`)."""
        return self.pipeline.gated(self._state or self._past)

    @property
    def gated_share(self) -> float:
        """Share of all samples so far that was (0 to 1)."""
        state = self._state or self._past
        return float(state.gated.sum() / max(1, state.samples * state.gated.shape[1])) if state else 0.0

    def forget(self) -> None:
        """What was heard: filters begin anew with the next sample. What was gated still counts."""
        self._state, self._past = None, self._state or self._past
        self._unused = NAN

    def read_at(self, pace: Pace, meanwhile: Callable[[], None] = lambda: None) -> Features:
        """Wait for feature rows, until the next deadline at most; all that have become complete since the last call.

        Of a backlog longer than ``BACKLOG`` only the last ``CATCH_UP`` s are looked at; ``skipped`` counts the rest.

        Args:
            pace: when the deadline is, from when on to return as soon as there is a row, and which row is so early that
                the one after it is waited for as well.
            meanwhile: called first, and after every sample that completes no row: there is time until the next.
        """
        parts: list[Features] = []
        oldest, deadline, self.heard = NAN, pace.deadline, []
        meanwhile()
        while (left := deadline - self.now()) > 0:
            features = self.take(self._read(left))
            if len(features.times):
                oldest = oldest if parts else self.used[0]
                self.used = oldest, self.used[1]
                parts.append(features)
                self.came = self.now()
                if self.came >= pace.early_before:
                    deadline = min(deadline, pace.at_once_from)
            elif self.heard:
                meanwhile()
        return join_features(parts, len(self.pipeline.names))

    def take(self, chunk: Chunk) -> Features:
        """The rows that become complete with what the source gave."""
        if not len(chunk):
            return join_features([], len(self.pipeline.names))
        self.heard.append(chunk)
        newest = self._newest_usable(chunk)
        if newest is None:
            self.trouble = "more than half of the electrodes give no signal"
        else:
            self.newest, self.lateness, self.trouble = newest, self.now() - newest, ""
        recent = self._recent(chunk)
        oldest = float(recent.times[0]) if math.isnan(self._unused) else self._unused
        features = self._process(recent)
        if len(features.times):
            self.used = oldest, float(features.times[-1])
        return features

    def _read(self, timeout: float) -> Chunk:
        """What comes; nothing while it cannot be used."""
        try:
            chunk = self.source.read(timeout)
        except StreamLost:
            raise
        except StreamError as error:
            self.trouble = error.problem
            return self._nothing
        events = () if len(chunk) else getattr(self.source, "events", ())
        if events and events[-1].kind == "lost":
            self.trouble = self.trouble or events[-1].text
        return chunk

    def _newest_usable(self, chunk: Chunk) -> float | None:
        """When the newest sample was measured of which half of the electrodes have a value (s); None without any."""
        if chunk.mask[-1].all():
            return float(chunk.times[-1])
        usable = np.flatnonzero(2 * chunk.mask[:, self._columns].sum(axis=1) >= len(self._columns))
        return float(chunk.times[usable[-1]]) if len(usable) else None

    def _recent(self, chunk: Chunk) -> Chunk:
        """What is looked at of a chunk."""
        rate = self.source.info.rate
        if chunk.times[-1] - chunk.times[0] <= BACKLOG and len(chunk) <= BACKLOG * rate + 1:
            return chunk
        recent = max(int(np.searchsorted(chunk.times, chunk.times[-1] - CATCH_UP)), len(chunk) - round(CATCH_UP * rate))
        self.skipped += recent
        self.forget()
        return chunk[recent:]

    def _process(self, chunk: Chunk) -> Features:
        """The rows that a chunk completes."""
        selected = chunk if self._as_it_comes else chunk.select(self._columns)
        features, state = self.pipeline.process(selected, self._state)
        if state and self._past:
            past, self._past = self._past, None
            state = state._replace(gated=state.gated + past.gated, samples=state.samples + past.samples)
        self._state = state
        if len(features.times):
            after = chunk.times[chunk.times > features.times[-1]]
            self._unused = float(after[0]) if len(after) else NAN
        elif math.isnan(self._unused):
            self._unused = float(chunk.times[0])
        return features
