"""Task: what a data set's rows are asked as, what answers are held to, and how that is scored.

It stands in `conf/dataset/` as data and in launch.json as it was: whoever holds a sealed run can
score its answers again.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from telemetry.nearest import did_you_mean, one_of

KINDS: Final = ("qa", "summarization", "choice", "truthfulness", "code", "math", "instructions")
"""What a task is, in a word."""
METRICS: Final = (
    *("exact_match", "f1", "choice_accuracy", "number_strict", "number_flexible"),
    *("rouge1", "rouge2", "rouge_l", "rouge_l_diff", "rouge_l_acc"),
    *("bleu", "bleu_diff", "bleu_acc"),
    *("pass_at_1", "acc_norm"),
)
"""What an answer may be scored by; how each is computed: `analysis/quality/`."""
HELD_TO_WRONG: Final = ("rouge_l_diff", "rouge_l_acc", "bleu_diff", "bleu_acc")
"""Metrics that need wrong answers as well."""
FIELD: Final = re.compile(r"\{([A-Za-z_]\w*(?:\.\w+)*)\}")
"""A column in a template, as a dotted path in braces."""
_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\.(?:\w+|\*))*")
_REVISION: Final = re.compile(r"[0-9a-f]{40}")
_DIGEST_DIGITS: Final = 8


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task over one data set."""

    kind: str
    """One of `KINDS`."""
    hub: str
    """Name on the Hugging Face hub, as the `datasets` library takes it."""
    config: str | None
    """The hub data set's configuration; None takes its only one."""
    split: str
    """Split, or sum of splits."""
    revision: str | None
    """Commit of the hub data set, 40 hex digits; None takes its newest."""
    template: str
    """What the model reads, with columns as dotted paths in braces."""
    template_if_empty: str | None
    """The same of a row where a column of `template` is blank; None leaves such a row out."""
    references: str
    """Dotted path of the right answers; `*` is every item of a list."""
    wrong_references: str | None
    """Dotted path of wrong answers; None where the data set has none."""
    choices: tuple[str, ...] | None
    """Words that a number or truth value of `references` stands for; None: it is text."""
    no_answer: str | None
    """The right answer of a row without any; None: each row has one."""
    stop: tuple[str, ...]
    """An answer is scored up to the first of these; empty: whole."""
    metrics: tuple[str, ...]
    """What answers are scored by, of `METRICS`."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(one_of("dataset.task.kind", KINDS, self.kind, things="kinds"))
        for name in ("hub", "split", "template", "references"):
            _require_text(name, getattr(self, name))
        for name in ("config", "template_if_empty", "wrong_references", "no_answer"):
            if getattr(self, name) is not None:
                _require_text(name, getattr(self, name))
        if self.revision is not None and not _REVISION.fullmatch(str(self.revision)):
            raise ValueError(
                "`dataset.task.revision` must be a commit of 40 hex digits or null, "
                f"but is {self.revision!r} instead"
            )
        for name in ("template", "template_if_empty"):
            self._check_template(name, getattr(self, name))
        for name in ("references", "wrong_references"):
            path = getattr(self, name)
            if path is not None and not _PATH.fullmatch(path):
                raise ValueError(
                    f"`dataset.task.{name}` must be a dotted path such as answers.text, "
                    f"but is {path!r} instead"
                )
        if self.choices is not None:
            _require_texts("choices", self.choices)
        _require_texts("stop", self.stop, empty_allowed=True)
        self._check_metrics()

    @classmethod
    def from_mapping(cls, content: object) -> Self:
        """The task of a configuration or a record.

        Raises:
            ValueError: it is none; the message names the key.
        """
        if not isinstance(content, Mapping):
            raise ValueError(
                f"`dataset.task` must be a mapping, but is {type(content).__name__} instead"
            )
        names = [field.name for field in dataclasses.fields(cls)]
        for name in content:
            if name not in names:
                raise ValueError(
                    f"`dataset.task.{name}` must be one of {', '.join(names)}, but is none"
                    f"{did_you_mean(str(name), names)}"
                )
        for name in names:
            if name not in content:
                raise ValueError(f"`dataset.task.{name}` must be given, but is missing")
        return cls(**{name: _frozen(content[name]) for name in names})

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }

    @property
    def digest(self) -> str:
        """8 hex digits of the SHA-256 of its JSON form: another template is another data set."""
        text = json.dumps(self.to_mapping(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_DIGITS]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every dotted path that it reads, each once."""
        answers = (self.references, self.wrong_references)
        return tuple(dict.fromkeys((*self.asked_columns, *(one for one in answers if one))))

    @property
    def asked_columns(self) -> tuple[str, ...]:
        """Dotted paths of the columns in its template."""
        return tuple(dict.fromkeys(FIELD.findall(self.template)))

    def _check_template(self, name: str, template: str | None) -> None:
        if template is None:
            return
        fields = FIELD.findall(template)
        rest = FIELD.sub("", template)
        if not fields or "{" in rest or "}" in rest:
            raise ValueError(
                f"`dataset.task.{name}` must have columns in braces, such as {{question}}, and no "
                f"other brace, but is {template!r} instead"
            )

    def _check_metrics(self) -> None:
        _require_texts("metrics", self.metrics)
        for name in self.metrics:
            if name not in METRICS:
                raise ValueError(one_of("dataset.task.metrics", METRICS, name, things="metrics"))
        if self.wrong_references is None and (
            lacking := [name for name in self.metrics if name in HELD_TO_WRONG]
        ):
            raise ValueError(
                f"`dataset.task.wrong_references` must be a column where {lacking[0]} is a metric, "
                "but is null instead"
            )


def _frozen(value: object) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"`dataset.task.{name}` must be text, but is {value!r} instead")


def _require_texts(name: str, value: object, *, empty_allowed: bool = False) -> None:
    good = isinstance(value, Sequence) and not isinstance(value, str)
    texts = tuple(value) if isinstance(value, Sequence) and good else ()
    if (
        not good
        or (not texts and not empty_allowed)
        or len(set(map(repr, texts))) < len(texts)
        or not all(isinstance(one, str) and one for one in texts)
    ):
        raise ValueError(
            f"`dataset.task.{name}` must be a list of texts, each once, but is {value!r} instead"
        )
