"""Wish: what the launcher writes into a job's comment is what the broker reads there."""

from typing import Any

import pytest

from tests.slurm.power.bench import broker


@pytest.mark.parametrize("cap_w", [None, 250, 700])
@pytest.mark.parametrize("sm_mhz", [None, 1410])
@pytest.mark.parametrize("mem_mhz", [None, 1593])
def test_what_the_launcher_wishes_the_broker_reads(
    cap_w: int | None, sm_mhz: int | None, mem_mhz: int | None
) -> None:
    wishes: Any = pytest.importorskip("telemetry.power.wish")
    cap = None if cap_w is None else float(cap_w)
    wish = wishes.Wish(power_cap_w=cap, sm_clock_mhz=sm_mhz, memory_clock_mhz=mem_mhz)
    asked = broker.Wish(cap_w=cap_w, sm_mhz=sm_mhz, mem_mhz=mem_mhz)
    if wish.comment is None:
        assert asked == broker.Wish()
    else:
        assert broker.parse_wish(wish.comment.encode()) == asked


@pytest.mark.parametrize("tail", [b"", b" ", b" joulegrid:samples/n1/0:3:ab", b" anything else"])
def test_a_wish_is_the_first_word_whatever_follows(tail: bytes) -> None:
    read = broker.parse_wish(b"joulegrid-power:sm_mhz=1410,cap_w=250" + tail)
    assert read == broker.Wish(cap_w=250, sm_mhz=1410)
