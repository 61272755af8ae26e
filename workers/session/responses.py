"""Responses: what a batch was asked and answered, one row per prompt, and its steps."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from telemetry.shards.writer import ShardWriter
from workers.engines.base.generation import Generation
from workers.prompts.prompt_row import PromptRow
from workers.session.token_times import TokenTimes
from workers.tokenizers.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class Responses:
    """The answers to one batch."""

    batch: int
    """Number of the batch, counted from 0."""
    first_prompt: int
    """Line of the run's prompts file that the first row answers, counted from 0."""
    prompt_tokens: Sequence[int]
    """Tokens of each row's prompt."""
    answers: Generation
    """The engine's answers."""
    timing: TokenTimes
    """When they were made."""
    texts: Sequence[str]
    """Each row's answer as text, without its prompt."""
    asked: Sequence[PromptRow]
    """What each row was asked, with what the data set holds for right."""

    @classmethod
    def decode(
        cls,
        tokenizer: Tokenizer,
        *,
        batch: int,
        first_prompt: int,
        prompts: Sequence[Sequence[int]],
        answers: Generation,
        begun_us: int,
        asked: Sequence[PromptRow],
    ) -> "Responses":
        """The answers with their texts; the batch was begun at `begun_us`."""
        return cls(
            batch=batch,
            first_prompt=first_prompt,
            prompt_tokens=[len(prompt) for prompt in prompts],
            answers=answers,
            timing=TokenTimes.of(answers, begun_us),
            texts=[_text(tokenizer, ids) for ids in answers.ids],
            asked=asked,
        )

    @property
    def words(self) -> list[int]:
        """Each text's words: what white space parts."""
        return [len(text.split()) for text in self.texts]

    @property
    def generated_tokens(self) -> list[int]:
        """Each row's number of ids kept."""
        return [len(ids) for ids in self.answers.ids]

    def write(self, responses: ShardWriter, steps: ShardWriter | None) -> None:
        """Append a row per prompt to the shard of responses and a row per step to that of steps.

        `steps` is None for an engine that tells of none.
        """
        rows = len(self.texts)
        columns: dict[str, Sequence[Any]] = {
            "batch": [self.batch] * rows,
            "row": range(rows),
            "prompt": range(self.first_prompt, self.first_prompt + rows),
            "prompt_tokens": self.prompt_tokens,
            "generated_tokens": self.generated_tokens,
            "words": self.words,
            "generated_ids": self.answers.ids,
            "text": self.texts,
            "first_token_us": self.timing.first_us,
            "last_token_us": self.timing.last_us,
            "ended": self.answers.ended,
            "arrived_us": self.timing.arrived_us,
            "sent_us": self.timing.sent_us,
            "finished_us": self.timing.finished_us,
            "references": [_json(one.references) for one in self.asked],
            "wrong_references": [_json(one.wrong_references) for one in self.asked],
        }
        responses.write({name: list(column) for name, column in columns.items()})
        if steps is None:
            return
        count = len(self.timing.step_us)
        steps.write(
            {
                "batch": [self.batch] * count,
                "step": list(range(count)),
                "t_us": list(self.timing.step_us),
                "rows": list(self.timing.rows),
            }
        )


def _text(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """An answer as text; ids that the model has and the tokenizer has not, none at all.

    They come of random weights alone, whose vocabulary may be the larger.
    """
    return tokenizer.decode([one for one in ids if one < tokenizer.vocab_size])


def _json(texts: Sequence[str] | None) -> str | None:
    return None if texts is None else json.dumps(list(texts), ensure_ascii=False)
