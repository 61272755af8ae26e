"""Opened: the sealed runs of a results folder, their tables and traces, for people's own tools."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from analysis.results.frame import Frame
from analysis.results.trace import Trace
from analysis.runs.labels import RunLabels
from analysis.runs.sealed_runs import Loaded, NotCounted, Run, load
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from telemetry.named_paths import named_path
from telemetry.nearest import did_you_mean, told_count
from telemetry.record.place import Place, PlaceKind, place_of
from telemetry.record.spec import RunSpec
from telemetry.terminal import printable

# A folder of many results folders is not listed in an error.
_MOST_MEANT: Final = 3
# Folders of a record.
_RECORDS: Final = (PlaceKind.RESULTS, PlaceKind.RUN, PlaceKind.ATTEMPT)


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenedRun:
    """One sealed run: what was run, and what a reader of its numbers has to know first."""

    run: Run
    """Its record."""
    labels: RunLabels
    """What its numbers are not."""

    @property
    def run_id(self) -> str:
        """The run's name: slug and digest of its spec."""
        return self.run.run_id

    @property
    def spec(self) -> RunSpec:
        """What was run."""
        return self.run.spec

    @property
    def attempt(self) -> int:
        """Number of the sealed attempt."""
        return self.labels.attempt

    @property
    def seal_sha256(self) -> str:
        """SHA-256 of its seal, which holds that of every other file."""
        return self.labels.seal_sha256

    @property
    def simulated(self) -> bool:
        """True when its GPUs are a stated power model: no measurement."""
        return self.labels.simulated

    @property
    def random_weights(self) -> bool:
        """True when nobody trained the weights."""
        return self.labels.random_weights

    @property
    def changed_code(self) -> bool | None:
        """True when the code had changes that no commit holds; None: no commit is on record."""
        return self.labels.changed_code

    @property
    def partial_record(self) -> bool:
        """True when parts are damaged or missing, or readings were none that a sensor can mean."""
        return self.labels.partial_record

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Who started it, from where, with which code: provenance.json."""
        return self.run.provenance

    @cached_property
    def trace(self) -> Trace:
        """Its readings, spans, answers and steps."""
        return Trace(run=self.run, labels=self.labels)

    def __repr__(self) -> str:
        flags = ("simulated", "random_weights", "changed_code", "partial_record")
        said = [flag.replace("_", " ") for flag in flags if getattr(self.labels, flag)]
        return f"<run {self.run_id}{': ' if said else ''}{', '.join(said)}>"


class Frames(Mapping[str, Frame]):
    """Every table by name: `frames["runs"]`, or `frames.runs`."""

    def __init__(self, tables: Tables) -> None:
        self._frames = {
            table.name: Frame(name=table.name, content=table.to_arrow()) for table in tables.all()
        }

    def __getitem__(self, name: str) -> Frame:
        if name not in self._frames:
            raise KeyError(
                f"there is no table {name!r}; there are {', '.join(self._frames)}"
                f"{did_you_mean(name, self._frames)}"
            )
        return self._frames[name]

    def __getattr__(self, name: str) -> Frame:
        # Asked for before `_frames` is there, as `copy` does, it would look for itself for ever.
        if name.startswith("_") or name not in self._frames:
            raise AttributeError(f"there is no table {name!r}{did_you_mean(name, self._frames)}")
        return self._frames[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._frames)

    def __len__(self) -> int:
        return len(self._frames)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self._frames.values()))


class OpenedResults:
    """A results folder, read once: what changes in it afterwards is refused, never mixed in."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded

    @property
    def path(self) -> Path:
        """The results folder."""
        return self._loaded.results

    @cached_property
    def runs(self) -> tuple[OpenedRun, ...]:
        """Every sealed run that counts, in the order of the tables."""
        runs = {run.run_id: run for run in self._loaded.runs}
        # As the tables have them: what lies there now may be another seal.
        labels = self._tables.runs.about["runs"]
        return tuple(
            OpenedRun(run=runs[run_id], labels=RunLabels(**labels[run_id]))
            for run_id in (str(row["run_id"]) for row in self._tables.runs.rows)
        )

    @cached_property
    def tables(self) -> Frames:
        """Every table of the analysis, by name: those that `python -m analysis` writes."""
        return Frames(self._tables)

    @cached_property
    def not_counted(self) -> tuple[NotCounted, ...]:
        """What is in no number, each with its reason: not sealed, damaged, changed since."""
        # A reason is the record's own words, which must not steer a terminal.
        return tuple(
            replace(other, reason=printable(other.reason)) for other in self._tables.others
        )

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """(run id, sentence) of what a reader of the energies has to know."""
        return self._tables.notes

    def run(self, run_id: str) -> OpenedRun:
        """One sealed run.

        Raises:
            ValueError: there is none of that name, or it does not count; the message says why.
        """
        for run in self.runs:
            if run.run_id == run_id:
                return run
        for other in self.not_counted:
            if other.run_id == run_id:
                why = f": {other.reason}" if other.reason else ""
                raise ValueError(
                    f"`run_id` must be a sealed run's, but {run_id} is {other.state}{why}"
                )
        names = [run.run_id for run in self.runs]
        raise ValueError(
            f"`run_id` must be one of {told_count(len(names), 'sealed run')} of {self.path}, "
            f"but is {run_id!r} instead{did_you_mean(run_id, names)}"
        )

    def trace(self, run_id: str) -> Trace:
        """One run's readings, spans, answers and steps; raises what `run` does."""
        return self.run(run_id).trace

    def __repr__(self) -> str:
        return (
            f"<results {self.path}: {told_count(len(self.runs), 'sealed run')}, "
            f"{len(self.not_counted)} not counted>"
        )

    @cached_property
    def _tables(self) -> Tables:
        return build_tables(self._loaded)


def open_results(path: str | os.PathLike[str]) -> OpenedResults:
    """A results folder, or the one run whose folder or attempt's folder it is.

    Every file that a seal names is hashed: a run that is not as it was sealed is in `not_counted`
    and in no number.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is no results folder, run or attempt, or no path at all.
    """
    what = "a results folder, a run or an attempt"
    # A variable that nobody has set is None: os.fspath would speak of its type alone.
    given = path if isinstance(path, str | os.PathLike) else None
    named = path if given is None else os.fspath(given)
    if isinstance(named, bytes):
        raise ValueError(f"`path` must be {what}, but is {named!r} instead")
    folder = named_path("path", named, what)
    place = place_of(folder)
    if place.kind not in _RECORDS or place.results is None:
        error = FileNotFoundError if place.kind is PlaceKind.MISSING else ValueError
        raise error(_fault(place))
    loaded = load(place.results, only=place.run)
    if not loaded.runs and not loaded.not_counted:
        raise ValueError(f"`path` must be a folder of runs, but {folder} holds none yet")
    return OpenedResults(loaded)


def _fault(place: Place) -> str:
    """Why a folder is not opened, with what to write instead where that is known."""
    but = f"`path` must be a folder of runs, a run or an attempt, but {place.folder} is"
    meant = place.others if place.results is None else (place.results,)
    rather = " or ".join(f"open_results({str(other)!r})" for other in meant[:_MOST_MEANT])
    whose = f" ({place.whose})" if place.whose else ""
    return f"{but} {place.kind}{whose}{f'; did you mean {rather}?' if rather else ''}"
