"""What ranks hear of a watcher that switches for them, and that dies between two edges."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from telemetry.power.phase_channel import PhaseClient, PhaseServer
from telemetry.record.schema import Phase
from workers.session.phase_switching import PhaseSwitching


class Alone:
    """The ranks of a run of one."""

    def agree(self, value: int) -> int:
        return value


def switching(client: PhaseClient) -> PhaseSwitching:
    alone: Any = Alone()
    return PhaseSwitching(alone, client)


def well(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """A watcher that does what it is asked."""
    del asked
    return {"fault": None}


def test_a_watcher_that_dies_after_its_answer_fails_the_batch_all_the_same(tmp_path: Path) -> None:
    server = PhaseServer(tmp_path, "n1", well)
    client = PhaseClient(tmp_path, "n1")
    one = switching(client)
    one.begin(Phase.DECODE, 0, 1)
    until_s = time.monotonic() + 10.0
    while not client.answered() and time.monotonic() < until_s:
        time.sleep(0.001)
    server.close()
    with pytest.raises(RuntimeError, match="must switch its GPUs, but ended instead"):
        one.end_batch()
    client.close()


def test_a_watcher_that_lives_fails_no_batch(tmp_path: Path) -> None:
    server = PhaseServer(tmp_path, "n1", well)
    client = PhaseClient(tmp_path, "n1")
    one = switching(client)
    for batch in range(3):
        for phase in (Phase.PREFILL, Phase.DECODE):
            one.begin(phase, batch, 1)
        one.end_batch()
    client.close()
    server.close()


@pytest.mark.parametrize("wrong", [OSError(28, "No space left on device"), RuntimeError("no")])
def test_a_watcher_whose_disk_is_full_says_so_and_is_asked_again(
    tmp_path: Path, wrong: Exception
) -> None:
    def full(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        raise wrong

    server = PhaseServer(tmp_path, "n1", full)
    client = PhaseClient(tmp_path, "n1")
    for _ in range(2):
        client.measure()
        assert str(wrong.args[-1]) in str(client.fault())
    client.close()
    server.close()


def _nothing(_: PhaseClient) -> None:
    pass


def _half(client: PhaseClient) -> None:
    client._socket.sendall(b'{"do": "swi')


def _flood(client: PhaseClient) -> None:
    client._socket.sendall(b"x" * 3000 + b"\n" + b"[]\n" * 200)


@pytest.mark.parametrize("first", [_nothing, _half, _flood])
def test_who_leaves_half_a_message_or_many_is_followed_by_who_asks_well(
    tmp_path: Path, first: Callable[[PhaseClient], None]
) -> None:
    server = PhaseServer(tmp_path, "n1", well)
    stranger = PhaseClient(tmp_path, "n1")
    first(stranger)
    stranger.close()
    client = PhaseClient(tmp_path, "n1")
    client.measure()
    assert client.fault() is None
    client.close()
    server.close()
