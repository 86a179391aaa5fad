"""The page: a limb in the middle, the EEG at its left, state, buttons and figures at its right."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rich
import viser

from motorctl.errors import ConfigurationError
from motorctl.runtime.cockpit import door, words
from motorctl.runtime.cockpit.eeg import BandMeter, channel_quality, eeg_columns, traces
from motorctl.runtime.cockpit.plots import CommandPlots, EegPlot
from motorctl.runtime.cockpit.remote import Remote
from motorctl.runtime.cockpit.run import Run, Snapshot, components_of
from motorctl.runtime.cockpit.scene import LimbScene
from motorctl.signals.quality import ChannelQuality
from motorctl.signals.stream import StreamInfo

FIRST_PORT = 8080
"""The first port that is tried where none is given."""
LEFT, RIGHT = 470, 380
"""Widths of the two columns (pixels)."""
EEG_HEIGHT = 520
"""Of the traces (pixels)."""
UNHEARD = "No run hears this cockpit."
SETTLING = 1.0
"""How long the slider stays where somebody has put it, before it follows the run again (s)."""
CUE_STAYS = 10.0
"""How long a cue is shown that does not say how long it lasts (s)."""


def serve(host: str, port: int | None, token: str | None) -> tuple[viser.ViserServer, str]:
    """An empty page, and its URL.

    Args:
        host: address of this machine to serve it at.
        port: to serve it at; by default the first from 8080 on that is free.
        token: that who opens it must bring; None where only this machine can reach it.

    Raises:
        ConfigurationError: it cannot be served there.
    """
    door.check_address(host, port or 0)
    rich.reconfigure(quiet=True)  # viser says where it is in a table, and goes on talking
    with door.guarded(lambda request: door.check_request(request, token)):
        server = viser.ViserServer(host, port or FIRST_PORT, verbose=False)
    shown = f"[{host}]" if ":" in host else host
    return server, f"http://{shown}:{server.get_port()}/{f'?token={token}' if token else ''}"


class Page:
    """What browsers show, all of them the same.

    Args:
        server: of the page.
        run: that is shown.
        remote: that the buttons ask.
        dark: light on dark.
    """

    def __init__(self, server: viser.ViserServer, run: Run, remote: Remote, dark: bool = False) -> None:
        self._server, self._run, self._remote = server, run, remote
        self._scene: LimbScene | None = None
        self._commands: CommandPlots | None = None
        self._eeg: EegPlot | None = None
        self._said: dict[str, Any] = {}
        self._channels: StreamInfo | None = None
        self._quality: tuple[ChannelQuality, ...] = ()
        self._scale = 0.0
        self._bands = BandMeter()
        self._touched = self._connected = -float("inf")
        self._nudges = 0
        self._lay_out(dark)
        server.on_client_connect(self._greet)
        self._due = {
            self._show_pose: Every(1 / 25),
            self._show_state: Every(1 / 10),
            self._show_figures: Every(1 / 5),
            self._show_traces: Every(1 / 5),
            self._show_quality: Every(1.0),
        }

    def draw(self) -> None:
        """What is due, of what somebody looks at; what cannot be drawn in time is left out."""
        if self._server.get_clients():
            for draw, every in self._due.items():
                if every.is_due():
                    draw()
            self._nudge()

    # ---- layout

    def _lay_out(self, dark: bool) -> None:
        gui = self._server.gui
        gui.configure_theme(dark_mode=dark, show_logo=False, show_share_button=False)
        gui.set_panel_label("motorctl cockpit")
        gui.main_panel.dock_right()
        gui.main_panel.set_width(RIGHT)
        self._state = gui.add_html("")
        self._score = gui.add_html("")
        self._add_buttons()
        self._latency = gui.add_html("")
        self._agreement = gui.add_html("")
        panel = gui.add_panel()
        panel.dock_left()
        panel.set_width(LEFT)
        self._eeg_tab = panel.add_tab("EEG")
        with self._eeg_tab:
            self._eeg_words = gui.add_html("", order=0)
            self._heads = gui.add_html("", order=2)
        self._cue_panel = gui.add_panel(visible=False)
        with self._cue_panel.add_tab("Cue"):
            self._cue = gui.add_html("")
        self._cue_panel.float(x=24, y=24, width=320)

    def _add_buttons(self) -> None:
        gui = self._server.gui
        self._button("Stop", "stop", "red", viser.Icon.HAND_STOP, "The limb stops at once.")
        self._button("Start", "start", "green", viser.Icon.PLAYER_PLAY, "The controller moves the limb.")
        self._button("Hold", "hold", "yellow", viser.Icon.PLAYER_PAUSE, "The limb rests until somebody starts it.")
        self._assist: Any = gui.add_slider(
            "assist", 0.0, 1.0, 0.05, 0.0, hint="Share of the expert in the command: 0 is the decoder alone."
        )

        @self._assist.on_update
        async def _(event: viser.GuiEvent[Any]) -> None:
            if event.client is not None:  # somebody's hand, not the run's own value
                self._touched = time.monotonic()
                self._ask(f"assist {self._assist.value:g}", event)

        self._record = gui.add_button("Record", icon=viser.Icon.PLAYER_RECORD, color="gray")

        @self._record.on_click
        async def _(event: viser.GuiEvent[Any]) -> None:
            self._ask("record stop" if self._record.label == RECORDING else "record start", event)

        for text, key in (("stop", "X"), ("start", "S"), ("hold", "H")):
            command = gui.add_command(text.capitalize(), hotkey=key)  # type: ignore[arg-type]
            command.on_trigger(self._asker(text))

    def _button(self, label: str, text: str, colour: Any, icon: Any, hint: str) -> None:
        button = self._server.gui.add_button(label, color=colour, icon=icon, hint=hint)
        button.on_click(self._asker(text))

    def _asker(self, text: str) -> Callable[[Any], Any]:
        async def ask(event: Any) -> None:  # in viser's own loop, where nothing that is drawn holds it up
            self._ask(text, event)

        return ask

    def _ask(self, text: str, event: Any) -> None:
        if not self._remote.ask(text) and event.client is not None:
            event.client.add_notification("Not heard", UNHEARD, color="red", auto_close_seconds=6)

    async def _greet(self, client: viser.ClientHandle) -> None:
        self._connected, self._nudges = time.monotonic(), 0

    def _nudge(self) -> None:
        """A plot that was laid out before the browser had found its width has no time axis until its size changes
        (uPlot 1.6), so it changes a little, some time after somebody has come."""
        if self._nudges < len(NUDGES) and time.monotonic() - self._connected > NUDGES[self._nudges]:
            self._nudges += 1
            for plot in (self._eeg, self._commands):
                if plot:
                    plot.lay_out_again(self._nudges % 2)

    # ---- drawing

    def _show_pose(self) -> None:
        if self._run.said != self._said:
            self._begin(self._run.said)
        if self._scene and (pose := self._run.pose()):
            self._scene.show(pose)

    def _begin(self, said: dict[str, Any]) -> None:
        """A run that was not heard before: another limb, other commands."""
        self._said = said
        if self._commands:
            self._commands.remove()
        self._server.scene.reset()
        self._scene = self._commands = None
        if said:
            try:
                self._scene = LimbScene(self._server, said["environment"], said["options"])
            except ConfigurationError as error:  # an environment of somebody else's
                self._server.scene.add_label("/absent", f"no picture of the limb: {error.problem}")
            self._commands = CommandPlots(self._server.gui, components_of(said))

    def _show_state(self) -> None:
        snapshot = self._run.snapshot()
        put(self._state, words.state_html(snapshot))
        put(self._score, words.score_html(snapshot))
        if time.monotonic() - self._touched > SETTLING and self._assist.value != round(snapshot.assist, 2):
            self._assist.value = round(snapshot.assist, 2)
        label = RECORDING if snapshot.recording else "Record"
        if self._record.label != label:
            self._record.label, self._record.color = label, "red" if snapshot.recording else "gray"
        self._show_cue(snapshot)

    def _show_cue(self, snapshot: Snapshot) -> None:
        cue = snapshot.cue
        shown = cue is not None and snapshot.time - cue.since < (cue.lasts or CUE_STAYS)
        if self._cue_panel.visible != shown:
            self._cue_panel.visible = shown
        if cue and shown:
            put(self._cue, words.cue_html(cue, snapshot.time))

    def _show_figures(self) -> None:
        snapshot = self._run.snapshot()
        put(self._latency, words.latency_html(snapshot))
        put(self._agreement, words.agreement_html(snapshot))
        if self._commands:
            self._commands.show(snapshot)

    def _show_traces(self) -> None:
        eeg = self._run.eeg.stream
        if eeg is None:
            return
        if eeg.info != self._channels:
            self._channels, self._quality = eeg.info, ()
            if self._eeg:
                self._eeg.remove()
            labels = [eeg.info.labels[i] for i in eeg_columns(eeg.info)]
            with self._eeg_tab:
                self._eeg = EegPlot(self._server.gui, labels, EEG_HEIGHT, order=1)
        assert self._eeg
        seen = traces(eeg.info, eeg.history)
        self._scale = seen.scale
        self._eeg.show(seen, [bool(channel.problem) for channel in self._quality] or [False] * seen.values.shape[1])

    def _show_quality(self) -> None:
        eeg, name, rate = self._run.eeg.stream, "", 0.0
        if eeg and eeg.info == self._channels:
            self._quality, name, rate = channel_quality(eeg.info, eeg.history, eeg.age), eeg.info.name, eeg.info.rate
            put(self._heads, words.heads_html(self._quality, self._bands.measure(eeg.info, eeg.history)))
        put(self._eeg_words, words.quality_html(self._quality, self._run.eeg.trouble, name, rate, self._scale))


NUDGES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
"""When plots are laid out anew (s after a browser has come); slow ones need longer."""
RECORDING = "Stop recording"
"""Label of the button while a recording is made."""


def put(element: viser.GuiHtmlHandle, content: str) -> None:
    """Show something, and send it only if it is new."""
    if element.content != content:
        element.content = content


class Every:
    """Something that is due every ``period`` s, and is not made up for when it is late."""

    def __init__(self, period: float) -> None:
        self._period, self._next = period, 0.0

    def is_due(self) -> bool:
        """Whether it is time again."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = max(self._next + self._period, now)
        return True
