"""A share of the board's own is read one way, by whoever plans and by whoever audits."""

import pytest

from telemetry.boards.table import BOARDS
from telemetry.record.shares import of_board, own_value, per_cent


@pytest.mark.parametrize(("text", "share"), [("70%", 70.0), (" 62.5 % ", 62.5), ("100%", 100.0)])
def test_a_percentage_is_read(text: str, share: float) -> None:
    assert per_cent(text) == share


@pytest.mark.parametrize("text", ["70", "0%", "101%", "-5%", "7\u0660%", "1e1%", "70%%", "%"])
def test_what_is_no_percentage_is_none(text: str) -> None:
    assert per_cent(text) is None


def test_a_cap_is_of_the_default_limit_and_a_clock_of_the_highest() -> None:
    board = BOARDS["h200"]
    assert own_value("h200", "decode_power_cap_w") == board.power_limit_w == 700.0
    assert own_value("simulated-h200", "sm_clock_mhz") == board.max_sm_clock_mhz
    assert of_board("decode_power_cap_w", 700.0, 70.0) == 490


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_a_share_of_a_clock_is_one_that_boards_offer(name: str) -> None:
    most = BOARDS[name].max_sm_clock_mhz
    assert most is not None
    for share in (100.0, 85.0, 70.0, 55.0, 40.0, 25.0):
        clock = of_board("sm_clock_mhz", most, share)
        assert (most - clock) % 15 == 0
        assert abs(clock - most * share / 100.0) <= 7.5
    assert of_board("sm_clock_mhz", most, 100.0) == most


def test_the_least_share_of_a_clock_is_no_clock_of_nothing() -> None:
    assert of_board("sm_clock_mhz", 1980.0, 0.1) == 15


def test_of_a_memory_clock_or_an_unknown_board_nothing_is_known() -> None:
    assert own_value("h200", "memory_clock_mhz") is None
    assert own_value("none-such", "power_cap_w") is None
