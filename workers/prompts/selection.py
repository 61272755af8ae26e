"""Selection: which texts a run answers, from a named source, in an order that a seed decides.

Of all sources the non-empty prompts are chosen from, so that equal content gives equal prompts
wherever it came from. The order is that of `datasets.Dataset.shuffle(seed)`: the permutation of
NumPy's PCG64 (`numpy.random.default_rng(seed).permutation`). The chosen texts lie in a file that is
named by its SHA-256; ranks read that file alone and need neither network nor `datasets`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from telemetry.record.validation import require_whole
from workers.prompts.corpus import Corpus, file_asked, file_prompts, find_corpus
from workers.prompts.hub import (
    hub_origin,
    hub_texts,
    task_origin,
)
from workers.prompts.prompt_row import PromptRow
from workers.prompts.prompts_file import read_rows, write_rows
from workers.prompts.rows import quoted
from workers.prompts.source import PromptOrigin, PromptSource
from workers.prompts.staging import StagedCopy, files_origin
from workers.prompts.synthetic import RULE, fixed_prompts


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One prompt and where it stood."""

    source_row: int
    """Row of the unshuffled dataset, counted from 0, empty rows included."""
    asked: PromptRow
    """The text with the answers that it is held to."""

    @property
    def text(self) -> str:
        """What the model is to read, before it is tokenized and cut."""
        return self.asked.text


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The prompts of a run, in the order in which they are answered."""

    source: PromptSource
    """What they were selected from."""
    seed: int
    """Seed of the shuffle, or of the words of synthetic texts."""
    prompts: tuple[Prompt, ...]
    """Each text, with its row of the source."""
    available: int
    """Prompts there were to choose from."""
    empty: int
    """Rows left out because they hold no text."""
    origin: Mapping[str, Any]
    """Hub name, split and revision or file digests, for the provenance record."""


def select(source: PromptSource, *, prompts: int, seed: int) -> Selection:
    """The first `prompts` of the source after a shuffle with `seed`.

    Raises:
        ValueError: there are fewer, or the source's content is malformed.
        RuntimeError: the hub cannot be reached.
    """
    return next(select_each(source, [(prompts, seed)]))


def select_each(source: PromptSource, choices: Iterable[tuple[int, int]]) -> Iterator[Selection]:
    """`select` for each pair of `prompts` and `seed`; the source is read once.

    Raises:
        ValueError: there are fewer, or the source's content is malformed.
        RuntimeError: the hub cannot be reached.
    """
    loaded: _Loaded | None = None
    for prompts, seed in choices:
        require_whole("prompts", prompts, 1)
        require_whole("seed", seed, 0)
        if source.source is PromptOrigin.SYNTHETIC:
            yield _make_up(source, prompts, seed)
            continue
        if source.source is PromptOrigin.RECORD:
            yield _recorded(source, prompts, seed)
            continue
        if loaded is None:
            loaded = _load(source)
        available = len(loaded.kept)
        if fault := count_fault(source, prompts, available=available):
            raise ValueError(fault)
        # Which is what the library's shuffle does; to load it takes 0.4 s.
        order = np.random.default_rng(seed).permutation(available)[:prompts]
        rows = [loaded.kept[place] for place in order]
        yield Selection(
            source=source,
            seed=seed,
            prompts=tuple(Prompt(source_row=row, asked=loaded.asked[row]) for row in rows),
            available=available,
            empty=loaded.empty,
            origin=loaded.origin,
        )


def count_fault(source: PromptSource, prompts: int, *, available: int) -> str | None:
    """Why `prompts` cannot be taken of the `available` ones; None when they can."""
    if prompts <= available:
        return None
    return f"`prompts` must be at most {available} for {source.dataset}, but is {prompts} instead"


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """A source's prompts in memory."""

    kept: Sequence[int]
    """Rows that hold a text, not shuffled."""
    asked: Sequence[PromptRow]
    """What each row asks, empty ones too."""
    empty: int
    """Rows left out because they hold no text."""
    origin: Mapping[str, Any]
    """Where they come from, for the provenance record."""


def _load(source: PromptSource) -> _Loaded:
    asked, origin = _asked(source)
    kept = [row for row, one in enumerate(asked) if one.text]
    return _Loaded(kept=kept, asked=asked, empty=len(asked) - len(kept), origin=origin)


def write_prompts(selection: Selection, folder: Path) -> tuple[str, Path]:
    """Write the selection to `folder`/<sha256>.jsonl: the digest and the path. Raises OSError."""
    return write_rows(((one.source_row, one.asked) for one in selection.prompts), folder)


def _make_up(source: PromptSource, prompts: int, seed: int) -> Selection:
    assert source.words is not None
    texts = fixed_prompts(prompts, words=source.words, seed=seed)
    return Selection(
        source=source,
        seed=seed,
        prompts=tuple(
            Prompt(source_row=row, asked=PromptRow(text=one)) for row, one in enumerate(texts)
        ),
        available=prompts,
        empty=0,
        origin={"kind": "synthetic", "rule": RULE, "words": source.words},
    )


def _recorded(source: PromptSource, prompts: int, seed: int) -> Selection:
    """All texts of a prompts file: the seed made their order when it was written."""
    assert source.path is not None
    rows = read_rows(source.path, source.path.stem)
    if fault := count_fault(source, prompts, available=len(rows)):
        raise ValueError(fault)
    return Selection(
        source=source,
        seed=seed,
        prompts=tuple(Prompt(source_row=row, asked=one) for row, one in rows[:prompts]),
        available=len(rows),
        empty=0,
        origin={"kind": "record", "sha256": source.path.stem},
    )


def _asked(source: PromptSource) -> tuple[list[PromptRow], Mapping[str, Any]]:
    corpus = find_corpus(source.corpus)
    if source.task is not None:
        corpus = Corpus.of_task(corpus.name, source.task, corpus.about)
    if source.source is PromptOrigin.HUB:
        return hub_texts(corpus, source.cache), hub_origin(corpus)
    if source.source is PromptOrigin.STAGED:
        staged = StagedCopy.read(source.cache, corpus)
        if staged is None or staged.dataset != source.dataset:
            raise ValueError(
                f"{quoted(source.cache / corpus.name)} must still be {source.dataset}, "
                "but was replaced or removed"
            )
        return staged.asked(source.cache), {**staged.origin, "sha256": staged.sha256}
    assert source.path is not None
    if source.task is not None:
        asked = file_asked(source.path, source.task)
        return asked, {**files_origin([source.path]), **task_origin(corpus)}
    texts = file_prompts(source.path, source.columns)
    return [PromptRow(text=text) for text in texts], files_origin([source.path])
