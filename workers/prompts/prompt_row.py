"""Prompt row: one row of a data set as the model reads it, with the answers that it is held to."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PromptRow:
    """What one prompt asks."""

    text: str
    """What the model reads, before it is tokenized and cut; empty for a row that asks nothing."""
    references: tuple[str, ...] | None = None
    """What the data set holds for right; None where it says nothing of that."""
    wrong_references: tuple[str, ...] | None = None
    """What it holds for wrong; None alike."""

    def line(self, source_row: int) -> dict[str, Any]:
        """As a line of a prompts file; one without answers has none of their keys."""
        answers = {
            "references": self.references,
            "wrong_references": self.wrong_references,
        }
        return {
            "prompt": self.text,
            "source_row": source_row,
            **{name: list(texts) for name, texts in answers.items() if texts is not None},
        }


def asked_of(line: dict[str, Any]) -> PromptRow:
    """What a line of a prompts file says.

    Raises:
        LookupError, TypeError: it is none.
    """
    return PromptRow(
        text=line["prompt"],
        references=_texts(line.get("references")),
        wrong_references=_texts(line.get("wrong_references")),
    )


def _texts(found: Any) -> tuple[str, ...] | None:
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise TypeError(f"answers must be a list of texts, but are {found!r} instead")
    return tuple(found)
