"""A file that is not what it should be is told by what it is, and what to do."""

import bz2
import gzip
import io
import lzma
import os
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save

from workers.inputs.kinds import FileKind, file_fault, kind_of, one_line

LINE = b'{"text": "a"}\n'
POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\n"
    b"size 13476939516\n"
)


def archive(make: Callable[[io.BytesIO], None]) -> bytes:
    sink = io.BytesIO()
    make(sink)
    return sink.getvalue()


def make_zip(sink: io.BytesIO) -> None:
    with zipfile.ZipFile(sink, "w") as made:
        made.writestr("rows.jsonl", LINE)


def make_tar(sink: io.BytesIO) -> None:
    with tarfile.open(fileobj=sink, mode="w") as made:
        info = tarfile.TarInfo("rows.jsonl")
        info.size = len(LINE)
        made.addfile(info, io.BytesIO(LINE))


def save_old(sink: io.BytesIO) -> None:
    torch.save({"a": torch.zeros(2)}, sink, _use_new_zipfile_serialization=False)


MADE: dict[FileKind, list[bytes]] = {
    FileKind.LFS: [POINTER],
    FileKind.ANNEX: [b"/annex/objects/SHA256E-s3--ab.pth\n"],
    FileKind.HTML: [
        b"<!DOCTYPE html>\n<html><title>Log in</title></html>",
        b"\xef\xbb\xbf\n  <html lang='en'>",
        b"<?xml version='1.0'?><!DOCTYPE html><html xmlns='x'>",
    ],
    FileKind.XML: [b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"],
    FileKind.GZIP: [gzip.compress(LINE, mtime=0)],
    FileKind.XZ: [lzma.compress(LINE)],
    FileKind.BZIP2: [bz2.compress(LINE)],
    FileKind.ZSTD: [pa.compress(LINE, codec="zstd", asbytes=True)],
    FileKind.ZIP: [archive(make_zip), archive(lambda at: torch.save({"a": 1}, at))],
    FileKind.TAR: [archive(make_tar)],
    FileKind.UTF16: [
        LINE.decode().encode("utf-16"),
        LINE.decode().encode("utf-16-le"),
        LINE.decode().encode("utf-16-be"),
    ],
    FileKind.UTF32: [LINE.decode().encode("utf-32")],
    FileKind.PARQUET: [archive(lambda at: pq.write_table(pa.table({"a": [1]}), at))],
    FileKind.SAFETENSORS: [save({"a": torch.zeros(2)})],
    FileKind.OLD_TORCH: [archive(save_old)],
    FileKind.NUMPY: [archive(lambda at: np.save(at, np.zeros(2)))],
    FileKind.GGUF: [b"GGUF\x03\x00\x00\x00"],
    FileKind.ZEROS: [bytes(64), bytes(9000)],
    FileKind.PICKLE: [b"\x80\x04}\x94."],
}


@pytest.mark.parametrize(
    ("kind", "content"), [(kind, one) for kind, all_of in MADE.items() for one in all_of]
)
def test_a_kind_is_known_by_its_first_bytes(tmp_path: Path, kind: FileKind, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert kind_of(content) is kind
    assert file_fault(path) == f"is {kind}"
    assert file_fault(path, {kind}) is None


def test_a_database_is_known(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "rows") as made:
        made.execute("create table rows (text)")
    assert str(file_fault(tmp_path / "rows")).startswith("is an SQLite database")


@pytest.mark.parametrize(
    "content",
    [LINE, b"\xef\xbb\xbf" + LINE, b"[1]", b"x", b"text\na\n", b"\x0a\x05hello", b"{}" * 5000],
)
def test_what_may_be_right_is_no_fault(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert file_fault(tmp_path / "file") is None


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert file_fault(tmp_path) == "is a folder"
    assert file_fault(tmp_path / "empty") == "is empty"
    assert file_fault(tmp_path / "gone") == "does not exist"
    assert file_fault(tmp_path / "pipe") == "is no regular file but a pipe, socket or device"
    assert file_fault(Path("/dev/zero")) == "is no regular file but a pipe, socket or device"
    assert str(file_fault(tmp_path / "loop")).startswith("cannot be read: ")


def test_a_foreign_text_is_one_printable_line() -> None:
    assert one_line("a\x1b[2J\n b\u202e") == r"a\x1b[2J b\u202e"
    assert one_line("x" * 300, 10) == "x" * 10 + "…"
