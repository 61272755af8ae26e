"""An authority that is slow, talks without end or leads elsewhere harms nobody."""

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from telemetry.evidence.authority import NoStampError, ask, authority_url
from telemetry.evidence.time_stamp import StampQuery, read_stamp
from tests.support.authority import make_authority, served, serving

Handler = BaseHTTPRequestHandler
DATA = b"a root\n"


def test_an_authority_answers(tmp_path: Path) -> None:
    query = StampQuery.of(DATA)
    with serving(make_authority(tmp_path / "tsa")) as url:
        assert read_stamp(ask(url, query.der), DATA, query.nonce).authority == "CN=Test Time"


def refusal(reply: Callable[[Handler, bytes], None], patience_s: float = 5.0) -> str:
    with served(reply) as url, pytest.raises(NoStampError) as told:
        ask(url, b"query", patience_s=patience_s)
    return str(told.value)


def test_an_answer_of_ten_gigabytes_is_not_read() -> None:
    def endless(handler: Handler, query: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(10_000_000_000))
        handler.end_headers()
        for _ in range(100_000):
            handler.wfile.write(bytes(100_000))

    assert "must answer with at most 262144 bytes" in refusal(endless)


def test_an_answer_without_a_length_is_bounded_too() -> None:
    def endless(handler: Handler, query: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100_000):
            handler.wfile.write(bytes(100_000))

    assert "must answer with at most 262144 bytes" in refusal(endless)


def test_a_slow_answer_is_not_waited_for() -> None:
    def slow(handler: Handler, query: bytes) -> None:
        time.sleep(1.0)

    began = time.monotonic()
    assert "must answer within 0.2 s, but did not" in refusal(slow, 0.2)
    assert time.monotonic() - began < 30


def test_a_byte_now_and_then_is_not_waited_for() -> None:
    def dripping(handler: Handler, query: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(8):
            handler.wfile.write(b"0")
            handler.wfile.flush()
            time.sleep(0.1)

    # Each byte comes in time, all of them do not.
    assert "must answer within 0.3 s" in refusal(dripping, 0.3)


@pytest.mark.parametrize("where", ["file:///etc/passwd", "http://127.0.0.1:9/", "ftp://a/b"])
@pytest.mark.parametrize("code", [301, 302, 307])
def test_a_redirection_is_followed_nowhere(where: str, code: int) -> None:
    def leading(handler: Handler, query: bytes) -> None:
        handler.send_response(code)
        handler.send_header("Location", where)
        handler.end_headers()

    assert f"answers {code} and leads to {where}, which is not followed" in refusal(leading)


def test_an_error_is_told_with_its_number() -> None:
    def refusing(handler: Handler, query: bytes) -> None:
        handler.send_error(503)

    assert refusal(refusing).endswith("answers 503")


def test_a_reply_that_is_no_http_is_told() -> None:
    def mumbling(handler: Handler, query: bytes) -> None:
        handler.wfile.write(b"220 mail.example ready\r\n")

    assert "cannot be reached" in refusal(mumbling)


def silent(_handler: Handler, _query: bytes) -> None:
    """It says nothing."""


def test_where_nobody_listens_is_told() -> None:
    with served(silent) as url:
        pass
    with pytest.raises(NoStampError, match="cannot be reached: "):
        ask(url, b"query", patience_s=5.0)


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://a.example/", "tsa.example", "", "http://", "http:///tsr"),
        *("http://jo:secret@tsa.example/", "http://tsa.example/a b", "http://tsa.example/\x1b[2J"),
        *("http://tsa.example:99999/", "http://tsä.example/"),
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="`--tsa` must be a URL"):
        authority_url("--tsa", url)
