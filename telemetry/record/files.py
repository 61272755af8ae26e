"""Files: what a reader finds is whole or not there."""

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

# 1 MiB keeps hashing at disk speed without holding a part in memory.
_HASH_CHUNK_BYTES = 1 << 20
# The largest object that a record holds, a manifest of days of parts on many nodes, is a few MB.
_MOST_JSON_BYTES: Final = 256 << 20


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader sees the old file or the whole new one.

    Raises:
        OSError: the folder is missing, not writable or full; `path` is then as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as sink:
            sink.write(data)
            sink.flush()
            os.fsync(sink.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` as sorted, indented UTF-8 JSON, atomically."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def create_json(path: Path, content: Mapping[str, Any]) -> bool:
    """Write `content` only if `path` does not exist yet; True when this call made it.

    The first of several writers wins, which is how an attempt gets exactly one end.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    write_json(temporary, content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no plain file, or no JSON object; the message names it.
    """
    data = read_plain(path, most_bytes=_MOST_JSON_BYTES)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} must be a JSON object, but is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must be a JSON object, but is a {type(content).__name__} instead")
    return content


def file_sha256(path: Path) -> str:
    """The file's SHA-256 as 64 hex digits.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no plain file.
    """
    digest = hashlib.sha256()
    with plain_file(path) as number:
        while chunk := os.read(number, _HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def read_plain(path: Path, *, most_bytes: int) -> bytes:
    """The bytes of a plain file that is no larger than `most_bytes`.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no plain file, or larger; the message names it.
    """
    with plain_file(path) as number:
        size = os.fstat(number).st_size
        if size > most_bytes:
            raise ValueError(f"{path} must have at most {most_bytes} bytes, but has {size} instead")
        with open(number, "rb", closefd=False) as source:
            return source.read(most_bytes)


def require_plain(path: Path) -> Path:
    """The path of a plain file, for a reader that opens it itself.

    Raises:
        OSError: there is none, or it cannot be opened.
        ValueError: it is no plain file.
    """
    with plain_file(path):
        return path


class NotPlainError(ValueError):
    """A pipe, a device or a folder in place of a file."""


@contextmanager
def plain_file(path: Path) -> Iterator[int]:
    """The descriptor of a plain file: a pipe or a device would be read for ever.

    Raises:
        OSError: it cannot be opened.
        NotPlainError: it is no plain file.
    """
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise NotPlainError(f"{path} must be a plain file, but is a pipe, a device or a folder")
        yield number
    finally:
        os.close(number)
