"""Limits: how much of a foreign folder is read, each limit with its reason.

A record may come from anybody. What is beyond a limit is refused before it is read or decoded, in
one line with the limit and the value; docs/audit.md has the table.
"""

from dataclasses import dataclass
from typing import Final

from telemetry.damage import DamagedError


class BeyondLimitError(DamagedError):
    """A file or folder holds more than is read of one that anybody may have made."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The most of something that is read."""

    what: str
    """What is counted, such as `bytes of a JSON file`."""
    most: int
    """How many there may be."""
    reason: str
    """Why so many, and what an honest record has."""

    def require(self, found: int, where: str) -> None:
        """Refuse what is beyond.

        Args:
            found: how many there are.
            where: the file or folder, as the message is to name it.

        Raises:
            BeyondLimitError: there are more than `most`.
        """
        if found > self.most:
            raise BeyondLimitError(
                f"{where} must have at most {self.most} {self.what}, but has {found} instead"
            )


FILE_BYTES: Final = Limit(
    what="bytes",
    most=2 << 30,
    reason="the rows that a table may have are some 200 MB; a file of holes is hashed like any",
)
"""Of any file of a record."""
ATTEMPT_BYTES: Final = Limit(
    what="bytes of files",
    most=16 << 30,
    reason="a table and its parts are twice the rows; what is hashed takes a second a GB",
)
"""Of one attempt's files together."""
JSON_BYTES: Final = Limit(
    what="bytes of JSON",
    most=16 << 20,
    reason="a manifest of 64 nodes and two days of parts has some 6 MB",
)
"""Of a JSON file, a seal, a root, or what a table's metadata hold."""
JSON_VALUES: Final = Limit(
    what="JSON values",
    most=1 << 20,
    reason="an empty list is three bytes of file and 64 of memory; that manifest has 300,000",
)
"""Of a JSON file."""
JSON_DEPTH: Final = Limit(
    what="levels of JSON",
    most=64,
    reason="a record's deepest file, provenance.json, has 6; code that walks it recurses",
)
"""Of lists and objects in each other."""
JSON_BITS: Final = Limit(
    what="bits of a whole number",
    most=64,
    reason="microseconds, counters and seeds fit; arithmetic with longer ones has no bound",
)
"""Of a whole number in JSON."""
TEXT_BYTES: Final = Limit(
    what="bytes of text",
    most=256 << 20,
    reason="prompts of a hundred thousand lines are some 50 MB",
)
"""Of a prompts file, a log, or a table that a report wrote as CSV."""
SIGNATURE_BYTES: Final = Limit(
    what="bytes of signature", most=64 << 10, reason="a key of 16,384 bits gives 3 kB"
)
"""Of a signature, a time stamp or a bundle."""
FOLDER_ENTRIES: Final = Limit(
    what="entries",
    most=100_000,
    reason="days of parts of one writer are a thousand; a campaign has some thousand runs",
)
"""Of one folder."""
ATTEMPT_FILES: Final = Limit(
    what="files",
    most=200_000,
    reason="64 nodes of two days have 20,000 parts",
)
"""Of one attempt, in all its folders."""
ATTEMPT_DEPTH: Final = Limit(
    what="folders in each other", most=8, reason="shards/samples/<host> are three"
)
"""Below one attempt."""
FOOTER_BYTES: Final = Limit(
    what="bytes of footer",
    most=16 << 20,
    reason="a billion rows in groups of 65,536 are told in some 12 MB",
)
"""Of a Parquet file, or of an Arrow stream's schema."""
FOOTER_ENTRIES: Final = Limit(
    what="entries of a list in a footer",
    most=20_000,
    reason="1.3 billion rows in groups of 65,536; a schema as long is still no stack overflow",
)
"""Of row groups, columns or metadata, as Parquet's footer lists them."""
COLUMNS: Final = Limit(
    what="columns", most=512, reason="the widest table of the record has 16, of the report 120"
)
"""Of a table."""
TABLE_ROWS: Final = Limit(
    what="rows",
    most=1 << 25,
    reason="eight GPUs, 20 readings each at 10 Hz, for five hours",
)
"""Of one Parquet file."""
GROUP_ROWS: Final = Limit(
    what="rows in one group",
    most=1 << 20,
    reason="ours have 65,536, Arrow's default is this; a group is decoded at once",
)
"""Of one row group, or one batch of an Arrow stream."""
GROUP_VALUES: Final = Limit(
    what="values of a column in one group",
    most=1 << 24,
    reason="65,536 answers of 256 ids; a run-length page of 1 kB can promise two billion",
)
"""Of one column of one row group, lists counted by what they hold."""
PAGE_BYTES: Final = Limit(
    what="bytes of a page, unpacked",
    most=64 << 20,
    reason="writers end a page at 1 MB; a thousand long texts may stand in one",
)
"""Of one page of a Parquet file, or one message of an Arrow stream."""
STREAM_BYTES: Final = Limit(
    what="bytes of an open part",
    most=512 << 20,
    reason="a part is closed after a million rows, some 110 MB; one that cannot be may go on",
)
"""Of a stream that its writer did not close."""
GROUP_BYTES: Final = Limit(
    what="bytes of a group, unpacked",
    most=256 << 20,
    reason="a group of 65,536 answers of 4 kB; so much is held at once while it is decoded",
)
"""Of one row group, all columns, as the pages' own headers and the decoded texts have it."""
TABLE_BYTES: Final = Limit(
    what="bytes, decoded",
    most=384 << 20,
    reason="what a number is computed from is held at once, and sorted: twice this",
)
"""Of what is wanted of one Parquet file."""
TEXTS_BYTES: Final = Limit(
    what="bytes of words",
    most=512 << 20,
    reason="host, GPU, reading and reason of ten million samples are some 400 MB in every row",
)
"""Of the samples that are asked for whole, their words in every row."""
SERIES: Final = Limit(
    what="series of host, device and field",
    most=100_000,
    reason="64 nodes of eight GPUs and as many ranks have 20,000; each gets a line in a manifest",
)
"""Of one attempt's samples; so many different reasons of missing readings, too."""
RANKS: Final = Limit(what="ranks", most=4096, reason="what one model is spread over is below 100")
"""Of one run."""
CHECK_SECONDS: Final = Limit(
    what="seconds of processor time",
    most=600,
    reason="all checks of 32 GPUs and ten minutes take 22 s; the sizes above leave no loop longer",
)
"""Of one check of one run, and of what it reads for those after it."""
EVIDENCE_CHARS: Final = Limit(
    what="characters of evidence",
    most=2000,
    reason="a line of evidence has some hundred; a longer one is cut, as a name may be a megabyte",
)
"""Of what a check says: it is cut there, not refused."""
LIMITS: Final = (
    *(FILE_BYTES, ATTEMPT_BYTES, JSON_BYTES, JSON_VALUES, JSON_DEPTH, JSON_BITS, TEXT_BYTES),
    *(SIGNATURE_BYTES, FOLDER_ENTRIES, ATTEMPT_FILES, ATTEMPT_DEPTH, FOOTER_BYTES),
    *(FOOTER_ENTRIES, COLUMNS),
    *(TABLE_ROWS, GROUP_ROWS, GROUP_VALUES, PAGE_BYTES, STREAM_BYTES),
    *(GROUP_BYTES, TABLE_BYTES, TEXTS_BYTES, SERIES, RANKS),
    *(CHECK_SECONDS, EVIDENCE_CHARS),
)
"""All of them, in the order of the documented table."""

# Of 54 recorded tables the densest had 0.23 rows a byte of file; constant columns have any number.
_ROWS_PER_BYTE: Final = 2
# A table of so many rows is decoded in a second, whatever the file's size.
_ROWS_OF_ANY_FILE: Final = 1 << 20


def require_rows(rows: int, file_bytes: int, where: str) -> None:
    """Refuse a table of more rows than any may have, or than a file of its size can mean.

    Raises:
        BeyondLimitError: it has.
    """
    TABLE_ROWS.require(rows, where)
    most = _ROWS_OF_ANY_FILE + _ROWS_PER_BYTE * file_bytes
    if rows > most:
        raise BeyondLimitError(
            f"{where} must have at most {most} rows in its {file_bytes} bytes "
            f"({_ROWS_OF_ANY_FILE} and {_ROWS_PER_BYTE} a byte), but has {rows} instead"
        )
