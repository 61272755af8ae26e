"""Prompts file: the chosen texts of a run, in a file that is named by its SHA-256."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from telemetry.record.files import file_sha256, write_bytes
from workers.prompts.prompt_row import PromptRow, asked_of
from workers.prompts.rows import quoted
from workers.prompts.staging import canonical_lines


def write_rows(rows: Iterable[tuple[int, PromptRow]], folder: Path) -> tuple[str, Path]:
    """Write source rows and what they ask to `folder`/<sha256>.jsonl; the digest and the path.

    Raises:
        OSError: the folder cannot be written.
    """
    data = canonical_lines(rows)
    sha256 = hashlib.sha256(data).hexdigest()
    path = folder / f"{sha256}.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or file_sha256(path) != sha256:
        write_bytes(path, data)
    return sha256, path


def rows_sha256(rows: Iterable[tuple[int, PromptRow]]) -> str:
    """What the file of these source rows and what they ask is named by."""
    return hashlib.sha256(canonical_lines(rows)).hexdigest()


def read_prompts(path: Path, sha256: str) -> list[str]:
    """The texts of a prompts file, in order.

    Raises:
        ValueError: the file is missing, or is not the one with that SHA-256.
    """
    return [one.text for one in read_asked(path, sha256)]


def read_asked(path: Path, sha256: str) -> list[PromptRow]:
    """What each line of a prompts file asks, in order.

    Raises:
        ValueError: as `read_prompts`, or a line is no prompt.
    """
    try:
        return [asked_of(json.loads(line)) for line in _lines(path, sha256)]
    except (LookupError, TypeError) as error:
        raise ValueError(f"{quoted(path)} must hold prompts, but does not: {error}") from error


def read_rows(path: Path, sha256: str) -> list[tuple[int, PromptRow]]:
    """Source row and prompt of each line of a file that can be written again byte by byte.

    Raises:
        ValueError: as `read_prompts`, or the file was not written by `write_rows`.
    """
    try:
        parsed = [json.loads(line) for line in _lines(path, sha256)]
        rows = [(row["source_row"], asked_of(row)) for row in parsed]
    except (LookupError, TypeError) as error:
        raise ValueError(
            f"{quoted(path)} must hold prompts with their rows, but does not"
        ) from error
    if rows_sha256(rows) != sha256:
        raise ValueError(f"{quoted(path)} must be a prompts file as a run writes it, but is not")
    return rows


def _lines(path: Path, sha256: str) -> list[bytes]:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ValueError(f"{quoted(path)} must be the run's prompts, but is no file") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ValueError(f"{quoted(path)} must have SHA-256 {sha256}, but has {found} instead")
    return [line for line in data.split(b"\n") if line]
