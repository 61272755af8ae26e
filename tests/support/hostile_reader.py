"""Hostile reader: what the commands that read a results folder do with one, each in a process.

A folder gets a process of its own, forked after the imports, with a limit of processor time; its
peak memory and its exit are told by the system, its outputs are read from files.
"""

import contextlib
import csv
import gc
import io
import math
import os
import re
import resource
import select
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from analysis.__main__ import main as analysis_main
from analysis.audit.__main__ import main as audit_main
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from launcher.status import main as status_main
from telemetry.merge.__main__ import main as merge_main
from tests.support.hostile_folders import MARK, Damage, break_folder, prepare
from tests.support.records import Plan, build_run

MOST_PEAK_BYTES: Final = 1 << 30
"""No reader of a folder takes more, whatever is in it."""
# Of processor time for all commands on one folder; the machine's own speed is no part of it.
_MOST_CPU_S: Final = 60
# A process that waits takes none: a pipe without a writer is found by the clock.
_MOST_WALL_S: Final = 300.0
_CODES: Final = frozenset({0, 1, 2, 3})
_FORMULA: Final = re.compile(r"[=+\-@\t\r]")

COMMANDS: Final[Mapping[str, Callable[[Sequence[str]], int]]] = {
    "status": status_main,
    "audit": audit_main,
    "analysis": analysis_main,
    "merge": merge_main,
}
"""What is tried on a folder, the one that writes into it last."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What became of a folder's reading."""

    codes: Mapping[str, int]
    """Exit code of each command that came to its end."""
    output: str
    """All that was written on standard output and error."""
    peak_bytes: int
    """The process's most memory at once."""
    cpu_s: float
    """Processor time that it took."""
    faults: tuple[str, ...] = field(default=())
    """What a reader must not do: hang, fall, die of memory, or let through what steers."""


def template(folder: Path) -> Path:
    """A sealed run with a report, small enough to be copied hundreds of times."""
    build_run(folder, Plan(rank_counter=True, decode_s=0.5))
    write_report(load(folder))
    # Once here, so that what is loaded when it is first used is not loaded in every process.
    with contextlib.redirect_stdout(io.StringIO()):
        assert all(command([str(folder)]) == 0 for command in COMMANDS.values())
    prepare()
    # What is here by now is walked by no child's collector, and so copied for none of them.
    gc.freeze()
    return folder


def read_damaged(
    sound: Path, damage: Damage, work: Path, commands: Sequence[str] = tuple(COMMANDS)
) -> Reading:
    """Copy a folder, do the damage, and let the commands read it."""
    work.mkdir()
    try:
        results = work / "results"
        shutil.copytree(sound, results, symlinks=True)
        break_folder(results, damage)
        unsound = [*_unsound(sound, results, damage)]
        reading = _read(results, work, commands)
        faults = list(reading.faults)
        if unsound and reading.codes.get("audit") == 0:
            faults.append(f"audit passed, though {unsound[0]}")
        return Reading(**{**vars(reading), "faults": tuple(faults)})
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _read(results: Path, work: Path, commands: Sequence[str]) -> Reading:
    told = work / "told"
    process = os.fork()
    if process == 0:
        _in_child(results, work, commands)
    status, used, late = _wait(process)
    output = told.read_bytes().decode(errors="surrogateescape") if told.exists() else ""
    faults: list[str] = []
    if late or os.WIFSIGNALED(status):
        number = 0 if late else os.WTERMSIG(status)
        faults.append("hangs" if late else f"killed by signal {number}")
    codes: dict[str, int] = {}
    for line in (work / "codes").read_text().splitlines() if (work / "codes").exists() else []:
        name, code = line.split()
        codes[name] = int(code)
    faults += [f"{name} ends with {code}" for name, code in codes.items() if code not in _CODES]
    if "Traceback (most recent call last)" in output:
        faults.append(f"traceback: {output[output.index('Traceback') :][-1500:]}")
    if odd := {each for each in set(output) if not each.isprintable() and each != "\n"}:
        faults.append(f"output holds {sorted(odd)!r}")
    if any(len(line) > _LONGEST_LINE for line in output.splitlines()):
        faults.append(f"a line of {max(map(len, output.splitlines()))} characters")
    peak = used.ru_maxrss * 1024
    if peak > MOST_PEAK_BYTES:
        faults.append(f"takes {peak / 2**20:.0f} MiB")
    # What nobody wrote anew is the forger's own, a pipe among it.
    if codes.get("analysis") == 0:
        faults += _written_faults(results / "report")
    return Reading(
        codes=codes,
        output=output,
        peak_bytes=peak,
        cpu_s=used.ru_utime + used.ru_stime,
        faults=tuple(faults),
    )


# A path has 4096 characters at most; a verdict's evidence is shortened.
_LONGEST_LINE: Final = 9000


def _in_child(results: Path, work: Path, commands: Sequence[str]) -> None:
    """Run the commands; never returns."""
    try:
        number = os.open(work / "told", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(number, 1)
        os.dup2(number, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8")
        sys.stderr = io.TextIOWrapper(
            io.FileIO(2, "w", closefd=False), encoding="utf-8", write_through=True
        )
        resource.setrlimit(resource.RLIMIT_CPU, (_MOST_CPU_S, _MOST_CPU_S + 5))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        with (work / "codes").open("w", buffering=1) as codes:
            for name in commands:
                try:
                    code = COMMANDS[name]([str(results)])
                except SystemExit as end:
                    code = end.code if isinstance(end.code, int) else 1
                codes.write(f"{name} {int(code)}\n")
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 -- what falls is told, and a forked test must not go on
        traceback.print_exc()
        os._exit(70)
    os._exit(0)


def _wait(process: int) -> tuple[int, resource.struct_rusage, bool]:
    # A sleep in the kernel until it has ended: to look every few milliseconds takes seconds.
    ended = os.pidfd_open(process)
    try:
        late = not select.select([ended], [], [], _MOST_WALL_S)[0]
    finally:
        os.close(ended)
    if late:
        os.kill(process, signal.SIGKILL)
    _, status, used = os.wait4(process, 0)
    return status, used, late


def _unsound(sound: Path, results: Path, damage: Damage) -> Iterator[str]:
    """What of the sealed attempt is no plain file, or not as it was under a seal that says so."""
    runs = sorted(sound.glob("*/attempt-001"))
    attempt = results / runs[0].relative_to(sound)
    if not attempt.is_dir() or attempt.is_symlink() or not os.path.lexists(attempt / "seal.json"):
        return
    for folder, inner, files in os.walk(attempt):
        for name in (*inner, *files):
            path = Path(folder, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                yield f"{path.relative_to(results)} is no plain file"
    if damage.seal != "stale":
        return
    for old in sorted(runs[0].parent.rglob("*")):
        new = results / old.relative_to(sound)
        if old.is_file() and (not new.is_file() or new.stat().st_size != old.stat().st_size):
            yield f"{new.relative_to(results)} is not as it was"


def _written_faults(report: Path) -> Iterator[str]:
    """What of the report that was written lets through a word of the record."""
    if report.is_symlink() or not report.is_dir():
        return
    page = report / "index.html"
    if page.is_file() and not page.is_symlink():
        yield from _page_faults(page.read_bytes().decode())
        for path in report.glob("figures/*.svg"):
            yield from _drawing_faults(path)
        for path in report.glob("tables/*.csv"):
            if not path.is_symlink() and path.with_suffix(".tex").exists():
                yield from _csv_faults(path)
        for path in report.glob("tables/*.tex"):
            text = path.read_bytes().decode("ascii")
            if re.search(r"\\(input|write18|end\{document)", text) or "^^" in text:
                yield f"{path.name} holds a command of the record"


class _Page(HTMLParser):
    """Finds what a browser would run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._script = tag == "script"
        for name, value in attrs:
            if name.startswith("on") or "javascript:" in (value or "").lower():
                self.found.append(f"<{tag} {name}>")
            if name in ("href", "src") and not (value or "").startswith("#"):
                self.found.append(f"<{tag} {name}={value!r}>")

    def handle_endtag(self, tag: str) -> None:
        self._script = self._script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._script and MARK in data:
            self.found.append("a script of the record")


def _page_faults(text: str) -> Iterator[str]:
    page = _Page()
    page.feed(text)
    page.close()
    yield from (f"the page has {found}" for found in page.found)
    # The page groups digits by it, and sets per cent apart.
    told = re.sub(r"(?<=\d)\N{NARROW NO-BREAK SPACE}(?=[\d%])", "", text)
    if odd := {each for each in set(told) if not each.isprintable() and each not in "\n\t"}:
        yield f"the page holds {sorted(odd)!r}"


def _drawing_faults(path: Path) -> Iterator[str]:
    try:
        drawing = ET.fromstring(path.read_bytes())  # noqa: S314 -- what was just written
    except ET.ParseError as error:
        yield f"{path.name} is no XML: {error}"
        return
    for element in drawing.iter():
        if element.tag.rpartition("}")[2] in ("script", "foreignObject", "image"):
            yield f"{path.name} holds {element.tag}"
        if any(name.startswith("on") for name in element.attrib):
            yield f"{path.name} holds a handler"


def _csv_faults(path: Path) -> Iterator[str]:
    for row in csv.reader(io.StringIO(path.read_bytes().decode(), newline="")):
        for cell in row:
            if _FORMULA.match(cell) and not _is_number(cell):
                yield f"{path.name} holds the formula {cell[:40]!r}"
            if not cell.isprintable():
                yield f"{path.name} holds {cell[:40]!r}"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
