"""``motorctl cockpit``: watch a run and steer it, in the browser or in the terminal."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from rich.console import Console

from motorctl.errors import ConfigurationError
from motorctl.runtime.cockpit.door import LOCAL, new_token
from motorctl.runtime.cockpit.listening import PERIOD
from motorctl.runtime.cockpit.remote import Remote
from motorctl.runtime.cockpit.run import Run
from motorctl.runtime.record import end_with_stdin
from motorctl.signals.lsl import hush

READY = "Cockpit at"
"""First words of the line that says where the page is."""


@dataclass(frozen=True)
class CockpitConfig:
    """Show a run of 'motorctl live' and steer it, until Ctrl-C. It reads LSL streams and writes markers, no more."""

    limb_stream: str = "motorctl-limb"
    """Name of the run's limb stream; its other streams are named after it."""
    stream: str | None = None
    """Name, type or source_id of the EEG stream; by default the only one of type EEG."""
    unit: str | None = None
    """Unit of the EEG (V, mV, µV, uV, nV), where the stream says none or a wrong one."""
    tui: bool = False
    """In the terminal instead of in the browser."""
    host: str = LOCAL
    """Address of this machine to serve the page at; at any but 127.0.0.1 the page needs the token that is printed with
    its address. What is sent can be read on the way, so do so in a network that you trust."""
    port: int | None = None
    """Port to serve it at; by default the first from 8080 on that is free."""
    dark: bool = False
    """Light on dark."""
    while_stdin: bool = False
    """End when the standard input does: for a program that starts the cockpit."""


def cockpit(config: CockpitConfig) -> None:
    """Run the command.

    Raises:
        ConfigurationError: an option has a value that cannot be used, or the page's library is not installed.
    """
    hush()
    over = threading.Event()
    if config.while_stdin:
        threading.Thread(target=end_with_stdin, args=(over,), daemon=True).start()
    with Run(config.limb_stream, config.stream, config.unit) as run:
        show = show_in_terminal if config.tui else show_page
        show(config, run, Remote(config.limb_stream), over)


def show_in_terminal(config: CockpitConfig, run: Run, remote: Remote, over: threading.Event) -> None:
    """Draw in the terminal until ``over``."""
    from motorctl.runtime.cockpit.terminal import show_terminal

    show_terminal(run, remote, over, Console(), keys=not config.while_stdin)


def show_page(config: CockpitConfig, run: Run, remote: Remote, over: threading.Event) -> None:
    """Serve the page until ``over``."""
    try:
        from motorctl.runtime.cockpit.page import Page, serve
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The cockpit's page needs {error.name}.", "Install it: pip install 'motorctl[cockpit]'; or use --tui."
        ) from error
    server, url = serve(config.host, config.port, None if config.host == LOCAL else new_token())
    Console().print(f"{READY} {url}", highlight=False, soft_wrap=True)
    page = Page(server, run, remote, config.dark)
    try:
        while not over.wait(PERIOD):
            page.draw()
    finally:
        server.stop()
