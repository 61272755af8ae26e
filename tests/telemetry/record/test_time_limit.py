"""What looks at a foreign record for too long is told so, wherever it is."""

import signal
import threading
import time

import pytest

from telemetry.record.limits import BeyondLimitError, Limit
from telemetry.record.time_limit import within

SECOND = Limit(what="seconds", most=1, reason="a test waits no longer")


def work(cpu_s: float) -> None:
    until = time.process_time() + cpu_s
    while time.process_time() < until:
        sum(range(1000))


def test_what_takes_too_long_is_refused_in_a_line() -> None:
    with pytest.raises(BeyondLimitError, match="the check must take at most 1 seconds"):  # noqa: SIM117
        with within(SECOND, "the check"):
            work(20.0)
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_what_is_done_in_time_is_left_alone_and_leaves_no_timer() -> None:
    before = signal.getsignal(signal.SIGPROF)
    with within(SECOND, "the check"), within(SECOND, "a part of it"):
        work(0.01)
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGPROF) is before


def test_another_thread_is_not_interrupted() -> None:
    done: list[bool] = []

    def look() -> None:
        with within(SECOND, "the check"):
            done.append(True)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert done == [True]
