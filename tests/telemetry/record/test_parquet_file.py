"""A Parquet file that anybody may have written is decoded within limits, or refused in one line."""

import resource
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from telemetry.record.limits import GROUP_VALUES, PAGE_BYTES, BeyondLimitError
from telemetry.record.parquet_file import open_parquet, parquet_schema, read_parquet
from telemetry.record.parquet_pages import ColumnPages, PagesError, unpacked_bytes

# What refusing a bomb may take of memory, in kB as Linux counts: the tables themselves are larger.
MOST_PEAK_KB = 300_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.parquet"


def test_a_table_comes_back_as_it_was_written(path: Path) -> None:
    table = pa.table(
        {
            "t_us": pa.array(range(1000), pa.int64()),
            "text": pa.array([None if each % 7 == 0 else f"é{each % 5}" for each in range(1000)]),
            "ids": pa.array([[each] * (each % 4) for each in range(1000)], pa.list_(pa.int32())),
            "none": pa.nulls(1000, pa.string()),
            "ended": pa.array([each % 2 == 0 for each in range(1000)]),
        }
    ).replace_schema_metadata({b"key": b"value"})
    pq.write_table(table, path, compression="zstd", row_group_size=64, data_page_size=100)
    found = read_parquet(path)
    assert found.equals(pq.read_table(path, partitioning=None), check_metadata=True)
    assert read_parquet(pa.py_buffer(path.read_bytes())).equals(found)
    assert parquet_schema(path) == found.schema
    assert read_parquet(path, ["text"]).equals(table.select(["text"]))


def test_an_empty_table_comes_back_too(path: Path) -> None:
    table = pa.table({"a": pa.array([], pa.string()), "b": pa.array([], pa.float64())})
    pq.write_table(table, path)
    assert read_parquet(path).equals(table)
    pq.ParquetWriter(path, table.schema).close()
    assert read_parquet(path).equals(table)


def test_words_are_codes_of_one_dictionary(path: Path) -> None:
    table = pa.table({"word": ["a", "b", "c", "b"], "n": [1, 2, 3, 4]})
    pq.write_table(table, path, row_group_size=2)
    found = read_parquet(path, words=("word",), keep=lambda group: pc.greater(group["n"], 1))
    assert pa.types.is_dictionary(found["word"].type)
    assert found["word"].to_pylist() == ["b", "c", "b"]
    assert found["word"].chunk(0).dictionary == found["word"].chunk(1).dictionary


def test_more_rows_than_a_file_of_its_size_can_mean_are_refused_before_a_page_is_read(
    path: Path,
) -> None:
    rows = (1 << 20) + 500_000
    pq.write_table(pa.table({"t_us": np.zeros(rows, np.int8)}), path, compression="zstd")
    size = path.stat().st_size
    with pytest.raises(BeyondLimitError, match=f"rows in its {size} bytes .* but has {rows}"):
        read_parquet(path)


def test_a_long_text_in_every_row_is_weighed_before_it_stands_there(path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(60_000, np.int32)), ["x" * 900_000])
    pq.write_table(pa.table({"text": text}), path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 10_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BeyondLimitError, match=r"the texts of row group 0 .* has 54000000000"):
        read_parquet(path)
    # As a code in every row it is no more than it is.
    assert read_parquet(path, words=("text",)).num_rows == 60_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_PEAK_KB


def test_a_page_that_unpacks_to_more_than_any_is_refused_by_its_header(path: Path) -> None:
    text = pa.array(["\0" * (PAGE_BYTES.most + 1)])
    pq.write_table(pa.table({"text": text}), path, compression="zstd", use_dictionary=False)
    assert path.stat().st_size < 100_000
    with pytest.raises(BeyondLimitError, match="a page of text in row group 0"):
        read_parquet(path)


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_an_encoding_that_may_grow_without_bound_is_refused(path: Path, encoding: str) -> None:
    table = pa.table({"text": ["aaaa", "aaab"]})
    pq.write_table(table, path, use_dictionary=False, column_encoding={"text": encoding})
    with pytest.raises(PagesError, match="must be of encodings"):
        read_parquet(path)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([{"a": 1}]),
        pa.array([[["a"]]]),
        pa.array([["a"]]),
        pa.array([b"a" * 9], pa.binary(9)),
        pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int32())),
    ],
    ids=lambda column: str(column.type),
)
def test_a_column_of_values_without_a_known_weight_is_refused(path: Path, column: pa.Array) -> None:
    pq.write_table(pa.table({"odd": column}), path)
    with pytest.raises(ValueError, match=r"`odd` of table\.parquet must be of numbers, texts"):
        read_parquet(path)


def test_a_footer_longer_than_any_is_refused_before_it_is_parsed(path: Path) -> None:
    with path.open("wb") as sink:
        sink.truncate(64 << 20)
        sink.seek(0, 2)
        sink.write(struct.pack("<I4s", 60 << 20, b"PAR1"))
    with pytest.raises(BeyondLimitError, match="bytes of footer, but has 62914560"):
        read_parquet(path)


@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"PAR1PAR1", b"\0" * 100, b"PAR1\xff\xff\xff\xffPAR1"]
)
def test_what_is_no_parquet_file_says_so(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises((ValueError, OSError), match=r"table\.parquet|Parquet|file size"):
        read_parquet(path)


@pytest.mark.parametrize("seed", range(40))
def test_bytes_changed_at_random_give_a_table_or_an_error_and_nothing_else(
    path: Path, seed: int
) -> None:
    random = np.random.default_rng(seed)
    table = pa.table({"t": np.arange(500), "w": ["a", "bb"] * 250, "v": random.normal(size=500)})
    pq.write_table(table, path, compression="zstd", row_group_size=100)
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    places = random.integers(0, len(data), 1 + seed % 8)
    data[places] = random.integers(0, 256, len(places), dtype=np.uint8)
    path.write_bytes(data.tobytes())
    try:
        read_parquet(path)
    except (ValueError, OSError, pa.ArrowException):
        return


def _page(*, unpacked: int, packed: int, values: int, encoding: int = 0) -> bytes:
    """A data page's header in Thrift's compact protocol, without statistics."""

    def whole(value: int) -> bytes:
        zigzag, out = (value << 1) ^ (value >> 63), b""
        while zigzag > 0x7F:
            out, zigzag = out + bytes([zigzag & 0x7F | 0x80]), zigzag >> 7
        return out + bytes([zigzag])

    own = b"\x15" + whole(values) + b"\x15" + whole(encoding) + b"\x15\x06\x15\x06\x00"
    return b"\x15\x00\x15" + whole(unpacked) + b"\x15" + whole(packed) + b"\x2c" + own + b"\x00"


def _weigh(data: bytes, values: int) -> int:
    pages = ColumnPages(name="column", start=0, length=len(data), values=values)
    return unpacked_bytes(pages, lambda place, count: data[place : place + count])


def test_pages_are_weighed_by_their_own_headers() -> None:
    page = _page(unpacked=1000, packed=4, values=7) + b"abcd"
    assert _weigh(page + page, 14) == 2000


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (_page(unpacked=1 << 31, packed=0, values=1), "bytes of a page, unpacked"),
        (_page(unpacked=9, packed=0, values=GROUP_VALUES.most + 1), "values of a column"),
        (_page(unpacked=9, packed=100, values=1), "must lie in its chunk"),
        (_page(unpacked=9, packed=-1, values=1), "must lie in its chunk"),
        (_page(unpacked=-9, packed=0, values=1), "must lie in its chunk"),
        (_page(unpacked=9, packed=0, values=2), "must have the footer's 1 values, but have 2"),
        (_page(unpacked=9, packed=0, values=1, encoding=7), "must be of encodings"),
        (_page(unpacked=9, packed=0, values=1)[:-4], "no whole page begins at byte 0"),
        (b"\x15\x00\x15\x00\x05\x02\x00", "a field twice, or out of order"),
        (b"\x1c" * 20, "too deep"),
        (b"\x15" + b"\xff" * 20, "a number without end"),
        (b"\x19\x00", "Thrift's type 9"),
        (b"\x00", "must say its sizes"),
    ],
)
def test_a_page_that_is_not_what_the_footer_says_is_refused(page: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _weigh(page, 1)


def test_a_link_to_a_table_is_not_followed(tmp_path: Path, path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    path.symlink_to("other.parquet")
    with pytest.raises(ValueError, match="but is a link"), open_parquet(path):
        pass
