"""Clock sync: the hosts of a run measure their clocks against rank 0's, at start and end.

Rank 0 answers on a TCP port of its own with its clock; local rank 0 of every other node asks many
times and keeps the answer with the shortest round trip. It was stamped somewhere within that round
trip, so with t0 and t1 the host's stamps around it and s the reference's

    offset = (t0 + t1) / 2 - s,    |true offset - offset| <= (t1 - t0) / 2

whatever the network did and whichever way was slower. Nobody computes meanwhile.
"""

import logging
import secrets
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch.distributed as dist

from telemetry.clock import HostClock
from telemetry.record.clock_offset import HostOffset, OffsetReading
from telemetry.record.paths import AttemptPaths
from workers.distributed.rendezvous import Rendezvous

_LOG: Final = logging.getLogger(__name__)

# The shortest of so many round trips lies within microseconds of the shortest there is; they take
# a few milliseconds on a cluster's network.
PINGS: Final = 200
# A host that does not answer must not hold up a job whose GPUs are paid for.
_PATIENCE_S: Final = 10.0
# Two stamps of whole microseconds, each cut by up to one.
_RESOLUTION_US: Final = 1
_TOKEN_BYTES: Final = 16
_PING: Final = b"?"
_STAMP: Final = struct.Struct("!q")


class ClockSync:
    """One rank's part in measuring the clocks of its run's hosts."""

    def __init__(self, rendezvous: Rendezvous, clock: HostClock, attempt: AttemptPaths) -> None:
        self._meeting = rendezvous
        self._clock = clock
        self._attempt = attempt
        self._start: OffsetReading | None = None

    def measure_start(self) -> None:
        """Measure once all ranks have met; written at once, as an attempt may not reach its end."""
        self._start = self._measure("start")
        if self._start is not None:
            self._write(self._start, None)

    def measure_end(self) -> None:
        """Measure again after the last batch."""
        end = self._measure("end")
        if self._start is not None and end is not None:
            self._write(self._start, end)

    def _measure(self, moment: str) -> OffsetReading | None:
        """This host's offset; None where another rank measures, or nobody can."""
        rank, store = self._meeting.rank, self._meeting.store
        if rank.nodes == 1 or rank.local_rank != 0:
            return None
        address, done = f"clock {moment}", f"clock {moment} done"
        if rank.rank == 0:
            others = [f"{done}/{node}" for node in range(1, rank.nodes)]
            with answer_time(self._clock, rank.host) as where:
                store.set(address, where)
                store.wait(others)
            here = self._clock.now_us()
            return OffsetReading(t_us=here, offset_us=0, error_us=0, round_trip_us=0)
        where = bytes(store.get(address)).decode()
        try:
            return ask_time(self._clock, where)
        except OSError as error:
            # A record that says nothing of its clock is worth more than a run that stops for it.
            _LOG.warning("the clock of %s is not measured: %s: %s", rank.host, where, error)
            return None
        finally:
            store.set(f"{done}/{rank.node}", "")

    def _write(self, start: OffsetReading, end: OffsetReading | None) -> None:
        offset = HostOffset(
            host=self._meeting.rank.host,
            reference_host=self._reference_host(),
            start=start,
            end=end,
        )
        offset.write(self._attempt)

    def _reference_host(self) -> str:
        store = self._meeting.store
        if self._meeting.rank.rank == 0:
            store.set("clock host", self._meeting.rank.host)
        try:
            return bytes(store.get("clock host")).decode()
        except dist.DistError as error:
            raise RuntimeError(f"rank 0 must say which host it is on, but: {error}") from error


@contextmanager
def answer_time(clock: HostClock, host: str) -> Iterator[str]:
    """Answer every ping with `clock` while the block runs; where to ask: `token@host:port`."""
    token = secrets.token_bytes(_TOKEN_BYTES)
    with socket.create_server((host, 0)) as server:
        server.settimeout(_PATIENCE_S)
        server_thread = threading.Thread(target=_serve, args=(server, token, clock), daemon=True)
        server_thread.start()
        try:
            yield f"{token.hex()}@{host}:{server.getsockname()[1]}"
        finally:
            # Wakes the thread out of accept(); closing alone does not.
            server.shutdown(socket.SHUT_RDWR)
            server_thread.join(_PATIENCE_S)


def ask_time(clock: HostClock, where: str, pings: int = PINGS) -> OffsetReading:
    """The offset of `clock` against the clock that answers at `where`.

    Raises:
        OSError: nobody answers there, or not to the end.
    """
    token, _, place = where.partition("@")
    host, _, port = place.rpartition(":")
    best: OffsetReading | None = None
    with socket.create_connection((host, int(port)), timeout=_PATIENCE_S) as link:
        # Without it the kernel may hold a byte back for others to join it.
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sendall(bytes.fromhex(token))
        for _ in range(pings):
            before_us = clock.now_us()
            link.sendall(_PING)
            data = _receive(link, _STAMP.size)
            after_us = clock.now_us()
            round_trip_us = after_us - before_us
            if best is None or round_trip_us < best.round_trip_us:
                (reference_us,) = _STAMP.unpack(data)
                middle_us = (before_us + after_us) // 2
                best = OffsetReading(
                    t_us=middle_us,
                    offset_us=middle_us - reference_us,
                    error_us=(round_trip_us + 1) // 2 + _RESOLUTION_US,
                    round_trip_us=round_trip_us,
                )
    assert best is not None, "at least one ping"
    return best


def _serve(server: socket.socket, token: bytes, clock: HostClock) -> None:
    """Answer one host after another, so that they do not disturb each other."""
    while True:
        try:
            link, _ = server.accept()
        except TimeoutError:
            continue
        except OSError:
            return
        with link:
            link.settimeout(_PATIENCE_S)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                if not secrets.compare_digest(_receive(link, _TOKEN_BYTES), token):
                    continue
                while link.recv(1):
                    link.sendall(_STAMP.pack(clock.now_us()))
            except OSError as error:
                # The one who asked says so in its own log.
                _LOG.debug("a host stopped asking for the time: %s", error)


def _receive(link: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = link.recv(size - len(data))
        if not more:
            raise ConnectionError("the other side closed the connection")
        data += more
    return data
