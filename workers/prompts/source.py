"""Source: where a run's prompts are read from, named before anything is read.

auto:  a path is given -> file; a staged copy is there -> staged; else sample when the work is
       local, hub when it is not; a corpus with neither wants its file; `fixed` is synthetic
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from telemetry.nearest import one_of
from telemetry.record.task import Task
from workers.prompts.corpus import Corpus, find_corpus
from workers.prompts.hub import staging_command
from workers.prompts.prompts_file import read_rows
from workers.prompts.rows import quoted
from workers.prompts.staging import StagedCopy, files_digest, hub_name, named_by
from workers.prompts.synthetic import SYNTHETIC

_AUTO: Final = "auto"


class PromptOrigin(StrEnum):
    """Where prompts come from."""

    HUB = "hub"
    """The Hugging Face hub, over the network."""
    FILE = "file"
    """A file of the user's."""
    STAGED = "staged"
    """The copy that `launcher.stage` left in the cache."""
    SAMPLE = "sample"
    """The bundled stand-in."""
    SYNTHETIC = "synthetic"
    """Texts made up on the spot, all of one length."""
    RECORD = "record"
    """The prompts file of a sealed run that is made again: nobody asks for it by this name."""


_NOT_ASKED_FOR: Final = (PromptOrigin.SYNTHETIC, PromptOrigin.RECORD)


@dataclass(frozen=True, kw_only=True)
class PromptSource:
    """A resolved source: what `select` will read."""

    corpus: str
    """Name in `workers.prompts.corpus.CORPORA`."""
    source: PromptOrigin
    """Which kind of place its texts are read from."""
    dataset: str
    """What `RunSpec.dataset` holds: `gsm8k`, `gsm8k-sample` or `gsm8k-` and 8 hex digits."""
    columns: tuple[str, ...]
    """Columns that make a prompt, as dotted paths; empty for synthetic texts."""
    path: Path | None
    """The file, or the staged copy's folder; None for the hub."""
    cache: Path
    """Where staged copies lie and the hub's downloads go."""
    task: Task | None = None
    """What its rows are asked as and held to; None: its columns are the prompt."""
    words: int | None = None
    """Words of each synthetic text: a token each at least; None for what people wrote."""


def cache_folder() -> Path:
    """Where staged copies are by default: $JOULEGRID_CACHE, else ~/.cache/joulegrid."""
    named = os.environ.get("JOULEGRID_CACHE")
    folder = Path(named) if named else Path("~/.cache/joulegrid")
    return folder.expanduser().absolute()


def identify(
    corpus: str,
    *,
    source: str,
    path: Path | None,
    columns: Sequence[str] | None,
    cache: Path,
    local: bool,
    prompt_len: int | None = None,
    task: object = None,
) -> PromptSource:
    """Which source is meant and what its content is called; no network, no `datasets`.

    A file's name in the record holds a digest of its bytes and columns, so that an edited file
    makes another run. So does a copy staged from files; one staged from the hub has the bare name.

    Args:
        corpus: a name of `CORPORA`.
        source: a `PromptOrigin`, or `auto` for the rule at the top of this module.
        path: a file of the user's, None for none.
        columns: dotted columns of that file, None for the corpus' own.
        cache: folder of staged copies.
        local: True when the work runs on this machine.
        prompt_len: tokens that a synthetic prompt must have at least; others ignore it.
        task: the mapping of a task's configuration; None takes its own file's.

    Raises:
        ValueError: these do not fit together, or the file or the staged copy is not there.
    """
    known = _asked_as(find_corpus(corpus), task)
    if known.synthetic:
        return _identify_synthetic(
            known, source=source, path=path, columns=columns, cache=cache, prompt_len=prompt_len
        )
    staged = StagedCopy.read(cache, known)
    chosen = _resolve(known, source, path, staged, local=local)
    if chosen is PromptOrigin.FILE:
        if known.task is not None:
            return _identify_task_file(known, path, columns, cache)
        return _identify_file(known, path, columns, cache)
    if path is not None or columns is not None:
        given = f"`path` {quoted(path)}" if path is not None else f"`columns` {columns!r}"
        raise ValueError(
            f"`path` and `columns` must be null with source {chosen}, but {given} is given"
        )
    where: Path | None = None
    dataset = hub_name(known)
    if chosen is PromptOrigin.STAGED:
        if staged is None:
            raise ValueError(
                f"{quoted(cache / corpus)} must be a staged copy of {corpus}, but there is none; "
                f"type `{staging_command(known)}`"
            )
        if staged.origin.get("task") != (None if known.task is None else known.task.to_mapping()):
            raise ValueError(
                f"{quoted(cache / corpus)} must be staged with the task that is asked for, but has "
                f"another; take dataset.source=hub or dataset.path=FILE, "
                f"or stage it again: `{staging_command(known)}`"
            )
        dataset, where = staged.dataset, cache / corpus
    elif chosen is PromptOrigin.SAMPLE:
        if known.sample is None:
            raise ValueError(
                f"`source` must not be sample for {corpus!r}, which has none; name a file in `path`"
            )
        own = () if known.task is None else (known.task.digest,)
        dataset, where = "-".join((corpus, "sample", *own)), known.sample
    elif known.hub is None:
        raise ValueError(
            f"`path` must be a file for {corpus!r}, which is not on the hub, but is null instead"
        )
    return PromptSource(
        corpus=corpus,
        source=chosen,
        dataset=dataset,
        columns=known.columns,
        path=where,
        cache=cache,
        task=known.task,
    )


def identify_record(
    corpus: str, *, dataset: str, path: Path, cache: Path, task: object = None
) -> PromptSource:
    """The prompts file of a sealed run of `dataset` as a source: its texts in its order.

    Raises:
        ValueError: it is missing, or not the one that its name, a SHA-256, says.
    """
    read_rows(path, path.stem)
    return PromptSource(
        corpus=find_corpus(corpus).name,
        source=PromptOrigin.RECORD,
        dataset=dataset,
        columns=(),
        path=path,
        cache=cache,
        task=None if task is None else Task.from_mapping(task),
    )


def _resolve(
    corpus: Corpus, source: str, path: Path | None, staged: StagedCopy | None, *, local: bool
) -> PromptOrigin:
    if source != _AUTO:
        known = [_AUTO, *(one for one in PromptOrigin if one not in _NOT_ASKED_FOR)]
        if source not in known:
            raise ValueError(one_of("dataset.source", known, source, things="sources"))
        return PromptOrigin(source)
    if path is not None or not corpus.stageable:
        return PromptOrigin.FILE
    if staged is not None:
        return PromptOrigin.STAGED
    if local and corpus.sample is not None:
        return PromptOrigin.SAMPLE
    return PromptOrigin.FILE if corpus.hub is None else PromptOrigin.HUB


def _identify_synthetic(
    corpus: Corpus,
    *,
    source: str,
    path: Path | None,
    columns: Sequence[str] | None,
    cache: Path,
    prompt_len: int | None,
) -> PromptSource:
    for name, value, allowed in (
        ("source", source, (_AUTO, PromptOrigin.SYNTHETIC)),
        ("path", path, (None,)),
        ("columns", columns, (None,)),
    ):
        if value not in allowed:
            said = " or ".join("null" if one is None else str(one) for one in allowed)
            raise ValueError(
                f"`{name}` must be {said} for {corpus.name!r}, whose prompts are made up, "
                f"but is {value!r} instead"
            )
    return PromptSource(
        corpus=corpus.name,
        source=PromptOrigin.SYNTHETIC,
        dataset=SYNTHETIC,
        columns=(),
        path=None,
        cache=cache,
        words=prompt_len,
    )


def _identify_file(
    corpus: Corpus, path: Path | None, columns: Sequence[str] | None, cache: Path
) -> PromptSource:
    if path is None:
        raise ValueError(
            f"`dataset.path` must be a file for {corpus.name!r}, but is null instead; its prompts "
            f"stand in {_told(columns or corpus.columns)}, or in what dataset.columns=[NAME] names"
        )
    names = corpus.columns if columns is None else tuple(columns)
    if isinstance(columns, str) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"`columns` must be a list of names, but is {columns!r} instead")
    if not names:
        raise ValueError(
            f"`columns` must name what makes a prompt of {quoted(path)}, but is {columns!r} instead"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"`columns` must name each column once, but is {list(names)!r} instead")
    return PromptSource(
        corpus=corpus.name,
        source=PromptOrigin.FILE,
        dataset=f"{corpus.name}-{files_digest([path], names)}",
        columns=names,
        path=path,
        cache=cache,
    )


def _asked_as(corpus: Corpus, task: object) -> Corpus:
    """The corpus as its configuration asks it, where that is a task's.

    Raises:
        ValueError: it is no task's, or the task is none.
    """
    if task is None:
        return corpus
    if corpus.task is None:
        raise ValueError(
            f"`dataset.task` must be null for {corpus.name!r}, whose texts are taken as they are, "
            f"but is {task!r} instead"
        )
    return Corpus.of_task(corpus.name, Task.from_mapping(task), corpus.about)


def _identify_task_file(
    corpus: Corpus, path: Path | None, columns: Sequence[str] | None, cache: Path
) -> PromptSource:
    assert corpus.task is not None
    if columns is not None:
        raise ValueError(
            f"`dataset.columns` must be null for {corpus.name!r}, whose template names them, "
            f"but is {columns!r} instead"
        )
    if path is None:
        raise ValueError(
            f"`dataset.path` must be a file for {corpus.name!r}, but is null instead; its rows "
            f"have {_told(corpus.task.columns)}"
        )
    return PromptSource(
        corpus=corpus.name,
        source=PromptOrigin.FILE,
        dataset=f"{corpus.name}-{files_digest([path], named_by(corpus))}",
        columns=(),
        path=path,
        cache=cache,
        task=corpus.task,
    )


def _told(columns: Sequence[str]) -> str:
    return f"column{'s' if len(columns) > 1 else ''} {' and '.join(columns)}"
