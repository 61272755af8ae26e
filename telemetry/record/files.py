"""Files: what a reader finds is whole or not there."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# 1 MiB keeps hashing at disk speed without holding a part in memory.
_HASH_CHUNK_BYTES = 1 << 20


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
        ValueError: the file is no JSON object; the message names it.
    """
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} must be a JSON object, but is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must be a JSON object, but is a {type(content).__name__} instead")
    return content


def file_sha256(path: Path) -> str:
    """The file's SHA-256 as 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
