import socket
from pathlib import Path
from typing import Any

import pytest

from telemetry.clock import HostClock
from telemetry.record.clock_offset import HostOffset
from telemetry.record.paths import AttemptPaths
from tests.support.ranks import run_gang, values_of
from workers.distributed.clock_sync import ClockSync, answer_time, ask_time
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous

# The same in every process of a gang: clocks that each set for itself differ by microseconds.
CLOCK = HostClock(offset_us=1_700_000_000_000_000)
AHEAD_US = 1_234_567


def ahead(offset_us: int) -> HostClock:
    """The clock of a host that is that far ahead of this one."""
    return HostClock(offset_us=CLOCK.offset_us + offset_us)


@pytest.mark.parametrize("offset_us", [0, AHEAD_US, -AHEAD_US])
def test_a_host_s_true_offset_lies_within_the_stated_error(offset_us: int) -> None:
    with answer_time(CLOCK, "127.0.0.1") as where:
        reading = ask_time(ahead(offset_us), where)
    assert abs(reading.offset_us - offset_us) <= reading.error_us
    assert reading.round_trip_us // 2 <= reading.error_us <= reading.round_trip_us // 2 + 2
    assert abs(reading.t_us - ahead(offset_us).now_us()) < 10_000_000


def test_more_pings_never_make_the_bound_worse_than_their_shortest_round_trip() -> None:
    with answer_time(CLOCK, "127.0.0.1") as where:
        readings = [ask_time(CLOCK, where, pings=count) for count in (1, 200)]
    # A loopback's round trip is some 50 us; a millisecond leaves room for a busy machine.
    assert readings[1].error_us < 1_000
    for reading in readings:
        assert abs(reading.offset_us) <= reading.error_us


def test_who_does_not_know_the_token_is_told_nothing_and_the_others_are_served() -> None:
    with answer_time(CLOCK, "127.0.0.1") as where:
        token, _, place = where.partition("@")
        with pytest.raises(ConnectionError):
            ask_time(CLOCK, f"{'00' * (len(token) // 2)}@{place}")
        assert ask_time(CLOCK, where).error_us >= 0


def test_nobody_at_the_address_is_an_os_error() -> None:
    with answer_time(CLOCK, "127.0.0.1") as where:
        pass
    with pytest.raises(OSError, match="refused"):
        ask_time(CLOCK, where)


def two_nodes(rank: Rank, folder: Path, offset_us: int, only_start: bool) -> None:
    """Ranks 0 and 1 on host a, 2 and 3 on host b, whose clock is ahead."""
    node, local_rank = divmod(rank.rank, 2)
    there = Rank(
        rank=rank.rank,
        world=rank.world,
        local_rank=local_rank,
        local_world=2,
        node=node,
        nodes=2,
        # Both must be names that can be listened on and connected to.
        host=("localhost", socket.gethostname())[node],
    )
    with open_rendezvous(there, folder / "rendezvous.json") as rendezvous:
        clock = ahead(offset_us if node else 0)
        clock_sync = ClockSync(rendezvous, clock, AttemptPaths(folder=folder))
        clock_sync.measure_start()
        if not only_start:
            clock_sync.measure_end()
        rendezvous.exchange("farewell", "")


@pytest.mark.parametrize("only_start", [True, False])
def test_local_rank_0_of_each_node_writes_its_host_s_offset(
    tmp_path: Path, only_start: bool
) -> None:
    values_of(run_gang(4, two_nodes, tmp_path, AHEAD_US, only_start))
    files = sorted((tmp_path / "clocks").iterdir())
    assert {path.stem for path in files} == {"localhost", socket.gethostname()}
    for path in files:
        offset = HostOffset.read(path)
        assert offset.reference_host == "localhost"
        expected_us = 0 if offset.host == "localhost" else AHEAD_US
        readings: list[Any] = [offset.start, *([] if only_start else [offset.end])]
        assert (offset.end is None) == only_start
        for reading in readings:
            assert abs(reading.offset_us - expected_us) <= reading.error_us


def one_node(rank: Rank, folder: Path) -> None:
    with open_rendezvous(rank, folder / "rendezvous.json") as rendezvous:
        clock_sync = ClockSync(rendezvous, CLOCK, AttemptPaths(folder=folder))
        clock_sync.measure_start()
        clock_sync.measure_end()
        rendezvous.exchange("farewell", "")


def test_a_run_of_one_node_has_no_offsets(tmp_path: Path) -> None:
    values_of(run_gang(2, one_node, tmp_path))
    assert list(tmp_path.iterdir()) == []
