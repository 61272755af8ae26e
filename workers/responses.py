"""Responses: what a batch was asked and answered, one row per prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from telemetry.shards import ShardWriter
from workers.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class Responses:
    """The answers to one batch."""

    batch: int
    """Number of the batch, counted from 0."""
    first_prompt: int
    """Line of the run's prompts file that the first row answers, counted from 0."""
    prompt_tokens: Sequence[int]
    """Tokens of each row's prompt."""
    generated_ids: Sequence[Sequence[int]]
    """Ids kept of each row's answer."""
    texts: Sequence[str]
    """Each row's answer as text, without its prompt."""

    @classmethod
    def decode(
        cls,
        tokenizer: Tokenizer,
        *,
        batch: int,
        first_prompt: int,
        prompts: Sequence[Sequence[int]],
        generated_ids: Sequence[Sequence[int]],
    ) -> "Responses":
        """The answers with their texts."""
        return cls(
            batch=batch,
            first_prompt=first_prompt,
            prompt_tokens=[len(prompt) for prompt in prompts],
            generated_ids=generated_ids,
            texts=[tokenizer.decode(ids) for ids in generated_ids],
        )

    @property
    def words(self) -> list[int]:
        """Each text's words: what white space parts."""
        return [len(text.split()) for text in self.texts]

    @property
    def generated_tokens(self) -> list[int]:
        """Each row's number of ids kept."""
        return [len(ids) for ids in self.generated_ids]

    def write(self, writer: ShardWriter) -> None:
        """Append a row per prompt to the shard of responses."""
        rows = len(self.texts)
        columns: dict[str, Sequence[Any]] = {
            "batch": [self.batch] * rows,
            "row": range(rows),
            "prompt": range(self.first_prompt, self.first_prompt + rows),
            "prompt_tokens": self.prompt_tokens,
            "generated_tokens": self.generated_tokens,
            "words": self.words,
            "generated_ids": self.generated_ids,
            "text": self.texts,
        }
        writer.write({name: list(column) for name, column in columns.items()})
