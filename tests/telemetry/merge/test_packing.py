"""A chunk's rows as numbers, and back."""

from collections.abc import Sequence

import pyarrow as pa
import pytest

from telemetry.merge.alignment import Clocks
from telemetry.merge.packing import pack
from telemetry.merge.sample_arrays import NullReasons
from telemetry.merge.series_keys import SeriesKeys
from telemetry.record.schema import SAMPLES
from tests.support.watched_attempts import Row, sample_columns

AGREED = Clocks({}, {})


def there_and_back(rows: Sequence[Row]) -> list[Row]:
    series_keys, remarks = SeriesKeys(), NullReasons()
    packed = pack(pa.Table.from_pydict(sample_columns(rows), schema=SAMPLES), AGREED)
    table = packed.encoded(series_keys, remarks).to_table(series_keys.alphabet(), remarks.listed())
    return [tuple(row.values()) for row in table.to_pylist()]


def test_rows_come_back_sorted_with_every_null_and_reason() -> None:
    rows: list[Row] = [
        (2, "n1", "GPU-b", "energy_j", None, "no permission"),
        (2, "n1", "GPU-a", "energy_j", None, None),
        (1, "n2", "host", "energy_j", 4.5, None),
        (2, "n1", "GPU-a", "sm_clock_mhz", 7.0, "said by nobody we know"),
        (1, "n1", "host", "energy_j", 3.5, None),
    ]
    assert there_and_back(rows) == sorted(rows, key=lambda row: row[:4])


@pytest.mark.parametrize("words", [3, 170])
def test_rows_whose_words_are_all_different_come_back(words: int) -> None:
    rows: list[Row] = [
        (0, f"n{number:03d}", f"GPU-{number:03d}", f"field_{number:03d}", float(number), None)
        for number in range(words)
    ]
    assert there_and_back(rows[::-1]) == rows


def test_code_of_a_key_does_not_change_when_new_keys_come() -> None:
    series_keys = SeriesKeys()
    first = series_keys.encode([("n2", "host", "energy_j"), ("n1", "host", "energy_j")])
    again = series_keys.encode([("n0", "host", "energy_j"), ("n1", "host", "energy_j")])
    assert (first.tolist(), again.tolist()) == ([0, 1], [2, 1])
    assert series_keys.alphabet().ranks.tolist() == [2, 1, 0]
