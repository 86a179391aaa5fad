"""Who may open the page: this machine's own browsers, or, with a token, those of others.

A page that moves a limb must not be steered by another page of the same browser, which may send what it likes to
127.0.0.1. So every request is looked at, of pages and of web sockets alike: the host that it was sent to must be one
that only this machine calls itself (or the token must be right), and a web socket must be opened by the page that
this server gave. The token comes in the page's URL once and then in a cookie, since the page opens its web socket
without it.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

import websockets.asyncio.server
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from motorctl.errors import ConfigurationError

LOCAL = "127.0.0.1"
"""Where a page without a token is served."""
OWN_NAMES = (LOCAL, "localhost", "::1")
"""What this machine's own browsers call it."""

Check = Callable[[Request], Response | None]
"""None lets a request in."""


def new_token() -> str:
    """A token that nobody guesses: 128 bits."""
    return secrets.token_urlsafe(16)


def check_address(host: str, port: int) -> None:
    """Say that a page cannot be served there.

    Raises:
        ConfigurationError: it is none of this machine's addresses, or the port is taken.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise ConfigurationError(
            f"No page can be served at {host}:{port} ({error.strerror or error}).",
            "Give --host an address of this machine (0.0.0.0 for all), and --port one that is free.",
        ) from error


def check_request(request: Request, token: str | None) -> Response | None:
    """None for a request that is let in; else what it is answered.

    Args:
        request: of a page or a web socket.
        token: that it must bring; None if it must come from this machine.
    """
    host = request.headers.get("Host", "")
    name = urlsplit(f"//{host}").hostname
    if token is None and name not in OWN_NAMES:
        return _refuse(f"This page is for {LOCAL} alone; 'motorctl cockpit --host' serves it to others.")
    origin = request.headers.get("Origin")
    if _is_websocket(request) and origin is not None and urlsplit(origin).netloc != host:
        return _refuse("Another page may not steer this one.")
    if token is None or _same(_cookie(request, host), token):
        return None
    given = parse_qs(urlsplit(request.path).query).get("token", [""])[0]
    if not _same(given, token):
        return _refuse("Open the address that 'motorctl cockpit' printed, with its token.")
    cookie = f"{_cookie_name(host)}={token}; HttpOnly; SameSite=Strict; Path=/"
    return Response(HTTPStatus.SEE_OTHER, "See Other", Headers({"Location": "/", "Set-Cookie": cookie}))


def _is_websocket(request: Request) -> bool:
    return request.headers.get("Upgrade", "").casefold() == "websocket"


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _cookie(request: Request, host: str) -> str:
    cookie = SimpleCookie(request.headers.get("Cookie", "")).get(_cookie_name(host))
    return cookie.value if cookie else ""


def _cookie_name(host: str) -> str:
    """Browsers give a cookie to every port of a host, and two cockpits have two tokens."""
    return f"motorctl-{urlsplit(f'//{host}').port or 80}"


def _refuse(why: str) -> Response:
    headers = Headers({"Content-Type": "text/plain; charset=utf-8"})
    return Response(HTTPStatus.FORBIDDEN, "Forbidden", headers, f"{why}\n".encode())


@contextmanager
def guarded(check: Check) -> Iterator[None]:
    """What begins to be served by websockets while this lasts asks ``check`` first, for as long as it is served.

    A browser that opens a connection ahead and closes it unused is no error: websockets would print a traceback.

    viser has no hook for the first. So that a viser that serves in another way is never open to all, one that has not
    come through here is an error.

    Raises:
        RuntimeError: nothing has begun to be served.
    """
    logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
    serve, begun = websockets.asyncio.server.serve, []

    def serve_guarded(handler: Any, *address: Any, process_request: Any = None, **options: Any) -> Any:
        def ask(connection: ServerConnection, request: Request) -> Any:
            refused = check(request)
            return refused if refused or process_request is None else process_request(connection, request)

        begun.append(address)
        return serve(handler, *address, process_request=ask, **options)

    websockets.asyncio.server.serve = serve_guarded  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        websockets.asyncio.server.serve = serve  # type: ignore[misc]
    if not begun:
        raise RuntimeError("viser has not served its page by websockets.asyncio.server.serve, so it is not guarded")
