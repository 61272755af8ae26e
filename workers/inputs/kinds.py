"""Kinds: what a file is that a user hands us, by its first bytes, and what to do about it.

A download that failed, a pointer in place of the file, a file of another tool: each is told by what
it is, in words of somebody who wants to run, and not by where a parser stumbled.
"""

import stat
from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

# A tar's mark is at 257; text is judged by a little more.
_HEAD_BYTES: Final = 4096
_AGAIN: Final = "download it again"
_SAVE_AGAIN: Final = "torch.save(torch.load(FILE, weights_only=True), FILE)"


class FileKind(StrEnum):
    """A kind of file that is known by its first bytes."""

    LFS = "a Git LFS pointer, not the file itself: type `git lfs pull` in its repository"
    ANNEX = "a git-annex pointer, not the file itself: type `git annex get` in its repository"
    HTML = f"an HTML page, as a login or error page that was saved in its place: {_AGAIN}"
    XML = f"an XML text, as a store's error that was saved in its place: {_AGAIN}"
    GZIP = "compressed by gzip: unpack it with `gunzip`"
    ZSTD = "compressed by zstd: unpack it with `unzstd`"
    XZ = "compressed by xz: unpack it with `unxz`"
    BZIP2 = "compressed by bzip2: unpack it with `bunzip2`"
    LZ4 = "compressed by lz4: unpack it with `unlz4`"
    ZIP = "a zip archive: unpack it with `unzip`"
    SEVEN_ZIP = "a 7z archive: unpack it with `7z x`"
    TAR = "a tar archive: unpack it with `tar xf`"
    UTF16 = "UTF-16 text: save it as UTF-8"
    UTF32 = "UTF-32 text: save it as UTF-8"
    PARQUET = "a Parquet file: name it .parquet"
    ARROW = "an Arrow file: save it as Parquet"
    SAFETENSORS = "a .safetensors file: name it so"
    OLD_TORCH = f"of torch.save before 1.6, which is not read: save it anew by {_SAVE_AGAIN}"
    PICKLE = "a bare pickle, which is never loaded"
    GGUF = "a GGUF file of llama.cpp, which is not read"
    GGML = "a GGML file of llama.cpp, which is not read"
    NUMPY = "a NumPy file, which is not read"
    HDF5 = "an HDF5 file, which is not read"
    SQLITE = "an SQLite database, which is not read"
    PDF = "a PDF document, which is not read"
    PNG = "a PNG picture, which is not read"
    ELF = "a program, which is not read"
    ZEROS = "full of zero bytes, as a copy that broke off leaves it: copy it again"


@dataclass(frozen=True, kw_only=True)
class _Mark:
    """Bytes that tell a kind."""

    kind: FileKind
    """What it is."""
    magic: bytes
    """What stands there."""
    at: int = 0
    """From which byte on."""


# The formats' own specifications, as file(1) has them too; torch's number is MAGIC_NUMBER of
# torch/serialization.py, as a pickle of protocol 2 has it.
_MARKS: Final = (
    _Mark(kind=FileKind.LFS, magic=b"version https://git-lfs.github.com/"),
    _Mark(kind=FileKind.LFS, magic=b"version https://hawser.github.com/"),
    _Mark(kind=FileKind.ANNEX, magic=b"/annex/objects/"),
    _Mark(kind=FileKind.GZIP, magic=b"\x1f\x8b"),
    _Mark(kind=FileKind.ZSTD, magic=b"\x28\xb5\x2f\xfd"),
    _Mark(kind=FileKind.XZ, magic=b"\xfd7zXZ\x00"),
    _Mark(kind=FileKind.BZIP2, magic=b"BZh"),
    _Mark(kind=FileKind.LZ4, magic=b"\x04\x22\x4d\x18"),
    _Mark(kind=FileKind.ZIP, magic=b"PK\x03\x04"),
    _Mark(kind=FileKind.ZIP, magic=b"PK\x05\x06"),
    _Mark(kind=FileKind.SEVEN_ZIP, magic=b"7z\xbc\xaf\x27\x1c"),
    _Mark(kind=FileKind.TAR, magic=b"ustar", at=257),
    _Mark(kind=FileKind.UTF32, magic=b"\xff\xfe\x00\x00"),
    _Mark(kind=FileKind.UTF32, magic=b"\x00\x00\xfe\xff"),
    _Mark(kind=FileKind.UTF16, magic=b"\xff\xfe"),
    _Mark(kind=FileKind.UTF16, magic=b"\xfe\xff"),
    _Mark(kind=FileKind.PARQUET, magic=b"PAR1"),
    _Mark(kind=FileKind.ARROW, magic=b"ARROW1"),
    _Mark(kind=FileKind.SAFETENSORS, magic=b'{"', at=8),
    _Mark(kind=FileKind.OLD_TORCH, magic=b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."),
    _Mark(kind=FileKind.GGUF, magic=b"GGUF"),
    _Mark(kind=FileKind.GGML, magic=b"lmgg"),
    _Mark(kind=FileKind.GGML, magic=b"tjgg"),
    _Mark(kind=FileKind.NUMPY, magic=b"\x93NUMPY"),
    _Mark(kind=FileKind.HDF5, magic=b"\x89HDF\r\n"),
    _Mark(kind=FileKind.SQLITE, magic=b"SQLite format 3\x00"),
    _Mark(kind=FileKind.PDF, magic=b"%PDF-"),
    _Mark(kind=FileKind.PNG, magic=b"\x89PNG\r\n"),
    _Mark(kind=FileKind.ELF, magic=b"\x7fELF"),
)
_BOM: Final = b"\xef\xbb\xbf"
_PICKLES: Final = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
_PAGES: Final = (b"<!doctype html", b"<html", b"<head", b"<body", b"<!--")
# A safetensors header is at most so long (its own library refuses more); text read as a length is
# astronomic, and less is no header.
_HEADER_BYTES: Final = range(2, 100_000_001)

# No format that is read here begins with so many.
_LEAST_ZEROS: Final = 64
# Zeros in every other place of so many bytes are no accident.
_LEAST_WIDE_BYTES: Final = 8


def kind_of(head: bytes) -> FileKind | None:
    """What the first bytes of a file tell of it; None when they tell nothing."""
    for mark in _MARKS:
        if head.startswith(mark.magic, mark.at):
            if mark.kind is FileKind.SAFETENSORS and (
                int.from_bytes(head[:8], "little") not in _HEADER_BYTES
            ):
                continue
            return mark.kind
    if len(head) >= _LEAST_ZEROS and not any(head):
        return FileKind.ZEROS
    if head.startswith(_PICKLES):
        return FileKind.PICKLE
    text = head.removeprefix(_BOM).lstrip()[:64].lower()
    if text.startswith(_PAGES):
        return FileKind.HTML
    if text.startswith(b"<?xml") or text.startswith(b"<error>"):
        return FileKind.HTML if b"<html" in head.lower() else FileKind.XML
    return _wide_text(head)


def file_fault(path: Path, takes: Set[FileKind] = frozenset()) -> str | None:
    """What is wrong with a file before it is read, such as `is empty`; None when nothing is.

    `takes` are the kinds that the reader is for; any other that is recognised is a fault.

    Raises:
        ValueError: the name cannot be a file's.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return "is a folder"
        if not stat.S_ISREG(mode):
            return "is no regular file but a pipe, socket or device"
        head = read_head(path)
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not head:
        return "is empty"
    kind = kind_of(head)
    return None if kind is None or kind in takes else f"is {kind}"


def read_head(path: Path) -> bytes:
    """The first bytes of a file, by which `kind_of` judges.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as source:
        return source.read(_HEAD_BYTES)


def one_line(text: object, most: int = 200) -> str:
    """A foreign text for a message: on one line, nothing that steers a terminal, not too long."""
    line = " ".join(str(text).split())
    line = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in line)
    return line if len(line) <= most else f"{line[:most]}…"


def _wide_text(head: bytes) -> FileKind | None:
    """UTF-16 without a mark: of Latin text every other byte is zero."""
    # Few bytes tell nothing: a length of eight bytes has zeros too.
    some = head[:64] if len(head) >= _LEAST_WIDE_BYTES else b""
    for zeros, letters in ((some[1::2], some[::2]), (some[::2], some[1::2])):
        if zeros and not any(zeros) and letters.isascii() and letters.strip(b"\0"):
            return FileKind.UTF16
    return None
