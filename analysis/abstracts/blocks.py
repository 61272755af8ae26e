"""Blocks: measured runs of a version that differ in one thing alone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from analysis.abstracts.statement import TASK, AbstractStatement, Need
from analysis.abstracts.version import FIXED, PaperVersion
from analysis.claims.sample import Sample, family_of
from analysis.runs.labels import Label
from analysis.tables.point import kept_words

# What goes with what is varied: nobody can hold it while that one changes.
_FOLLOWS: Final[Mapping[str, tuple[str, ...]]] = {
    # Each family has its own tokenizer and its own weights.
    "model": ("weights", "tokenizer"),
    # A data set has its own prompts, and room for them.
    TASK: ("dataset", "dataset_family", "prompts_digest", "max_prompt_len"),
    # Prompts of another exact length are other prompts.
    "max_prompt_len": ("prompts_digest",),
}
# Of a lock that stood otherwise than asked nobody knows what it did.
_LOCK_FAULTS: Final = (Label.CLOCK_NOT_HELD, Label.CLOCK_UNKNOWN)
_ENERGY_FAULTS: Final = (Label.PARTIAL,)


@dataclass(frozen=True, kw_only=True)
class SampleBlock:
    """Samples of one board and engine, by the level of what is varied."""

    levels: Mapping[Any, tuple[Sample, ...]]
    """At least two, in the order of the levels; None is no clock lock."""

    @property
    def samples(self) -> tuple[Sample, ...]:
        """All of them."""
        return tuple(one for own in self.levels.values() for one in own)


def of_version(version: PaperVersion, samples: Sequence[Sample]) -> list[Sample]:
    """The measured samples of a version's models on its tasks, or on exact lengths."""
    return [
        one
        for one in samples
        if not one.simulated
        and version.model_of(one.conditions["model"]) is not None
        and (
            version.task_of(one.conditions["dataset"]) is not None
            or family_of(one.conditions["dataset"]) == FIXED
        )
    ]


def usable(statement: AbstractStatement, sample: Sample) -> str | None:
    """Why a sample of the version can say nothing of a statement; None where it can."""
    if statement.version.task_of(sample.conditions["dataset"]) is None and not statement.fixed:
        return "prompts of exact lengths ask nothing: they are no task"
    if sample.conditions["quantization"] != "none":
        return "quantized weights are another model"
    if kept_words(sample.conditions):
        return "keys and values of fewer bits are another model"
    faults = (*_LOCK_FAULTS, *_ENERGY_FAULTS) if _locked(sample) else _ENERGY_FAULTS
    return next((fault.word for fault in faults if fault.word in sample.labels), None)


def blocks_of(statement: AbstractStatement, samples: Sequence[Sample]) -> Iterator[SampleBlock]:
    """Every block of samples that differ in what the statement is about alone."""
    chains: dict[str, dict[Any, list[Sample]]] = {}
    for sample in samples:
        level = level_of(statement, sample)
        chains.setdefault(_key(statement.along, sample), {}).setdefault(level, []).append(sample)
    for chain in chains.values():
        if len(chain) > 1:
            ordered = sorted(chain.items(), key=lambda one: _order(one[0]))
            yield SampleBlock(levels={level: tuple(own) for level, own in ordered})


def level_of(statement: AbstractStatement, sample: Sample) -> Any:
    """What a sample has of that which is varied."""
    if statement.along != TASK:
        return sample.conditions.get(statement.along)
    task = statement.version.task_of(sample.conditions["dataset"])
    return None if task is None else task.printed


def counted(version: PaperVersion, samples: Sequence[Sample]) -> dict[Need, int]:
    """How many models, tasks, lengths and clocks these samples have."""
    models = (version.model_of(one.conditions["model"]) for one in samples)
    tasks = (version.task_of(one.conditions["dataset"]) for one in samples)
    return {
        Need.MODELS: len({one.printed for one in models if one is not None}),
        Need.TASKS: len({one.printed for one in tasks if one is not None}),
        Need.LENGTHS: len({one.conditions["max_gen_len"] for one in samples}),
        Need.INPUTS: len({one.conditions["max_prompt_len"] for one in samples}),
        Need.CLOCKS: len({one.conditions["sm_clock_mhz"] for one in samples}),
    }


def lacking(statement: AbstractStatement, found: Mapping[Need, int]) -> str | None:
    """What a verdict would have to rest on that is not there; None where all is."""
    short = [
        f"{found.get(need, 0)} of {count} {need}"
        for need, count in statement.needs.items()
        if found.get(need, 0) < count
    ]
    return ", ".join(short) or None


def _locked(sample: Sample) -> bool:
    return sample.conditions.get("sm_clock_mhz") is not None


def _key(along: str, sample: Sample) -> str:
    left = {along, *_FOLLOWS.get(along, ())}
    kept = {name: value for name, value in sample.conditions.items() if name not in left}
    return json.dumps(kept, sort_keys=True, default=str)


def _order(level: Any) -> tuple[bool, bool, Any]:
    number = isinstance(level, int | float)
    return level is not None, not number, level if level is not None else 0
