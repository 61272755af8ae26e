"""Corpus: a dataset that prompts are taken from, and how its rows become text.

A prompt is the text of the corpus' columns, those that are not empty, joined by a newline. There
is no other template: what the model reads is what the dataset's authors wrote.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

BUNDLED: Final = Path(__file__).resolve().parent / "bundled"
SUFFIXES: Final = (".jsonl", ".json", ".parquet")
"""Files that prompts are read from: JSON lines, one JSON array of objects, Parquet."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """One dataset by name."""

    name: str
    """Short name used in configurations."""
    hub: str | None
    """Name on the Hugging Face hub; None when it is not taken from there."""
    config: str | None
    """The hub dataset's configuration; None takes its only one."""
    split: str
    """Split or sum of splits of the hub dataset."""
    revision: str | None
    """Commit of the hub dataset; None takes its newest."""
    columns: tuple[str, ...]
    """Columns that make a prompt, as dotted paths; empty when the user must name them."""
    sample: Path | None
    """The bundled stand-in with the same columns, written for this project; None without one."""
    about: str
    """What its texts are and where they come from, in one line."""
    synthetic: bool = False
    """True when its texts are made up on the spot (`workers.prompts.synthetic`) and come from
    nowhere."""


_ALL: Final = (
    Corpus(
        name="gsm8k",
        hub="openai/gsm8k",
        config="main",
        # arXiv 2310.03003 samples 4,096 of "8,500" problems. The test split alone has 1,319 and
        # the train split 7,473, so both are needed to come near: 8,792.
        split="train+test",
        revision="e53f048856ff4f594e959d75785d2c2d37b678ee",
        columns=("question",),
        sample=BUNDLED / "gsm8k_sample.jsonl",
        about="Grade-school mathematics in words (arXiv 2110.14168).",
    ),
    Corpus(
        name="alpaca",
        hub="tatsu-lab/alpaca",
        config=None,
        split="train",
        revision="dce01c9b08f87459cf36a430d809084718273017",
        columns=("instruction", "input"),
        sample=BUNDLED / "alpaca_sample.jsonl",
        about="Instructions, some with an input (github.com/tatsu-lab/stanford_alpaca).",
    ),
    Corpus(
        name="alpaca_seed",
        hub=None,
        config=None,
        split="train",
        revision=None,
        columns=("instruction", "instances.0.input"),
        sample=None,
        about="The 175 seed tasks that Alpaca grew from (arXiv 2212.10560).",
    ),
    Corpus(
        name="file",
        hub=None,
        config=None,
        split="train",
        revision=None,
        columns=(),
        sample=None,
        about="A file of your own, with the columns you name.",
    ),
    Corpus(
        name="fixed",
        hub=None,
        config=None,
        split="train",
        revision=None,
        columns=(),
        sample=None,
        about="Synthetic texts, each cut to exactly max_prompt_len tokens.",
        synthetic=True,
    ),
)

CORPORA: Final = {corpus.name: corpus for corpus in _ALL}
"""All corpora by name."""


def find_corpus(name: str) -> Corpus:
    """The corpus called `name`.

    Raises:
        ValueError: there is none.
    """
    if name not in CORPORA:
        raise ValueError(f"`corpus` must be one of {', '.join(CORPORA)}, but is {name!r} instead")
    return CORPORA[name]


def row_prompt(row: Mapping[str, Any], columns: Sequence[str], place: str) -> str:
    """The prompt of one row, empty when all its columns are.

    Raises:
        ValueError: a column is missing or is not text; the message ends with `place`.
    """
    texts = [_column_text(row, column, place) for column in columns]
    return "\n".join(text for text in texts if text.strip())


def file_prompts(path: Path, columns: Sequence[str]) -> list[str]:
    """The prompt of every row of a file, empty ones too, so that positions are row numbers.

    Every row is looked at here, before anything else sees the file: blank lines of a `.jsonl` are
    no rows, and nothing is guessed or repaired.

    Raises:
        ValueError: the file is missing, empty, of another kind or malformed, a row lacks a column,
            or no row has a text; the message names the file and the line or row, counted from 1.
    """
    check_file(path)
    if path.suffix == ".jsonl":
        rows = _json_lines(path)
    elif path.suffix == ".json":
        rows = _json_array(path)
    else:
        rows = _parquet_rows(path, columns)
    prompts = [row_prompt(row, columns, place) for place, row in rows]
    if not any(prompts):
        raise ValueError(
            f"{quoted(path)} must hold at least one prompt, but {', '.join(columns)} "
            f"of its {len(prompts)} rows are empty"
        )
    return prompts


def check_file(path: Path) -> None:
    """Check that `path` is a file with something in it, of a kind that is read here.

    Raises:
        ValueError: it is not.
    """
    if path.is_dir():
        raise ValueError(f"`path` must be a file, but {quoted(path)} is a folder instead")
    if not path.is_file():
        raise ValueError(f"`path` must be a file, but {quoted(path)} does not exist")
    if path.suffix not in SUFFIXES:
        raise ValueError(
            f"`path` must end in one of {', '.join(SUFFIXES)}, but is {quoted(path)} instead"
        )
    try:
        with path.open("rb") as source:
            empty = not source.read(1)
    except PermissionError as error:
        raise ValueError(f"`path` must be readable, but {quoted(path)} is not") from error
    if empty:
        raise ValueError(f"`path` must hold prompts, but {quoted(path)} is empty")


def quoted(path: Path) -> str:
    """The path on one line whatever characters are in it."""
    return repr(str(path))


def _column_text(row: Mapping[str, Any], column: str, place: str) -> str:
    value: Any = row
    for step in column.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise ValueError(f"`{column}` must be a column, but is missing {place}")
    if not isinstance(value, str):
        what = "null" if value is None else f"{type(value).__name__}"
        raise ValueError(f"`{column}` must be text, but is {what} instead {place}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # JSON can spell half a surrogate pair, which no tokenizer and no UTF-8 file takes.
        raise ValueError(
            f"`{column}` must be valid Unicode, but holds a lone surrogate {place}"
        ) from error
    return value


def _json_lines(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with path.open("rb") as source:
        # Bytes are split at newlines alone: str.splitlines would break at U+2028 inside a text.
        for number, line in enumerate(source, start=1):
            if line.strip():
                place = f"on line {number} of {quoted(path)}"
                yield place, _as_object(_json(line, place), place)


def _json_array(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    place = f"in {quoted(path)}"
    content = _json(path.read_bytes(), place)
    if not isinstance(content, list):
        raise ValueError(
            f"the content must be one array of objects, but is a {type(content).__name__} instead "
            f"{place}; one object a line is a .jsonl"
        )
    for number, row in enumerate(content, start=1):
        place = f"in row {number} of {quoted(path)}"
        yield place, _as_object(row, place)


def _json(data: bytes, place: str) -> Any:
    try:
        return json.loads(data.decode())
    except UnicodeDecodeError as error:
        raise ValueError(
            f"the text must be UTF-8, but byte {error.start + 1} is not {place}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the text must be JSON, but is not {place}: {error}") from error


def _as_object(row: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise ValueError(f"the row must be an object, but is a {type(row).__name__} {place}")
    return row


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import pyarrow as pa  # noqa: PLC0415 (naming a corpus must stay cheap)
    import pyarrow.parquet as pq  # noqa: PLC0415

    number = 0
    try:
        # Not a path: pyarrow reads some characters of one as a URI.
        with path.open("rb") as source, pq.ParquetFile(source) as table:
            wanted = {column.split(".")[0] for column in columns}
            present = [name for name in table.schema_arrow.names if name in wanted]
            for batch in table.iter_batches(columns=present):
                for row in batch.to_pylist():
                    number += 1
                    yield f"in row {number} of {quoted(path)}", row
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise ValueError(
            f"{quoted(path)} must be a Parquet file, but is not, after {number} rows: {error}"
        ) from error
