"""Task rows: how a row of a data set becomes a prompt and the answers that it is held to."""

from collections.abc import Mapping
from typing import Any, Final

from telemetry.record.task import FIELD, Task
from workers.prompts.prompt_row import PromptRow
from workers.prompts.rows import missing_column

_EVERY: Final = "*"
# More digits than any list has places; Python reads no number of thousands of them.
_MOST_DIGITS: Final = 10


def row_asked(row: Mapping[str, Any], task: Task, place: str) -> PromptRow:
    """What a row asks; of an empty text where the task leaves it out.

    Raises:
        ValueError: a column is missing, or is not what the task takes; the message ends with
            `place`.
    """
    columns = {name: _text(_at(row, name, place), name, place) for name in task.asked_columns}
    template: str | None = task.template
    if not all(text.strip() for text in columns.values()):
        template = task.template_if_empty
    # A right answer is looked at even where nothing is asked: a row that lacks one is a fault.
    references = _references(row, task, task.references, place)
    wrong = task.wrong_references
    if template is None:
        return PromptRow(text="", references=references)
    return PromptRow(
        text=FIELD.sub(lambda found: _column(columns, found[1], row, place), template),
        references=references,
        wrong_references=None if wrong is None else _references(row, task, wrong, place),
    )


def _column(columns: Mapping[str, str], name: str, row: Mapping[str, Any], place: str) -> str:
    return columns[name] if name in columns else _text(_at(row, name, place), name, place)


def _references(row: Mapping[str, Any], task: Task, path: str, place: str) -> tuple[str, ...]:
    found = _at(row, path, place)
    values = found if isinstance(found, list) else [found]
    if not values:
        if task.no_answer is None:
            raise ValueError(
                f"`{path}` must have an answer, as `dataset.task.no_answer` is null, "
                f"but has none {place}"
            )
        return (task.no_answer,)
    # Many people answer one question, and often alike.
    return tuple(dict.fromkeys(_answer(value, task, path, place) for value in values))


def _answer(value: Any, task: Task, path: str, place: str) -> str:
    if task.choices is None:
        return _text(value, path, place)
    # HellaSwag writes its numbers as text, BoolQ a truth value.
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 3:  # noqa: PLR2004
        value = int(value)
    if not isinstance(value, int) or not 0 <= value < len(task.choices):
        raise ValueError(
            f"`{path}` must be the place of one of {len(task.choices)} choices, "
            f"but is {value!r} {place}"
        )
    return task.choices[int(value)]


def _at(row: Mapping[str, Any], path: str, place: str) -> Any:
    """What the steps of a dotted path lead to; of `*` a list of what each item's do."""
    if "." in path and path in row:
        return row[path]
    return _steps(row, path.split("."), path, row, place)


def _steps(value: Any, steps: list[str], path: str, row: Mapping[str, Any], place: str) -> Any:
    for number, step in enumerate(steps):
        if step == _EVERY and isinstance(value, list):
            return [_steps(one, steps[number + 1 :], path, row, place) for one in value]
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and _is_place(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            raise missing_column(path, place, list(row))
    return value


def _is_place(step: str) -> bool:
    return step.isascii() and step.isdecimal() and len(step) < _MOST_DIGITS


def _text(value: Any, path: str, place: str) -> str:
    if not isinstance(value, str):
        what = "null" if value is None else type(value).__name__
        raise ValueError(f"`{path}` must be text, but is {what} instead {place}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # JSON can spell half a surrogate pair, which no tokenizer and no UTF-8 file takes.
        raise ValueError(
            f"`{path}` must be valid Unicode, but holds a lone surrogate {place}"
        ) from error
    return value
