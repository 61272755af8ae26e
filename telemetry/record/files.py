"""Files: what a reader finds is whole or not there, and what is read is a plain file of its size.

A folder may be anybody's. Nothing in it is followed, waited for or read beyond `telemetry.record.
limits`: no link, also none in place of a folder on the way, no pipe, no device.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from telemetry.record.json_text import parse_json
from telemetry.record.limits import FILE_BYTES, JSON_BYTES, BeyondLimitError
from telemetry.record.plain_file import attempt_way, plain_file, plain_file_at

# A name that is there already is somebody else's, a link too.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# 1 MiB keeps hashing at disk speed without holding a part in memory.
_HASH_CHUNK_BYTES = 1 << 20


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader sees the old file or the whole new one.

    Within an attempt no link is followed on the way, as none is to read it.

    Raises:
        OSError: the folder is missing, a link, not writable or full; `path` is then as it was.
    """
    with attempt_way(path) as (above, name):
        write_at(name, data, above)


def write_at(name: Path | str, data: bytes, above: int | None) -> None:
    """The same in a folder that is open already, whatever has its name by now.

    Raises:
        OSError: the folder is not writable or full; the file is then as it was.
    """
    whole = Path(name)
    temporary = whole.with_name(f".{whole.name}.{os.getpid()}.tmp")
    try:
        # Its name can be guessed: what a foreign folder has under it leads elsewhere, or waits.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=above)
        number = os.open(temporary, _NEW, 0o666, dir_fd=above)
        with os.fdopen(number, "wb") as sink:
            sink.write(data)
            sink.flush()
            os.fsync(sink.fileno())
        os.replace(temporary, whole, src_dir_fd=above, dst_dir_fd=above)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=above)
        raise


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` as sorted, indented UTF-8 JSON, atomically."""
    write_bytes(path, json_bytes(content))


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """The sorted, indented UTF-8 JSON of `content`."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


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
        ValueError: the file is no plain file, no JSON object, or beyond a limit; the message names
            it.
    """
    return parse_json(read_plain(path, most_bytes=JSON_BYTES.most), str(path))


def file_sha256(path: Path, *, follow: bool = False) -> str:
    """The file's SHA-256 as 64 hex digits; `follow` is for a file of the user's own.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no plain file, or larger than any of a record.
    """
    digest = hashlib.sha256()
    with plain_file(path, follow=follow) as number:
        if not follow:
            FILE_BYTES.require(os.fstat(number).st_size, str(path))
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
        return _whole(number, path, most_bytes)


def read_at(name: str, above: int, *, most_bytes: int) -> bytes:
    """The same of a file in a folder that is open already.

    Raises:
        OSError: it cannot be read, or is a link.
        ValueError: it is no plain file, or larger; the message names it.
    """
    with plain_file_at(name, above) as number:
        return _whole(number, Path(name), most_bytes)


def _whole(number: int, path: Path, most_bytes: int) -> bytes:
    size = os.fstat(number).st_size
    if size > most_bytes:
        raise BeyondLimitError(
            f"{path} must have at most {most_bytes} bytes, but has {size} instead"
        )
    with open(number, "rb", closefd=False) as source:
        # A file that grows meanwhile is read no further.
        return source.read(most_bytes)
