"""What a user may state, and the one line that says what is wrong with it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from analysis.footprint.factors import Factors

GRID = {"value": 400, "source": "a grid operator", "period": "2025"}
PRICE = {"value": 0.25, "currency": "EUR", "source": "a contract", "date": "2026-01-31"}


def stated(tmp_path: Path, content: Any, name: str = "f.json") -> Path:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ValueError) as told:  # noqa: PT011 - the text is what is tested
        Factors.read(path)
    text = str(told.value)
    assert "\n" not in text
    return text


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    yaml = """
grid_intensity_g_per_kwh: {value: 400, source: a grid operator, period: 2025}
price_per_kwh:
  value: 0.25
  currency: EUR
  source: a contract
  date: 2026-01-31
"""
    content = {"grid_intensity_g_per_kwh": GRID, "price_per_kwh": PRICE}
    one = Factors.read(stated(tmp_path, yaml, "f.yaml"))
    assert one == Factors.read(stated(tmp_path, content))
    assert one.grid_intensity_g_per_kwh is not None
    assert one.grid_intensity_g_per_kwh.value == 400.0
    assert one.price_per_kwh is not None
    assert (one.price_per_kwh.unit, one.price_per_kwh.when) == ("EUR / kWh", "2026-01-31")
    assert one.pue is None


@pytest.mark.parametrize("period", ["2025", "2025-06", "2025-01-01/2025-06-30", 2025])
def test_a_period_is_a_year_a_month_or_two_days(tmp_path: Path, period: object) -> None:
    found = Factors.read(stated(tmp_path, {"grid_intensity_g_per_kwh": {**GRID, "period": period}}))
    assert found.stated[0].when == str(period)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"value": -1}, "`grid_intensity_g_per_kwh.value` must be a number from 0 to 3000"),
        ({"value": 4e5}, "but is 400000.0 instead"),
        ({"value": True}, "but is True instead"),
        ({"value": "400"}, "but is '400' instead"),
        ({"value": None}, "but is None instead"),
        ({"source": " "}, "`grid_intensity_g_per_kwh.source` must say in at most 500 characters"),
        ({"source": "x" * 501}, "…"),
        ({"source": "a\u202eb"}, "source` must say"),
        ({"source": None}, "source` must say"),
        ({"period": "last year"}, "`grid_intensity_g_per_kwh.period` must be a year (2025)"),
        ({"period": "2025-13"}, "period` must be a year"),
        ({"period": "2026/2025"}, "period` must be a year"),
        ({"period": "2025-01-01"}, "period` must be a year"),
        ({"period": 1e999}, "must hold"),
        ({"date": "2026-01-01"}, "must have a date or a period, but has date and period"),
        ({"sorce": "x"}, "did you mean source?"),
        ({"currency": "EUR"}, "must be one of value, source, date, period, but is 'currency'"),
    ],
)
def test_a_factor_that_will_not_do_is_told_in_one_line(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    path = stated(tmp_path, {"grid_intensity_g_per_kwh": {**GRID, **change}})
    assert told in refusal(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "must state at least one of grid_intensity_g_per_kwh"),
        ({"grid_intensity": GRID}, "did you mean grid_intensity_g_per_kwh?"),
        ({"grid_intensity_g_per_kwh": 400}, "must be keys (value, source, date or period)"),
        ({"price_per_kwh": {**PRICE, "currency": "€"}}, "three capitals (ISO 4217)"),
        ({"price_per_kwh": {**PRICE, "date": "31.01.2026"}}, "a day such as 2026-11-27"),
        ({"pue": {**GRID, "value": 0.9}}, "from 1 to 10 (a ratio), but is 0.9 instead"),
        ([1], "must be a JSON object"),
        ('{"pue": {"value": 1, "value": 2}}', "stands twice"),
        ('{"pue": ', "not JSON"),
    ],
)
def test_a_file_that_will_not_do_is_told_in_one_line(
    tmp_path: Path, content: Any, told: str
) -> None:
    assert told in refusal(stated(tmp_path, content))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pue: {value: 1.2, value: 1.3, source: a, date: 2026-01-01}", "'value' stands twice"),
        ("pue: &a {value: 1.2}\nembodied_g_per_gpu_hour: *a", "has an alias"),
        ("pue: {value: 1:30, source: a, date: 2026-01-01}", "but is '1:30' instead"),
        ('pue: {value: "1.2", source: a, date: 2026-01-01}', "but is '1.2' instead"),
        ("pue: {value: 1.2, source: a, period: 1e999}", "`pue.period` must be a year"),
        ("pue: {value: .inf, source: a, date: 2026-01-01}", "but is '.inf' instead"),
        ("pue: !!python/object:os.system {value: 1.2}", "`pue.source`"),
        ("- 1", "must hold keys, but holds list"),
        ("? [1]\n: 2", "must have words for keys"),
        ("pue: {", "is not YAML"),
        ("[" * 5000, "too deep"),
        ("a: 1\n---\nb: 2", "is not YAML"),
    ],
)
def test_yaml_is_read_as_words_and_numbers_and_does_nothing_else(
    tmp_path: Path, text: str, told: str
) -> None:
    assert told in refusal(stated(tmp_path, text, "f.yaml"))


def test_a_link_a_pipe_a_large_file_and_another_ending_are_refused(tmp_path: Path) -> None:
    real = stated(tmp_path, {"pue": {**GRID, "value": 1.1}})
    link = tmp_path / "link.json"
    link.symlink_to(real)
    assert "`--factors` must be" in refusal(link)
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    assert "plain file" in refusal(pipe)
    assert "at most 65536 bytes" in refusal(stated(tmp_path, " " * (1 << 17), "large.json"))
    assert "must be a .yaml, .yml or .json file" in refusal(stated(tmp_path, "{}", "f.txt"))
    assert "is missing" in refusal(tmp_path / "none.yaml")
