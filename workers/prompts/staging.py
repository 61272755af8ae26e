"""Staging: a corpus' prompts on disk, for machines without internet.

<cache>/<corpus>/
  staged.json      what it is and where it came from, with the SHA-256 of its prompts
  data/            a `datasets` folder of a column `prompt`, empty rows included; a task's has
                   `references` and `wrong_references` beside it
"""

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from telemetry.record.files import file_sha256, read_json, write_json
from telemetry.record.folders import replace_folder
from workers.prompts.corpus import Corpus, file_asked, file_prompts
from workers.prompts.hub import (
    hub_origin,
    hub_texts,
    one_line,
    quiet_datasets,
    staging_command,
    task_origin,
)
from workers.prompts.prompt_row import PromptRow, asked_of
from workers.prompts.rows import check_file, quoted

_RECORD: Final = "staged.json"
DATA: Final = "data"
"""Folder of a staged copy's texts."""
_DIGEST_DIGITS: Final = 8
# Bytes; keeps hashing at disk speed without holding a file in memory.
_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class StagedCopy:
    """What a staged copy holds; the content of its staged.json."""

    corpus: str
    """Its name, also of the copy's folder."""
    dataset: str
    """What `RunSpec.dataset` holds: the bare name for the hub's content, else with a digest."""
    rows: int
    """Rows, empty ones included."""
    prompts: int
    """Rows that hold text."""
    sha256: str
    """SHA-256 of all rows as canonical lines (`canonical_lines`)."""
    columns: list[str]
    """Columns that made a prompt, as dotted paths."""
    origin: dict[str, Any]
    """Hub name, configuration, split and revision, or the files' names and SHA-256."""

    @classmethod
    def read(cls, cache: Path, corpus: Corpus) -> Self | None:
        """The record of a corpus' staged copy, None when there is none.

        Raises:
            ValueError: there is a record, but not one of this version.
        """
        path = cache / corpus.name / _RECORD
        if not path.is_file():
            return None
        content = read_json(path)
        fields = {field.name for field in dataclasses.fields(cls)}
        whole = set(content) == fields and isinstance(content["prompts"], int)
        if not whole or content["corpus"] != corpus.name:
            raise ValueError(
                f"{quoted(path)} must be the record of a staged {corpus.name}, but is not; "
                f"stage it again: {staging_command(corpus)}"
            )
        return cls(**content)

    def asked(self, cache: Path) -> list[PromptRow]:
        """What every row asks, empty ones included.

        Raises:
            ValueError: the copy is incomplete or altered.
        """
        datasets = quiet_datasets(cache)
        folder = cache / self.corpus / DATA
        try:
            asked = [asked_of(row) for row in datasets.load_from_disk(str(folder))]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{quoted(folder)} must be a staged copy of {self.corpus}, but cannot be read: "
                f"{one_line(error)}"
            ) from error
        found = hashlib.sha256(canonical_lines(enumerate(asked))).hexdigest()
        if found != self.sha256:
            raise ValueError(
                f"{quoted(folder)} must hold prompts of SHA-256 {self.sha256}, "
                f"but they have {found} instead"
            )
        return asked


def stage(corpus: Corpus, cache: Path, *, origins: Sequence[Path] = ()) -> StagedCopy:
    """Put a corpus' prompts into the cache; a copy that is there is replaced when all is written.

    Args:
        corpus: what to stage.
        cache: the folder of staged copies; made if it is not there.
        origins: nothing takes the hub; one folder is read as a clone of the hub's repository;
            files are read in their order as one dataset, with the corpus' columns.

    Raises:
        ValueError: the corpus has no hub or no columns, an origin is malformed, or the copy's
            place is taken by something else.
        RuntimeError: the hub cannot be reached.
        OSError: the cache cannot be written.
    """
    if not corpus.stageable:
        raise ValueError(
            f"`corpus` must have columns of its own to be staged, but {corpus.name!r} has none"
        )
    target = cache / corpus.name
    if target.exists() and not (target / _RECORD).is_file():
        raise ValueError(
            f"{quoted(target)} must be free or a staged copy, but is something else; "
            "name another cache"
        )
    if origins and not (len(origins) == 1 and origins[0].is_dir()):
        asked = [one for path in origins for one in rows_asked(path, corpus)]
        dataset = f"{corpus.name}-{files_digest(origins, named_by(corpus))}"
        origin = {**files_origin(origins), **task_origin(corpus)}
        digests = [file["sha256"] for file in origin["files"]]
        if len(set(digests)) < len(digests):
            twice = next(at for at, one in enumerate(digests) if one in digests[:at])
            raise ValueError(
                f"`--from` must name each file once, but {quoted(origins[twice])} has the content "
                f"of {quoted(origins[digests.index(digests[twice])])}"
            )
    else:
        clone = origins[0] if origins else None
        asked = hub_texts(corpus, cache, clone=clone)
        dataset = hub_name(corpus)
        origin = hub_origin(corpus) if clone is None else {**hub_origin(corpus), "revision": None}
    copy = StagedCopy(
        corpus=corpus.name,
        dataset=dataset,
        rows=len(asked),
        prompts=sum(1 for one in asked if one.text),
        sha256=hashlib.sha256(canonical_lines(enumerate(asked))).hexdigest(),
        columns=list(corpus.columns),
        origin=origin,
    )
    _write(copy, asked, cache)
    return copy


def rows_asked(path: Path, corpus: Corpus) -> list[PromptRow]:
    """What every row of a file asks, by the corpus' task or its columns.

    Raises:
        ValueError: as `file_prompts`.
    """
    if corpus.task is not None:
        return file_asked(path, corpus.task)
    return [PromptRow(text=text) for text in file_prompts(path, corpus.columns)]


def hub_name(corpus: Corpus) -> str:
    """What the hub's content is called: a task's with a digest of what it makes of it."""
    return corpus.name if corpus.task is None else f"{corpus.name}-{corpus.task.digest}"


def named_by(corpus: Corpus) -> tuple[str, ...]:
    """What beside a file's bytes decides its prompts."""
    return corpus.columns if corpus.task is None else (corpus.task.digest,)


def files_origin(paths: Sequence[Path]) -> dict[str, Any]:
    """The files' names and what they held."""
    hashed = [(path.name, file_sha256(path, follow=True)) for path in paths]
    return {"files": [{"name": name, "sha256": sha256} for name, sha256 in hashed]}


def files_digest(paths: Sequence[Path], columns: Sequence[str]) -> str:
    """8 hex digits of the SHA-256 of the files' bytes, then each column after a zero byte."""
    digest = hashlib.sha256()
    for path in paths:
        check_file(path)
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
    for column in columns:
        digest.update(b"\0" + column.encode())
    return digest.hexdigest()[:_DIGEST_DIGITS]


def canonical_lines(prompts: Iterable[tuple[int, PromptRow]]) -> bytes:
    """Source rows and what they ask as JSON lines that are the same bytes everywhere."""
    return b"".join(
        json.dumps(asked.line(row), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        for row, asked in prompts
    )


def _write(copy: StagedCopy, asked: Sequence[PromptRow], cache: Path) -> None:
    # Ranks import this module and need no pyarrow.
    import pyarrow as pa  # noqa: PLC0415

    datasets = quiet_datasets(cache)
    target = cache / copy.corpus
    fresh = cache / f".{copy.corpus}.{os.getpid()}.tmp"
    cache.mkdir(parents=True, exist_ok=True)
    try:
        fresh.mkdir()
        table = pa.table({"prompt": pa.array([one.text for one in asked], pa.string())})
        for name in ("references", "wrong_references"):
            answers = [getattr(one, name) for one in asked]
            if any(one is not None for one in answers):
                table = table.append_column(name, pa.array(answers, pa.list_(pa.string())))
        # A fingerprint of our own, as in `workers.prompts`.
        dataset = datasets.Dataset(table, fingerprint=f"staged-{copy.corpus}")
        dataset.save_to_disk(str(fresh / DATA))
        write_json(fresh / _RECORD, dataclasses.asdict(copy))
        stale = replace_folder(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    if stale is not None:
        shutil.rmtree(stale, ignore_errors=True)
