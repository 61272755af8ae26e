"""Point: a grid point of ours as the paper's conditions see it, and in what it is not theirs."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

from analysis.paper.published import Published, paper_conditions
from analysis.runs.sealed_runs import Run
from analysis.tables.column import Cell, Row
from analysis.tables.groups import GROUPS
from analysis.tables.labels import LABELS
from analysis.tables.launched import LAUNCH_SETTINGS
from analysis.tables.point import (
    LOCKS,
    PAPER_ENGINE,
    POINT_BY_NAME,
    RANDOM,
    kept_words,
    setting_words,
)
from analysis.tables.table import Results
from telemetry.boards.agreement import board_fault

PAPER_DTYPE: Final = "fp16"
"""The format of the released checkpoints and of the code that the paper ran."""
AVERAGED: Final = ("dataset", "max_gen_len", "prompts_digest")
"""A number of the paper may be a mean over these; another dataset has other prompts."""
_SETTINGS: Final = (*POINT_BY_NAME, *LAUNCH_SETTINGS)
# A file of the user's in place of the hub's copy: its corpus and the digest of its content.
_OWN_FILE: Final = re.compile(r"-[0-9a-f]{8}")
_SAMPLING: Final = ("temperature", "top_p")
# The column that has a row's labels in words, and what stands between two.
_WORDS: Final = "labels"
_BETWEEN: Final = ", "
# What of an inventory's entry says which board it is: many runs have few different ones.
_TOLD: Final = ("simulated", "name", "kind", "memory_bytes", "compute_capability")
_SIMULATED: Final = "simulated-"
# NVML sets milliwatts, DCGM and nvidia-smi whole watts.
_SAME_LIMIT_W: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class GridPoint:
    """One grid point of ours."""

    row: Row
    """Its row of grid points."""
    runs: tuple[Run, ...]
    """Its repeats."""

    def __getitem__(self, name: str) -> Cell:
        return self.row[name]

    @property
    def runs_text(self) -> str:
        """The names of its runs."""
        return str(self.row["runs"])

    @property
    def corpus(self) -> str:
        """Its data set, whatever file it was read from; a sample has a name of its own."""
        return _OWN_FILE.sub("", str(self.row["dataset"]))

    @property
    def simulated(self) -> bool:
        """Whether no GPU measured it."""
        return bool(self.row["simulated"])

    @property
    def board(self) -> str:
        """Its kind of GPU as people say it."""
        return board_name(str(self.row["gpu"]))

    @property
    def labels(self) -> tuple[str, ...]:
        """What its numbers are not, by the labels of its runs."""
        words = self.row.get(_WORDS)
        if isinstance(words, str):
            return tuple(words.split(_BETWEEN))
        flags = [one for one in LABELS if one.type == "flag"]
        return tuple(one.label for one in flags if self.row.get(one.name) is True)

    @cached_property
    def as_asked(self) -> bool:
        """Whether its GPUs' driver calls them what was asked for, which a spec alone only says."""
        return all(boards_as_asked(run, str(self.row["gpu"])) for run in self.runs)

    @property
    def locks(self) -> tuple[str, ...]:
        """Clock locks, and caps of one phase alone, that were asked for: the paper had none."""
        return setting_words({name: self[name] for name in LOCKS})

    def capped_at(self, watts: float) -> bool:
        """Whether its boards were limited so: by a cap that was in force, or by their own limit."""
        if self.row["power_cap_w"] is not None:
            told = [limit for limit in self._own_limits_w if isinstance(limit, int | float)]
            in_force = all(abs(limit - watts) <= _SAME_LIMIT_W for limit in told)
            return self.row["power_cap_w"] == watts and in_force
        return self._own_limits_w == {watts}

    @cached_property
    def _own_limits_w(self) -> set[object]:
        return {gpu.get("power_limit_w") for run in self.runs for gpu in gpus_of(run)}

    def deviations(self, number: Published) -> tuple[str, ...]:
        """In what it is not under the paper's conditions, beside board, engine and GPUs."""
        found = [] if self.as_asked else ["boards not as named"]
        if self["weights"] == RANDOM:
            found.append("random weights")
        if self["quantization"] != "none":
            found.append(str(self["quantization"]))
        elif self["dtype"] != PAPER_DTYPE:
            found.append(str(self["dtype"]))
        found += kept_words(self.row)
        if self.corpus not in number.datasets:
            found.append(self.corpus)
        found += self._limits(number)
        conditions = paper_conditions()
        found += [
            f"{POINT_BY_NAME[name].label} {_plain(self[name])}"
            for name in _SAMPLING
            if self[name] != conditions[name]
        ]
        if self["ignore_eos"]:
            found.append("answers in full length")
        return tuple(found)

    @property
    def other_prompts(self) -> tuple[str, ...]:
        """That it answered another number of prompts than the paper did; nothing where not."""
        ours, papers = self["prompts"], paper_conditions()["prompts"]
        return () if ours == papers else (f"prompts {ours}, paper {papers}",)

    def _limits(self, number: Published) -> list[str]:
        found = []
        cap = self["power_cap_w"]
        if cap is not None and cap != number.power_cap_w:
            found.append(f"cap {_plain(cap)} W")
        elif self["gpu"] == number.gpu and not self.capped_at(number.power_cap_w):
            found.append("no power cap")
        found += [f"clock {lock}" for lock in self.locks]
        return found

    def series(self, number: Published) -> str:
        """What its column is called: board, engine and all in which it is not the paper's."""
        return ", ".join((f"{self.board} {self['engine']}", *self.deviations(number)))

    def is_the_papers(self, number: Published) -> bool:
        """Whether nothing but its number of GPUs may keep it from the paper's column."""
        return (
            self["gpu"] == number.gpu
            and not self.simulated
            and self["engine"] == PAPER_ENGINE
            and not self.deviations(number)
        )

    def same(self, other: "GridPoint", but: Iterable[str] = ()) -> bool:
        """Whether both were asked for the same, and measured so, `but` for some settings."""
        left_out = set(but)
        return all(self[name] == other[name] for name in _SETTINGS if name not in left_out)


def points(results: Results) -> list[GridPoint]:
    """Every grid point, in the order of its table."""
    runs: Mapping[str, Run] = {run.run_id: run for run in results.runs}
    return [
        GridPoint(row=row, runs=tuple(runs[name] for name in str(row["runs"]).split()))
        for row in results.rows(GROUPS)
    ]


def gpus_of(run: Run) -> Iterator[Mapping[str, Any]]:
    """Every GPU of a run's inventories."""
    for record in run.hosts.values():
        yield from (gpu for gpu in record.get("gpus", []) if isinstance(gpu, Mapping))


def boards_as_asked(run: Run, asked: str) -> bool:
    """Whether a run has GPUs and their driver calls all of them `asked`."""
    told = {
        json.dumps({name: gpu.get(name) for name in _TOLD}, sort_keys=True, default=str)
        for gpu in gpus_of(run)
    }
    return bool(told) and all(_is_asked(asked, entry) for entry in told)


@lru_cache(maxsize=1024)
def _is_asked(asked: str, entry: str) -> bool:
    return board_fault(asked, json.loads(entry)) is None


def board_name(kind: str) -> str:
    """A kind of GPU as people write it: `H200`, `SIMULATED A100`."""
    bare = kind.removeprefix(_SIMULATED)
    return f"SIMULATED {bare.upper()}" if bare != kind else kind.upper()


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
