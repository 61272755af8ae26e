"""Leaks: every name that still stands in an export, and where.

Every text is looked at as its reader sees it: JSON decoded, Parquet's columns and metadata, names
of files; and every byte of every file for names of eight characters and more.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telemetry.export.parquet_copy import is_answer, texts_of
from telemetry.export.replacing import Replacing


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A name that still stands there."""

    place: str
    """File, and where in it; without the name."""
    answer: bool
    """True in prompts and answers, which are left as they are: it may be a word of theirs."""


def leaks_in(folder: Path, replacing: Replacing) -> Iterator[Leak]:
    """Every place of an export at which a name still stands."""
    paths = re.compile(
        b"|".join(re.escape(one.encode()) for one in sorted(replacing.paths, key=len)) or b"(?!)"
    )
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if replacing.key(name) != name:
            yield Leak(place="the name of a file", answer=False)
        if not path.is_file():
            continue
        data = path.read_bytes()
        prompts = name.startswith("prompts/")
        if paths.search(data) is not None:
            yield Leak(place=f"{name}, a path", answer=prompts)
        if next(replacing.left_in_bytes(data), None) is not None:
            # Answers stay as they are, and may spell a name that their table has nowhere else.
            answers = path.suffix == ".parquet" and _in_answers(path, replacing)
            yield Leak(place=f"{name}, its bytes", answer=prompts or answers)
        for key in _keys_of(path, data):
            if replacing.key(key) != key:
                yield Leak(place=f"{name}, a key", answer=False)
        for place, text, key in _texts(path, data):
            if next(replacing.left_in(text, key), None) is not None:
                yield Leak(
                    place=f"{name}, {place}",
                    answer=prompts or (path.suffix == ".parquet" and is_answer(place)),
                )


def _texts(path: Path, data: bytes) -> Iterator[tuple[str, str, str]]:
    """Every text of a file: where it stands, the text, and the key or column that it is under."""
    if path.suffix == ".parquet":
        for place, text in texts_of(path):
            if place.startswith("metadata joulegrid"):
                yield from _json_texts(json.loads(text), place)
            else:
                yield place, text, ""
    elif path.suffix == ".json":
        yield from _json_texts(json.loads(data), "a value")
    else:
        titles: list[str] = []
        for line in data.decode(errors="replace").split("\n"):
            cells = line.split("|")
            titles = titles or [cell.strip() for cell in cells]
            for at, cell in enumerate(cells):
                yield "its text", cell, titles[at] if len(cells) == len(titles) else ""


def _keys_of(path: Path, data: bytes) -> Iterator[str]:
    """Keys of all objects that a file holds."""
    if path.suffix == ".json":
        yield from _keys(json.loads(data))
    elif path.suffix == ".parquet":
        for place, text in texts_of(path):
            if place.startswith("metadata joulegrid"):
                yield from _keys(json.loads(text))


def _keys(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield key
            yield from _keys(value)
    elif isinstance(content, list):
        for value in content:
            yield from _keys(value)


def _in_answers(path: Path, replacing: Replacing) -> bool:
    return any(
        is_answer(place) and next(replacing.left_in_bytes(text.encode()), None) is not None
        for place, text in texts_of(path)
    )


def _json_texts(content: Any, place: str, key: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _json_texts(value, f"{place} of {name}", name)
    elif isinstance(content, list):
        for value in content:
            yield from _json_texts(value, place, key)
    elif isinstance(content, str):
        yield place, content, key
