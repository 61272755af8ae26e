"""Rows: the rows of a file that prompts are read from, each with its place for a message.

Nothing is guessed or repaired but a byte order mark, which is skipped: a key or a column that is
there twice is refused, and so is a file of another kind, by what it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from telemetry.nearest import did_you_mean
from workers.inputs.kinds import FileKind, file_fault, one_line
from workers.inputs.strict_json import BOM, CutShortError, MalformedError, parse_json

SUFFIXES: Final = (".jsonl", ".json", ".parquet")
"""Files that prompts are read from: JSON lines, one JSON array of objects, Parquet."""

_MOST_DIGITS: Final = 10

_ARRAY: Final = "; one array of objects is a .json: name it so"
_LINES: Final = "; one object a line is a .jsonl: name it so"
_CSV: Final = 'CSV is not read: write each row as a line such as {"text": "..."} of a .jsonl'
# A message is one line.
_MOST_CHARS: Final = 40
_MOST_NAMES: Final = 12


Row = tuple[str, Mapping[str, Any]]
"""Where a row stands, such as `on line 3 of 'rows.jsonl'`, and what it holds."""


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Every row of a file, with at least the `columns` that are in it.

    Raises:
        ValueError: the file is missing, of another kind or malformed; the message names the file
            and the line or row, counted from 1.
    """
    check_file(path)
    if path.suffix == ".jsonl":
        return _json_lines(path)
    if path.suffix == ".json":
        return _json_array(path)
    return _parquet_rows(path, columns)


def check_file(path: Path) -> None:
    """Check that `path` is a file with something in it, of a kind that is read here.

    Raises:
        ValueError: it is not.
    """
    parquet = path.suffix == ".parquet"
    if fault := file_fault(path, {FileKind.PARQUET} if parquet else frozenset()):
        raise ValueError(f"`path` must be a file of prompts, but {quoted(path)} {fault}")
    if path.suffix not in SUFFIXES:
        hint = f"; {_CSV}" if path.suffix in (".csv", ".tsv") else ""
        raise ValueError(
            f"`path` must end in one of {', '.join(SUFFIXES)}, but is {quoted(path)} instead{hint}"
        )


def missing_column(column: str, place: str, names: Sequence[str]) -> ValueError:
    """The error of a row that lacks a column; it says which it has."""
    return ValueError(
        f"`{one_line(column, _MOST_CHARS)}` must be a column, but is missing {place}, which has "
        f"{_names(names)}: name those that make a prompt by dataset.columns=[NAME]"
        f"{did_you_mean(column, names)}"
    )


def quoted(path: Path) -> str:
    """The path on one line whatever characters are in it."""
    return repr(str(path))


def _names(names: Sequence[str]) -> str:
    """The columns that a row has, by which a user finds the right one."""
    shown = [one_line(name, _MOST_CHARS) for name in names[:_MOST_NAMES]]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(shown) or 'none'}{more}"


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as source:
        # Bytes are split at newlines alone: str.splitlines would break at U+2028 inside a text.
        for number, line in enumerate(source, start=1):
            if not line.removeprefix(BOM).strip():
                continue
            place = f"on line {number} of {quoted(path)}"
            try:
                row = parse_json(line, place)
            except MalformedError as error:
                cut = isinstance(error, CutShortError) and not line.endswith(b"\n")
                raise _malformed(line, number, place, str(error), cut=cut) from error
            if isinstance(row, list) and number == 1 and all(isinstance(one, dict) for one in row):
                raise ValueError(
                    f"the row must be an object, but is an array of {len(row)} {place}{_ARRAY}"
                )
            yield place, _as_object(row, place)


def _malformed(line: bytes, number: int, place: str, error: str, *, cut: bool) -> ValueError:
    """The error of a line that is no JSON; the first tells what the whole file looks like."""
    if number > 1:
        return ValueError(f"{error}; the file is cut short there" if cut else error)
    start = line.removeprefix(BOM).lstrip()[:1]
    if start == b"[":
        return ValueError(f"the row must be an object, but an array begins {place}{_ARRAY}")
    if start == b"{":
        return ValueError(f"{error}; a .jsonl holds one whole object a line")
    return ValueError(f"{error}; {_CSV}" if start.isalnum() or start == b'"' else error)


def _json_array(path: Path) -> Iterator[Row]:
    place = f"in {quoted(path)}"
    data = path.read_bytes()
    try:
        content = parse_json(data, place)
    except CutShortError as error:
        raise ValueError(f"{error}; the file is cut short there") from error
    except MalformedError as error:
        hint = _LINES if _begins_with_an_object(data) else ""
        raise ValueError(f"{error}{hint}") from error
    if not isinstance(content, list):
        raise ValueError(
            f"the content must be one array of objects, but is a {type(content).__name__} instead "
            f"{place}{_LINES}"
        )
    for number, row in enumerate(content, start=1):
        place = f"in row {number} of {quoted(path)}"
        yield place, _as_object(row, place)


def _begins_with_an_object(data: bytes) -> bool:
    """True when the first line that is not blank is one whole object."""
    first = data.removeprefix(BOM).lstrip().partition(b"\n")[0]
    try:
        return isinstance(parse_json(first, ""), dict)
    except ValueError:
        return False


def _as_object(row: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise ValueError(f"the row must be an object, but is a {type(row).__name__} {place}")
    return row


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    import pyarrow as pa  # noqa: PLC0415 (naming a corpus must stay cheap)
    import pyarrow.parquet as pq  # noqa: PLC0415

    number = 0
    try:
        # Not a path: pyarrow reads some characters of one as a URI.
        with path.open("rb") as source, pq.ParquetFile(source) as table:
            names = table.schema_arrow.names
            _require_once(names, path)
            # A name may have dots of its own.
            tops = {column: {column, column.split(".")[0]} & set(names) for column in columns}
            if missing := [column for column, some in tops.items() if not some]:
                raise missing_column(missing[0], f"in {quoted(path)}", names)
            wanted = set().union(*tops.values())
            for name in sorted(wanted):
                _require_fields_once(table.schema_arrow.field(name).type, path)
            for batch in table.iter_batches(columns=[name for name in names if name in wanted]):
                for row in batch.to_pylist():
                    number += 1
                    yield f"in row {number} of {quoted(path)}", row
    except (
        *(pa.ArrowException, OSError, OverflowError, RecursionError, UnicodeDecodeError),
    ) as error:
        raise ValueError(
            f"{quoted(path)} must be a Parquet file, but is not, after {number} rows: "
            f"{one_line(error)}"
        ) from error


def _require_once(names: Sequence[str], path: Path) -> None:
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(
            f"`{one_line(twice, _MOST_CHARS)}` must be one column, but {names.count(twice)} have "
            f"that name in {quoted(path)}"
        )


def _require_fields_once(kind: Any, path: Path) -> None:
    """The same of the columns within a column."""
    fields = [kind.field(at) for at in range(kind.num_fields)]
    _require_once([field.name for field in fields], path)
    for field in fields:
        _require_fields_once(field.type, path)
