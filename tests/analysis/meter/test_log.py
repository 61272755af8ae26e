"""A row of a meter's log is taken or refused with its line, never bent."""

import pytest

from analysis.meter.log import read_log
from analysis.meter.statement import Statement

START = 1_795_761_875


def stated(**changes: object) -> Statement:
    content: dict[str, object] = {
        **{"name": "pdu", "boundary": "node", "covers": ["node0"]},
        **{"time_column": "time", "time_unit": "s", "power_column": "watts"},
    }
    return Statement.from_mapping({**content, **changes})


def lines(*cells: str, header: str = "time,watts") -> bytes:
    return "\n".join([header, *cells, ""]).encode()


def counted(count: int = 12) -> list[str]:
    return [f"{START + second},{200 + second}" for second in range(count)]


def test_units_become_si() -> None:
    log = read_log(
        lines(*(f"{START + s},0.2,{s}" for s in range(12)), header="time,watts,total"),
        stated(power_unit="kW", energy_column="total", energy_unit="Wh"),
    )
    assert log.power_w is not None
    assert log.energy_j is not None
    assert log.power_w[0] == pytest.approx(200.0)
    assert log.energy_j[-1] == pytest.approx(11 * 3600.0)
    assert log.t_us[0] == START * 1_000_000


@pytest.mark.parametrize(
    ("unit", "scale"), [("s", 1), ("ms", 1_000), ("us", 1_000_000), ("ns", 1_000_000_000)]
)
def test_an_epoch_in_any_unit_is_the_same_time(unit: str, scale: int) -> None:
    log = read_log(
        lines(*(f"{(START + s) * scale},200" for s in range(12))), stated(time_unit=unit)
    )
    assert log.t_us[1] == (START + 1) * 1_000_000


def test_an_epoch_in_another_unit_than_stated_is_refused() -> None:
    with pytest.raises(ValueError, match=r"line 2: a time must lie between 2000 and 2100.*unit"):
        read_log(lines(*counted()), stated(time_unit="us"))


def test_a_written_time_without_a_zone_is_refused_and_with_one_taken() -> None:
    cells = [f"2026-11-27 07:{minute:02}:00,200" for minute in range(12)]
    with pytest.raises(ValueError, match="line 2: a time must name its zone"):
        read_log(lines(*cells), stated(time_unit="iso"))
    berlin = read_log(lines(*cells), stated(time_unit="iso", zone="Europe/Berlin"))
    utc = read_log(lines(*cells), stated(time_unit="iso", zone="UTC"))
    assert utc.t_us[0] - berlin.t_us[0] == 3600 * 1_000_000


def test_the_hour_that_a_zone_has_twice_goes_on() -> None:
    # 2026-10-25: at 3:00 summer time Berlin goes back to 2:00.
    times = [f"2026-10-25 02:{minute:02}:00,200" for minute in range(0, 60, 10)]
    log = read_log(lines(*times, *times), stated(time_unit="iso", zone="Europe/Berlin"))
    assert set((log.t_us[1:] - log.t_us[:-1]).tolist()) == {600 * 1_000_000}


def test_a_form_of_another_country_is_read_as_it_says() -> None:
    cells = [f"27.11.2026 07:00:{second:02};1,5" for second in range(12)]
    log = read_log(
        lines("# a PDU", "time;watts", *cells, header="# of a rack"),
        stated(time_unit="iso", time_format="%d.%m.%Y %H:%M:%S", zone="UTC", power_unit="kW"),
        separator=";",
        decimal=",",
        skip=2,
    )
    assert log.power_w is not None
    assert log.power_w[0] == pytest.approx(1500.0)


def test_a_time_that_falls_is_refused_and_one_that_repeats_left_out() -> None:
    good = counted()
    with pytest.raises(ValueError, match="line 14: a time must not lie before"):
        read_log(lines(*good, good[0]), stated())
    assert read_log(lines(*good, good[-1]), stated()).repeated == 1


def test_a_gap_an_empty_cell_and_a_reset_are_counted() -> None:
    cells = [f"{START + s + (60 if s > 5 else 0)},{'' if s == 3 else 200}" for s in range(12)]
    log = read_log(lines(*cells), stated())
    assert (log.gaps, log.largest_gap_us, log.nulls) == (1, 61_000_000, 1)
    totals = [f"{START + s},{s if s < 6 else s - 6}" for s in range(12)]
    fell = read_log(lines(*totals), stated(power_column=None, energy_column="watts"))
    assert fell.resets == 1


@pytest.mark.parametrize("cell", ["nan", "inf", "1_000", "12 W", "--"])
def test_what_is_no_number_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="line 14: a reading must be a number"):
        read_log(lines(*counted(), f"{START + 60},{cell}"), stated())


def test_a_row_that_lacks_a_cell_and_a_header_that_lacks_a_column_are_refused() -> None:
    with pytest.raises(ValueError, match="line 14: a row must have 2 cells"):
        read_log(lines(*counted(), str(START + 60)), stated())
    with pytest.raises(ValueError, match="must have the column 'watts' once"):
        read_log(lines(*counted(), header="time,power"), stated())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"covers": []}, "`covers` must name"),
        ({"power_column": None}, "`power` or `energy` must name"),
        ({"boundary": "share"}, "`share` must be below 1"),
        ({"share": 0.5}, "`share` must be below 1 where"),
        ({"gain": 1000.0}, "`gain` must be 0.1 to 10"),
        ({"clock_offset_s": 1.0}, "must be stated together"),
        ({"name": "../up"}, "`name` must be"),
        ({"zone": "UTC"}, "must be left out where `time_unit`"),
    ],
)
def test_what_cannot_be_stated_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stated(**changes)
