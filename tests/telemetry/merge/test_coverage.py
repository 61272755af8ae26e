"""Coverage counted block by block is that of the whole table."""

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.merge.alignment import Clocks
from telemetry.merge.coverage import Coverage
from telemetry.merge.packing import pack
from telemetry.merge.sample_arrays import NullReasons
from telemetry.merge.series_keys import SeriesKeys
from telemetry.record.schema import TABLES
from tests.support.watched_attempts import Row, sample_columns

PERIODS_US = {"n1": {"power_instant_w": 10}}
ROWS = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=300),
        st.sampled_from(["n1", "n2"]),
        st.sampled_from(["GPU-a", "rank-00000"]),
        st.sampled_from(["power_instant_w", "process_memory_bytes"]),
        st.sampled_from([None, 1.0, float("nan")]),
    ).map(lambda row: (*row, "none" if row[4] is None else None)),
    min_size=1,
    max_size=40,
).map(lambda rows: sorted(rows, key=lambda row: row[:4]))


def to_table(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pydict(sample_columns(rows), schema=TABLES["samples"])


def naive(rows: Sequence[Row]) -> list[dict[str, Any]]:
    found = []
    for host, device, name in sorted({row[1:4] for row in rows}):
        own = name == "process_memory_bytes"
        window = [row[0] for row in rows if row[1] == host]
        if own:
            window = [row[0] for row in rows if row[1:4] == (host, device, name)]
        here = [row for row in rows if row[1:4] == (host, device, name)]
        times = [row[0] for row in here if row[4] == 1.0]
        edges = [min(window), *times, max(window)]
        period_us = PERIODS_US.get(host, {}).get(name)
        nulls = Counter(row[5] or "not a number" for row in here if row[4] != 1.0)
        found.append(
            {
                "host": host,
                "device": device,
                "field": name,
                "period_us": period_us,
                "expected": (max(window) - min(window)) // period_us + 1 if period_us else None,
                "got": len(times),
                "nulls": dict(nulls),
                "largest_gap_us": max(
                    later - earlier for earlier, later in itertools.pairwise(edges)
                ),
            }
        )
    return found


@settings(max_examples=100)
@given(rows=ROWS, cuts=st.lists(st.integers(min_value=0, max_value=40), max_size=4))
def test_coverage_does_not_depend_on_how_the_table_is_cut(
    rows: Sequence[Row], cuts: Sequence[int]
) -> None:
    coverage, series_keys, remarks = Coverage(), SeriesKeys(), NullReasons()
    edges = [0, *sorted(cuts), len(rows)]
    for start, stop in itertools.pairwise(edges):
        packed = pack(to_table(rows[start:stop]), Clocks({}, {}))
        coverage.add(packed.encoded(series_keys, remarks), remarks.listed())
    assert coverage.rows(series_keys.keys(), PERIODS_US) == naive(rows)


def test_each_of_more_devices_than_16_bits_can_tell_apart_is_counted() -> None:
    rows: list[Row] = [
        (t_us, "n1", f"GPU-{device:06d}", "power_instant_w", 1.0, None)
        for t_us in (0, 10)
        for device in range(66_000)
    ]
    coverage, series_keys, remarks = Coverage(), SeriesKeys(), NullReasons()
    packed = pack(to_table(rows), Clocks({}, {}))
    coverage.add(packed.encoded(series_keys, remarks), remarks.listed())
    found = coverage.rows(series_keys.keys(), PERIODS_US)
    assert len(found) == 66_000
    assert {(row["got"], row["largest_gap_us"]) for row in found} == {(2, 10)}
