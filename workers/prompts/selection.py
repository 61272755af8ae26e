"""Selection: which texts a run answers, from a named source, in an order that a seed decides.

    auto:  a path is given -> file; a staged copy is there -> staged; else sample when the work is
           local, hub when it is not; a corpus with neither wants its file; `fixed` is synthetic

All sources meet in one `datasets.Dataset` of non-empty prompts, so that equal content gives equal
prompts wherever it came from. The order is `Dataset.shuffle(seed)`: the permutation of NumPy's
PCG64 (`numpy.random.default_rng(seed).permutation`). The chosen texts lie in a file that is named
by its SHA-256; ranks read that file alone and need neither network nor `datasets`.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from telemetry.nearest import one_of
from telemetry.record.validation import require_whole
from workers.prompts.corpus import Corpus, file_prompts, find_corpus
from workers.prompts.hub import hub_origin, hub_texts, quiet_datasets, staging_command
from workers.prompts.prompts_file import read_rows, write_rows
from workers.prompts.rows import quoted
from workers.prompts.staging import StagedCopy, files_digest, files_origin
from workers.prompts.synthetic import RULE, SYNTHETIC, fixed_prompts

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
    words: int | None = None
    """Words of each synthetic text: a token each at least; None for what people wrote."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One prompt and where it stood."""

    text: str
    """What the model is to read, before it is tokenized and cut."""
    source_row: int
    """Row of the unshuffled dataset, counted from 0, empty rows included."""


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

    Raises:
        ValueError: these do not fit together, or the file or the staged copy is not there.
    """
    known = find_corpus(corpus)
    if known.synthetic:
        return _identify_synthetic(
            known, source=source, path=path, columns=columns, cache=cache, prompt_len=prompt_len
        )
    staged = StagedCopy.read(cache, known)
    chosen = _resolve(known, source, path, staged, local=local)
    if chosen is PromptOrigin.FILE:
        return _identify_file(known, path, columns, cache)
    if path is not None or columns is not None:
        given = f"`path` {quoted(path)}" if path is not None else f"`columns` {columns!r}"
        raise ValueError(
            f"`path` and `columns` must be null with source {chosen}, but {given} is given"
        )
    where: Path | None = None
    dataset = corpus
    if chosen is PromptOrigin.STAGED:
        if staged is None:
            raise ValueError(
                f"{quoted(cache / corpus)} must be a staged copy of {corpus}, but there is none; "
                f"type `{staging_command(known)}`"
            )
        dataset, where = staged.dataset, cache / corpus
    elif chosen is PromptOrigin.SAMPLE:
        if known.sample is None:
            raise ValueError(
                f"`source` must not be sample for {corpus!r}, which has none; name a file in `path`"
            )
        dataset, where = f"{corpus}-sample", known.sample
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
    )


def identify_record(corpus: str, *, dataset: str, path: Path, cache: Path) -> PromptSource:
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
    )


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
        available = len(loaded.dataset)
        if fault := count_fault(source, prompts, available=available):
            raise ValueError(fault)
        # A fingerprint of our own: hashing the content for one costs more than the shuffle.
        chosen = loaded.dataset.shuffle(seed=seed, new_fingerprint=f"seed-{seed}")[:prompts]
        yield Selection(
            source=source,
            seed=seed,
            prompts=tuple(
                Prompt(text=text, source_row=row)
                for text, row in zip(chosen["prompt"], chosen["source_row"], strict=True)
            ),
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

    dataset: Any
    """A `datasets.Dataset` of `prompt` and `source_row`, not shuffled, without empty rows."""
    empty: int
    """Rows left out because they hold no text."""
    origin: Mapping[str, Any]
    """Where they come from, for the provenance record."""


def _load(source: PromptSource) -> _Loaded:
    # Ranks read prompts without it.
    import pyarrow as pa  # noqa: PLC0415

    texts, origin = _texts(source)
    kept = [(row, text) for row, text in enumerate(texts) if text]
    table = pa.table({"prompt": [text for _, text in kept], "source_row": [row for row, _ in kept]})
    # A fingerprint of our own: the library's pickles pyarrow whole, and fails, where it is on
    # PYTHONPATH rather than in site-packages.
    dataset = quiet_datasets(source.cache).Dataset(table, fingerprint=source.dataset)
    return _Loaded(dataset=dataset, empty=len(texts) - len(kept), origin=origin)


def write_prompts(selection: Selection, folder: Path) -> tuple[str, Path]:
    """Write the selection to `folder`/<sha256>.jsonl: the digest and the path. Raises OSError."""
    return write_rows(((one.source_row, one.text) for one in selection.prompts), folder)


def _resolve(
    corpus: Corpus, source: str, path: Path | None, staged: StagedCopy | None, *, local: bool
) -> PromptOrigin:
    if source != _AUTO:
        known = [_AUTO, *(one for one in PromptOrigin if one not in _NOT_ASKED_FOR)]
        if source not in known:
            raise ValueError(one_of("dataset.source", known, source, things="sources"))
        return PromptOrigin(source)
    if path is not None or not corpus.columns:
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


def _make_up(source: PromptSource, prompts: int, seed: int) -> Selection:
    assert source.words is not None
    texts = fixed_prompts(prompts, words=source.words, seed=seed)
    return Selection(
        source=source,
        seed=seed,
        prompts=tuple(Prompt(text=text, source_row=row) for row, text in enumerate(texts)),
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
        prompts=tuple(Prompt(text=text, source_row=row) for row, text in rows[:prompts]),
        available=len(rows),
        empty=0,
        origin={"kind": "record", "sha256": source.path.stem},
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


def _told(columns: Sequence[str]) -> str:
    return f"column{'s' if len(columns) > 1 else ''} {' and '.join(columns)}"


def _texts(source: PromptSource) -> tuple[list[str], Mapping[str, Any]]:
    corpus = find_corpus(source.corpus)
    if source.source is PromptOrigin.HUB:
        return hub_texts(corpus, source.cache), hub_origin(corpus)
    if source.source is PromptOrigin.STAGED:
        staged = StagedCopy.read(source.cache, corpus)
        if staged is None or staged.dataset != source.dataset:
            raise ValueError(
                f"{quoted(source.cache / corpus.name)} must still be {source.dataset}, "
                "but was replaced or removed"
            )
        return staged.texts(source.cache), {**staged.origin, "sha256": staged.sha256}
    assert source.path is not None
    return file_prompts(source.path, source.columns), files_origin([source.path])
