"""Place: what a folder is that somebody named: a results folder, a run, an attempt, or none."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from telemetry.command import CommandError, ExitCode
from telemetry.named_paths import named_path
from telemetry.nearest import nearest
from telemetry.next_line import typed
from telemetry.record.paths import AttemptPaths, RunPaths, holds_results

# results/run/attempt-001/shards/samples/host is the deepest folder of a record.
_DEEPEST: Final = 5
# A folder of thousands of results folders is not listed for people.
_MOST_LISTED: Final = 8
# What other tools leave in a folder of theirs, as glob patterns, and what it then is. The first
# that is there counts: a checkout with a `wandb` folder is rather that of wandb.
_TOOLS: Final[tuple[tuple[str, str], ...]] = (
    ("mlruns", "MLflow's"),
    ("mlflow.db", "MLflow's"),
    ("[0-9]*/meta.yaml", "MLflow's"),
    ("meta.yaml", "MLflow's"),
    ("wandb", "that of Weights & Biases"),
    ("wandb-*", "that of Weights & Biases"),
    ("run-*/*.wandb", "that of Weights & Biases"),
    ("offline-run-*", "that of Weights & Biases"),
    ("run-*.wandb", "that of Weights & Biases"),
    (".hydra", "one of Hydra's outputs"),
    ("multirun.yaml", "one of Hydra's outputs"),
    ("*/.hydra", "one of Hydra's outputs"),
    ("*/*/.hydra", "one of Hydra's outputs"),
    ("emissions.csv", "codecarbon's"),
    ("lightning_logs", "PyTorch Lightning's"),
    ("events.out.tfevents*", "TensorBoard's"),
    ("*/events.out.tfevents*", "TensorBoard's"),
    ("*_submitted.pkl", "submitit's"),
    ("params.json", "a checkpoint of a model"),
    ("*.safetensors", "a checkpoint of a model"),
    ("models--*", "a cache of models"),
    ("pyvenv.cfg", "a virtual environment"),
    (".dvc", "DVC's"),
    (".git", "a git checkout"),
)
_ATTEMPT_NAME: Final = re.compile(r"attempt-\d{3,}")
# As the launcher takes it: results=FOLDER, of which the folder may be absolute.
_AS_A_KEY: Final = re.compile(r"/[a-z_]+=(?=[^/]|/[^/])", re.IGNORECASE)
Line = Callable[[str], str]
"""The command that reads another folder, for one that takes more words than a folder."""


class PlaceKind(StrEnum):
    """What a folder is."""

    RESULTS = "a results folder"
    RUN = "a run"
    ATTEMPT = "an attempt"
    BELOW = "a part of a results folder"
    PARENT = "a folder of results folders"
    FOREIGN = "another tool's or nobody's"
    EMPTY = "empty"
    A_FILE = "a file"
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a folder is, and the record that it belongs to."""

    folder: Path
    """The folder as it was named, absolute."""
    kind: PlaceKind
    """What it is."""
    results: Path | None = None
    """The results folder that it is or belongs to; None where there is none."""
    run: RunPaths | None = None
    """The run that it is or belongs to; None where there is none."""
    attempt: AttemptPaths | None = None
    """The attempt that it is; None where it is none."""
    others: tuple[Path, ...] = ()
    """What may have been meant: the results folders below, or the nearest names of a missing."""
    whose: str = ""
    """Whose folder another tool's is, or why one cannot be read; empty where that is unknown."""

    @property
    def exit_code(self) -> ExitCode:
        """What a command ends with that cannot read it."""
        if self.kind in (PlaceKind.EMPTY, PlaceKind.FOREIGN, PlaceKind.UNREADABLE):
            return ExitCode.NOTHING_DONE
        return ExitCode.BAD_INPUT

    def fault(self, name: str, module: str, line: Line | None = None) -> str:
        """Why `module` cannot read it, with what to type instead; `name` is what was being set."""
        # Whole: which folder was looked for is half of why it is not there.
        return (
            f"`{name}` must be a folder of runs, a run or an attempt, but {self.folder} "
            f"{self._what(line or _alone(module))}"
        )

    def lines(self, module: str, line: Line | None = None) -> list[str]:
        """One command for each results folder below a parent, where there are several."""
        if self.kind is not PlaceKind.PARENT or len(self.others) == 1:
            return []
        line = line or _alone(module)
        told = [line(shown(other)) for other in self.others[:_MOST_LISTED]]
        left = len(self.others) - len(told)
        return [*told, f"and {left} more"] if left else told

    def _what(self, typed_line: Line) -> str:
        instead = self.results or (self.others[0] if len(self.others) == 1 else None)
        line = "" if instead is None else f": {typed_line(shown(instead))}"
        near = " or ".join(map(shown, self.others))
        whose = f"is {self.whose}" if self.whose else "holds none"
        return {
            PlaceKind.MISSING: f"is missing{f'; did you mean {near}?' if near else ''}",
            PlaceKind.A_FILE: f"is a file of one{line}" if line else "is a file",
            PlaceKind.BELOW: f"is a part of one{line}",
            PlaceKind.PARENT: f"holds one{line}" if line else f"holds {len(self.others)} of them",
            PlaceKind.EMPTY: "is empty",
            PlaceKind.UNREADABLE: f"cannot be read: {self.whose}",
        }.get(self.kind, whose)


@dataclass(frozen=True, kw_only=True)
class RecordPlace(Place):
    """A results folder, a run or an attempt: what commands read."""

    results: Path
    """The results folder that it is or belongs to."""


def named_place(
    given: object, module: str, name: str = "results", line: Line | None = None
) -> RecordPlace:
    """The results folder, run or attempt that `given` names.

    Args:
        given: what was typed.
        module: the command, such as `launcher.status`, for the line to type instead.
        name: what is being set, for the message.
        line: the line to type instead, where it has more words than the module and a folder.

    Raises:
        CommandError: it is none, with the line that says why and the exit code.
    """
    try:
        place = place_of(named_path(name, given))
    except ValueError as error:
        raise CommandError(str(error)) from error
    if not isinstance(place, RecordPlace):
        raise CommandError(
            place.fault(name, module, line), place.exit_code, place.lines(module, line)
        )
    return place


def named_out(given: object) -> Path | None:
    """The folder to write to that `--out` names; None where it was not given.

    It is none in a run (`require_no_run_s`).

    Raises:
        CommandError: it is a file or lies in a run's folder, or is no path.
    """
    if given is None:
        return None
    try:
        out = named_path("--out", given)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if out.exists() and not out.is_dir():
        raise CommandError(f"`--out` must be a folder, but {out} is a file")
    require_no_run_s(out)
    return out


def require_no_run_s(out: Path) -> None:
    """Refuse what `--out` names in a run's folder: a file more would break the run's seal.

    Raises:
        CommandError: it lies in one, by what links lead to.
    """
    if (owner := owner_of(out)) is not None:
        raise CommandError(f"`--out` must lie in no run's folder, but {out} lies in {owner}'s")


def place_of(folder: Path) -> Place:
    """What `folder` is."""
    # Not resolved: the names of a run count as they are given, links and all.
    place = Path(os.path.abspath(folder))  # noqa: PTH100
    try:
        if not place.is_dir():
            place.stat()
            record = _record_above(place)
            if record is None:
                return Place(folder=folder, kind=PlaceKind.A_FILE)
            return Place(
                folder=folder, kind=PlaceKind.A_FILE, results=record.results, run=record.run
            )
        return _folder(folder, place)
    except (FileNotFoundError, NotADirectoryError):
        return Place(folder=folder, kind=PlaceKind.MISSING, others=tuple(_near(place)))
    except OSError as error:
        why = error.strerror or str(error)
        # In a folder that several people measure into, one run of another's is enough.
        if error.filename and Path(error.filename) != place:
            why += f": {error.filename}"
        return Place(folder=folder, kind=PlaceKind.UNREADABLE, whose=why)


def runs_above(place: Path) -> list[RunPaths]:
    """The runs in whose folder a place lies, or which it is, the nearest first."""
    return [
        RunPaths(results=folder.parent, run_id=folder.name)
        for folder in (place, *place.parents)
        if _is_run(folder)
    ]


def owner_of(place: Path) -> str | None:
    """The run in whose folder a place lies, by what links lead to; None for none."""
    return next((run.run_id for run in runs_above(Path(os.path.realpath(place)))), None)


def behind_key(path: Path) -> Path | None:
    """The path in one that was given as key=PATH, as the launcher takes it; None in any other."""
    key = _AS_A_KEY.search(str(path))
    if key is None:
        return None
    value = Path(str(path)[key.end() :])
    with contextlib.suppress(RuntimeError):
        value = value.expanduser()
    return Path(os.path.normpath(Path(str(path)[: key.start()] or "/") / value))


def shown(path: Path) -> str:
    """A path as one types it: from the working folder where it lies in that, else whole."""
    try:
        below = path.relative_to(Path.cwd())
    except (OSError, ValueError):
        return str(path)
    return str(below)


def _alone(module: str) -> Line:
    return lambda folder: typed(module, folder)


def _folder(given: Path, place: Path) -> Place:
    record = _record(given, place)
    if record is not None:
        return record
    # An unreadable folder raises here.
    children = sorted(place.iterdir())
    above = _record_above(place)
    if above is not None:
        return Place(folder=given, kind=PlaceKind.BELOW, results=above.results, run=above.run)
    if not children:
        return Place(folder=given, kind=PlaceKind.EMPTY)
    if found := tuple(child for child in children if _is_dir(child) and _holds(child)):
        return Place(folder=given, kind=PlaceKind.PARENT, others=found)
    return Place(folder=given, kind=PlaceKind.FOREIGN, whose=_whose(place))


def _record(given: Path, place: Path) -> RecordPlace | None:
    """An attempt, a run or a results folder; None for what is none of them."""
    if _ATTEMPT_NAME.fullmatch(place.name):
        run = RunPaths(results=place.parent.parent, run_id=place.parent.name)
        attempt = AttemptPaths(folder=place)
        if os.path.lexists(run.spec) or attempt.launch.is_file() or attempt.seal.is_file():
            return RecordPlace(
                folder=given, kind=PlaceKind.ATTEMPT, results=run.results, run=run, attempt=attempt
            )
    if _is_run(place):
        run = RunPaths(results=place.parent, run_id=place.name)
        return RecordPlace(folder=given, kind=PlaceKind.RUN, results=run.results, run=run)
    if holds_results(place):
        return RecordPlace(folder=given, kind=PlaceKind.RESULTS, results=place)
    return None


def _record_above(place: Path) -> RecordPlace | None:
    """The record that a folder or file lies in."""
    for above in list(place.parents)[:_DEEPEST]:
        try:
            record = _record(above, above)
        except OSError:
            return None
        if record is not None:
            return record
    return None


def _is_run(place: Path) -> bool:
    if place.name.startswith("."):
        return False
    return RunPaths(results=place.parent, run_id=place.name).is_there


def _holds(place: Path) -> bool:
    try:
        return holds_results(place)
    except OSError:
        # What this user may not read is not what was meant.
        return False


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir() and os.access(path, os.R_OK | os.X_OK)
    except OSError:
        return False


def _whose(place: Path) -> str:
    for pattern, whose in _TOOLS:
        if next(_matching(place, pattern), None) is not None:
            return whose
    return ""


def _matching(place: Path, pattern: str) -> Iterator[Path]:
    try:
        yield from place.glob(pattern)
    except OSError:
        return


def _near(place: Path) -> Iterator[Path]:
    """Folders that there are, spelt nearly as a missing one is."""
    if (found := behind_key(place)) is not None and found.is_dir():
        yield found
        return
    missing = [place, *place.parents]
    first = next((each for each in missing if each.parent.is_dir()), place)
    below = place.relative_to(first)
    try:
        names = [child.name for child in first.parent.iterdir() if child.is_dir()]
    except OSError:
        return
    for name in nearest(first.name, names):
        found = first.parent / name / below
        if found.is_dir():
            yield found
