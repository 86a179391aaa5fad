"""Who may open the page."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.sync.client import connect

from motorctl.errors import ConfigurationError
from motorctl.runtime.cockpit.door import check_address, check_request, guarded, new_token
from motorctl.runtime.cockpit.page import serve

TOKEN = "secret"


def request(path: str = "/", host: str = "127.0.0.1:8080", **more: str) -> Request:
    return Request(path, Headers({"Host": host, **more}))


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "LOCALHOST"])
def test_this_machine_may_open_the_page(host: str) -> None:
    assert check_request(request(host=host), None) is None


@pytest.mark.parametrize("host", ["evil.example:8080", "192.168.1.7:8080", "127.0.0.1.evil.example", ""])
def test_a_name_that_is_not_ours_is_refused(host: str) -> None:
    """A page of the web whose name was made to mean 127.0.0.1 (DNS rebinding)."""
    answer = check_request(request(host=host), None)
    assert answer is not None and answer.status_code == 403


@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_web_socket_of_another_page_is_refused(token: str | None) -> None:
    cookie = {"Cookie": f"motorctl-8080={TOKEN}", "Upgrade": "websocket"}
    assert check_request(request(Origin="http://127.0.0.1:8080", **cookie), token) is None
    answer = check_request(request(Origin="http://evil.example", **cookie), token)
    assert answer is not None and answer.status_code == 403


def test_the_token_opens_the_page_and_then_its_cookie_does() -> None:
    answer = check_request(request(f"/?token={TOKEN}", host="lab:8080"), TOKEN)
    assert answer is not None and answer.status_code == 303 and answer.headers["Location"] == "/"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert check_request(request(host="lab:8080", Cookie=cookie.split(";")[0]), TOKEN) is None


@pytest.mark.parametrize(
    "wrong",
    [
        request(),
        request("/?token="),
        request("/?token=Secret"),
        request("/?tokens=secret"),
        request(Cookie="motorctl-8080=Secret"),
        request(Cookie=f"motorctl-8081={TOKEN}"),
        request(Upgrade="websocket", Origin="http://127.0.0.1:8080"),
    ],
)
def test_without_the_token_nothing_opens(wrong: Request) -> None:
    answer = check_request(wrong, TOKEN)
    assert answer is not None and answer.status_code == 403


def test_tokens_differ() -> None:
    assert len({new_token() for _ in range(100)}) == 100


@pytest.fixture
def port() -> Iterator[int]:
    """Of a page that is served with a token."""
    server, url = serve("127.0.0.1", None, TOKEN)
    assert url == f"http://127.0.0.1:{server.get_port()}/?token={TOKEN}"
    yield server.get_port()
    server.stop()


def test_the_served_page_and_its_web_socket_ask_for_the_token(port: int) -> None:
    def get(path: str, **headers: str) -> tuple[int, str]:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request("GET", path, headers=headers)
            with connection.getresponse() as answer:
                return answer.status, str(answer.getheader("Set-Cookie")).split(";")[0]

    assert {get(path)[0] for path in ("/", "/index.html", "/?token=wrong")} == {403}
    status, cookie = get(f"/?token={TOKEN}")
    assert status == 303
    assert get("/", Cookie=cookie)[0] == 200
    address = f"ws://127.0.0.1:{port}"
    with pytest.raises(Exception, match="403"):
        connect(address, subprotocols=["viser-v1"], open_timeout=30)
    with connect(address, subprotocols=["viser-v1"], additional_headers={"Cookie": cookie}, open_timeout=30):
        pass


def test_what_is_not_guarded_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="not guarded"), guarded(lambda request: None):
        pass


def test_an_address_that_cannot_be_served_is_said_in_one_line() -> None:
    with pytest.raises(ConfigurationError, match=r"No page can be served at 192\.0\.2\.1:0 .* Give --host"):
        check_address("192.0.2.1", 0)  # an address for documentation (RFC 5737), nobody's
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigurationError, match="--port one that is free"):
            check_address("127.0.0.1", taken.getsockname()[1])
