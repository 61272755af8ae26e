"""Sides: what is held against what: folders of sealed runs, or parts of one folder."""

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_uppercase
from typing import Final, Self

from analysis.compare.axes import CAMPAIGN, SEVERAL, Axes, axes_of
from analysis.runs.campaign import campaign_of
from analysis.runs.sealed_runs import NotCounted, Run, load
from analysis.tables.column import Row
from analysis.workbook.build import build_tables
from telemetry.clock import wall_us
from telemetry.command import CommandError, ExitCode
from telemetry.named_paths import named_path
from telemetry.next_line import typed
from telemetry.record.paths import RunPaths, campaigns_folder
from telemetry.record.place import Line, named_place
from telemetry.record.planned import PLAN
from telemetry.record.roots import Root

_MODULE: Final = "analysis.compare"
# One letter names a side in every sentence.
_MOST_SIDES: Final = len(ascii_uppercase)


@dataclass(frozen=True, kw_only=True)
class Member:
    """One sealed run of a side."""

    run: Run
    """Its record."""
    row: Row
    """Its rows of runs and of conditions, in one."""
    seal_sha256: str
    """SHA-256 of the seal that its numbers were read under."""

    @property
    def seal_name(self) -> str:
        """The seal's path in the results folder."""
        return self.run.attempt.seal.relative_to(self.run.paths.results).as_posix()


@dataclass(frozen=True, kw_only=True)
class Side:
    """What is compared with another."""

    letter: str
    """`A` for the base, then `B` and so on."""
    name: str
    """The folder's name, or the value of what tells the parts of one folder apart."""
    path: Path
    """What was named on the command line."""
    members: tuple[Member, ...]
    """Its sealed runs that are whole, in the order of every table."""
    not_counted: tuple[NotCounted, ...]
    """What lies there too and is in no number."""
    results: Path
    """The results folder that it is, or a part of."""
    part: bool
    """True where it is one campaign, one run or some runs of that folder."""
    features: tuple[Row, ...] = ()
    """Its table of input features; empty of a part, as families of runs reach beyond it."""

    def root(self) -> Root:
        """The root of its seals: of all of the folder, or of its own runs where it is a part.

        Raises:
            OSError: a seal cannot be read.
            ValueError: nothing is sealed.
            RuntimeError: a seal is not that which the numbers were read under.
        """
        own = {member.seal_name: member.seal_sha256 for member in self.members}
        if self.part:
            return Root(taken_us=wall_us(), seals=own)
        root = Root.take(self.results)
        for name, sha256 in own.items():
            if root.seals.get(name) != sha256:
                raise RuntimeError(f"{self.results / name} was changed while it was compared")
        return root


def open_sides(paths: Sequence[str], axes: Axes) -> tuple[Side, ...]:
    """The sides, the base first.

    Raises:
        CommandError: a path is nothing that can be compared, two are one, or there is but one side.
    """
    if len(paths) > _MOST_SIDES:
        raise CommandError(f"`PATH` must be at most {_MOST_SIDES} folders, but are {len(paths)}")
    by = ("--by", ",".join(axes.names)) if axes.given else ()

    def line(given: str, folder: str) -> str:
        return typed(_MODULE, *(folder if each == given else each for each in paths), *by)

    # All before any is read, which of a large one takes minutes.
    named = [_Named.of(each, functools.partial(line, each)) for each in paths]
    real = [os.path.realpath(each.path) for each in named]
    for index, place in enumerate(real):
        if place in real[:index]:
            raise CommandError(
                f"`PATH` must be each folder once, but {named[index].path} is given twice"
            )
    if len(named) >= SEVERAL and CAMPAIGN in axes.names:
        raise CommandError("`--by campaign` must stand beside one folder, but there are several")
    folders = [_open(each) for each in named]
    if len(folders) >= SEVERAL:
        return tuple(
            replace(side, letter=letter, name=name)
            for side, letter, name in zip(folders, ascii_uppercase, _names(folders), strict=False)
        )
    return _parts(folders[0], axes)


@dataclass(frozen=True, kw_only=True)
class _Named:
    """A path of the command line that can be compared."""

    path: Path
    """As it was given."""
    results: Path
    """The results folder that it is or lies in."""
    campaign: str | None
    """The campaign that it is; None for none."""
    only: RunPaths | None
    """The run that it is; None for none."""

    @classmethod
    def of(cls, given: str, line: Line) -> Self:
        """What was named.

        Raises:
            CommandError: it is nothing that can be compared.
        """
        try:
            path = named_path("PATH", given)
        except ValueError as error:
            raise CommandError(str(error)) from error
        folder, above = path.parent, path.parent.parent
        if (path / PLAN).is_file() and folder == campaigns_folder(above):
            return cls(path=path, results=above, campaign=path.name, only=None)
        place = named_place(given, _MODULE, "PATH", line)
        return cls(path=path, results=place.results, campaign=None, only=place.run)


def _open(named: _Named) -> Side:
    path, results, campaign, only = named.path, named.results, named.campaign, named.only
    loaded = load(results, only=only)
    tables = build_tables(loaded)
    runs = {run.run_id: run for run in loaded.runs}
    labels = tables.runs.about["runs"]
    members = []
    for row, beside in zip(tables.runs.rows, tables.conditions.rows, strict=True):
        run = runs[str(row["run_id"])]
        if campaign is None or campaign_of(run) == campaign:
            sha256 = str(labels[run.run_id]["seal_sha256"])
            members.append(Member(run=run, row={**beside, **row}, seal_sha256=sha256))
    known = {member.run.run_id for member in members}
    # Those that build_tables could not read are there beside those that load names.
    others = [
        NotCounted(
            run_id=str(row["run_id"]),
            attempt=row["attempt"] if isinstance(row["attempt"], int) else None,
            state=str(row["state"]),
            reason=str(row["reason"] or ""),
        )
        for row in tables.not_counted.rows
        if row["run_id"] not in known
    ]
    return Side(
        letter="A",
        name=path.name,
        path=path,
        members=tuple(members),
        not_counted=tuple(others),
        results=results,
        part=campaign is not None or only is not None,
        features=() if campaign is not None else tables.input_features.rows,
    )


def _names(folders: Sequence[Side]) -> list[str]:
    """What each folder is called: its name, and those above it where names are alike."""
    names = [side.name for side in folders]
    for depth in range(1, 1 + max(len(side.path.parts) for side in folders)):
        names = ["/".join(side.path.parts[-depth:]) for side in folders]
        if len(set(names)) == len(names):
            break
    return names


def _parts(folder: Side, axes: Axes) -> tuple[Side, ...]:
    """The sides within one folder."""
    runs = [member.run for member in folder.members]
    if not axes.given:
        could = list(axes_of(runs))
        said = f"its runs differ in {', '.join(could)}" if could else "its runs differ in no axis"
        raise CommandError(
            f"`PATH` must be two folders or more, or one with --by, but is {folder.path} alone; "
            f"{said}",
            lines=[typed(_MODULE, folder.path, "--by", name) for name in could],
        )
    first: dict[tuple[str, ...], Run] = {}
    for run in runs:
        first.setdefault(axes.values(run), run)
    values = sorted(first, key=lambda value: axes.order(first[value]))
    if len(values) < SEVERAL:
        has = ", ".join(values[0]) if values else "no sealed run"
        raise CommandError(
            f"`--by` must name what the runs of {folder.path} differ in, but in "
            f"{', '.join(axes.names)} there is {has} alone",
            ExitCode.NOTHING_DONE,
        )
    if len(values) > _MOST_SIDES:
        raise CommandError(
            f"`--by` must tell at most {_MOST_SIDES} sides apart, but there are {len(values)}"
        )
    return tuple(
        Side(
            letter=letter,
            name=", ".join(value),
            path=folder.path,
            members=tuple(one for one in folder.members if axes.values(one.run) == value),
            not_counted=folder.not_counted if letter == "A" else (),
            results=folder.results,
            part=True,
        )
        for letter, value in zip(ascii_uppercase, values, strict=False)
    )
