"""Corpus: a dataset that prompts are taken from, and how its rows become text.

A prompt is the text of the corpus' columns, those that are not empty, joined by a newline: what
the model reads is what the dataset's authors wrote. A task has a template instead, and answers
that it is held to (`task_rows`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from telemetry.nearest import one_of
from telemetry.record.task import Task
from workers.prompts.prompt_row import PromptRow
from workers.prompts.rows import missing_column, quoted, read_rows
from workers.prompts.task_files import known_tasks
from workers.prompts.task_rows import row_asked

BUNDLED: Final = Path(__file__).resolve().parent / "bundled"


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """One dataset by name."""

    name: str
    """Short name used in configurations."""
    hub: str | None
    """Name on the Hugging Face hub; None when it is not taken from there."""
    config: str | None
    """The hub dataset's configuration; None takes its only one."""
    split: str
    """Split or sum of splits of the hub dataset."""
    revision: str | None
    """Commit of the hub dataset; None takes its newest."""
    columns: tuple[str, ...]
    """Columns that make a prompt, as dotted paths; empty when the user must name them."""
    sample: Path | None
    """The bundled stand-in with the same columns, written for this project; None without one."""
    about: str
    """What its texts are and where they come from, in one line."""
    synthetic: bool = False
    """True when its texts are made up on the spot (`workers.prompts.synthetic`) and come from
    nowhere."""
    task: Task | None = None
    """What its rows are asked as and held to; None: its columns are the prompt."""

    @property
    def stageable(self) -> bool:
        """Whether it is known which columns of it make a prompt."""
        return bool(self.columns) or self.task is not None

    @classmethod
    def of_task(cls, name: str, task: Task, about: str) -> "Corpus":
        """The data set of a task."""
        sample = BUNDLED / f"{name}_sample.jsonl"
        return cls(
            name=name,
            hub=task.hub,
            config=task.config,
            split=task.split,
            revision=task.revision,
            columns=(),
            sample=sample if sample.is_file() else None,
            about=about,
            task=task,
        )


_ALL: Final = (
    Corpus(
        name="gsm8k",
        hub="openai/gsm8k",
        config="main",
        # arXiv 2310.03003 samples 4,096 of "8,500" problems. The test split alone has 1,319 and
        # the train split 7,473, so both are needed to come near: 8,792.
        split="train+test",
        revision="e53f048856ff4f594e959d75785d2c2d37b678ee",
        columns=("question",),
        sample=BUNDLED / "gsm8k_sample.jsonl",
        about="Grade-school mathematics in words (arXiv 2110.14168).",
    ),
    Corpus(
        name="alpaca",
        hub="tatsu-lab/alpaca",
        config=None,
        split="train",
        revision="dce01c9b08f87459cf36a430d809084718273017",
        columns=("instruction", "input"),
        sample=BUNDLED / "alpaca_sample.jsonl",
        about="Instructions, some with an input (github.com/tatsu-lab/stanford_alpaca).",
    ),
    Corpus(
        name="alpaca_seed",
        hub=None,
        config=None,
        split="train",
        revision=None,
        columns=("instruction", "instances.0.input"),
        sample=None,
        about="The 175 seed tasks that Alpaca grew from (arXiv 2212.10560).",
    ),
    Corpus(
        name="file",
        hub=None,
        config=None,
        split="train",
        revision=None,
        columns=(),
        sample=None,
        about="A file of your own, with the columns you name.",
    ),
    Corpus(
        name="fixed",
        hub=None,
        config=None,
        split="train",
        revision=None,
        columns=(),
        sample=None,
        about="Synthetic texts, each cut to exactly max_prompt_len tokens.",
        synthetic=True,
    ),
)


class _Corpora(Mapping[str, Corpus]):
    """All corpora by name; those of tasks are read when one of them may be meant."""

    def __init__(self) -> None:
        self._plain = {corpus.name: corpus for corpus in _ALL}

    def __getitem__(self, name: str) -> Corpus:
        return self._plain[name] if name in self._plain else self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @cached_property
    def _all(self) -> dict[str, Corpus]:
        tasks = known_tasks()
        own = {name: Corpus.of_task(name, *tasks[name]) for name in tasks}
        return {**self._plain, **own}


CORPORA: Final[Mapping[str, Corpus]] = _Corpora()
"""All corpora by name."""


def find_corpus(name: str) -> Corpus:
    """The corpus called `name`.

    Raises:
        ValueError: there is none.
    """
    if name not in CORPORA:
        raise ValueError(one_of("dataset", CORPORA, name, things="data sets"))
    return CORPORA[name]


def row_prompt(row: Mapping[str, Any], columns: Sequence[str], place: str) -> str:
    """The prompt of one row, empty when all its columns are.

    Raises:
        ValueError: a column is missing or is not text; the message ends with `place`.
    """
    texts = [_column_text(row, column, place) for column in columns]
    return "\n".join(text for text in texts if text.strip())


def file_prompts(path: Path, columns: Sequence[str]) -> list[str]:
    """The prompt of every row of a file, empty ones too, so that positions are row numbers.

    Every row is looked at here, before anything else sees the file: blank lines of a `.jsonl` are
    no rows, and nothing is guessed or repaired.

    Raises:
        ValueError: the file is missing, empty, of another kind or malformed, a row lacks a column,
            or no row has a text; the message names the file and the line or row, counted from 1.
    """
    prompts = [row_prompt(row, columns, place) for place, row in read_rows(path, columns)]
    if not any(prompts):
        raise ValueError(
            f"{quoted(path)} must hold at least one prompt, but {', '.join(columns)} "
            f"of its {len(prompts)} rows are empty"
        )
    return prompts


def file_asked(path: Path, task: Task) -> list[PromptRow]:
    """What every row of a file asks, empty ones too, so that positions are row numbers.

    Raises:
        ValueError: as `file_prompts`.
    """
    tops = tuple(dict.fromkeys(column.split(".")[0] for column in task.columns))
    asked = [row_asked(row, task, place) for place, row in read_rows(path, tops)]
    if not any(one.text for one in asked):
        raise ValueError(
            f"{quoted(path)} must hold at least one prompt, but {', '.join(task.asked_columns)} "
            f"of its {len(asked)} rows are empty"
        )
    return asked


def _column_text(row: Mapping[str, Any], column: str, place: str) -> str:
    found = [*_by_path(row, column), *_by_name(row, column)]
    if not found:
        raise missing_column(column, place, list(row))
    if len(found) > 1:
        raise ValueError(
            f"`{column}` must be one column, but is one of that very name and one within another "
            f"{place}"
        )
    value = found[0]
    if not isinstance(value, str):
        what = "null" if value is None else f"{type(value).__name__}"
        raise ValueError(f"`{column}` must be text, but is {what} instead {place}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # JSON can spell half a surrogate pair, which no tokenizer and no UTF-8 file takes.
        raise ValueError(
            f"`{column}` must be valid Unicode, but holds a lone surrogate {place}"
        ) from error
    return value


def _by_name(row: Mapping[str, Any], column: str) -> Iterator[Any]:
    """The column whose name has dots of its own."""
    if "." in column and column in row:
        yield row[column]


def _by_path(row: Mapping[str, Any], column: str) -> Iterator[Any]:
    """What the steps of a dotted path lead to."""
    value: Any = row
    for step in column.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and _is_place(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return
    yield value


def _is_place(step: str) -> bool:
    # More digits than any list has places; Python reads no number of thousands of them.
    return step.isascii() and step.isdecimal() and len(step) < 10  # noqa: PLR2004
