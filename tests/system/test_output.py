"""What every command prints: it fits, breaks between words, and its first line sums it up.

Whole commands over small real records, at the widths of terminals and on none.
"""

import contextlib
import functools
import importlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from rich.cells import cell_len

from telemetry.command import ExitCode
from tests.conftest import REPOSITORY
from tests.support.records import Plan, build_run
from tests.support.told import complaints
from tests.support.watched_attempts import make_attempt

pytestmark = pytest.mark.reports

GRID: Final = (
    *("-m", "cluster=local", "gpu=simulated-a100", "model=nano,micro", "gpus=1,2", "prompts=4"),
    *("dataset.source=sample", "temperature=0,0.5", "allow_dirty=true"),
)
# What is read by a program, or copied whole: a line however long.
_EXACT: Final = ("next: ", "wrote ", "report: ", "  in ")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sealed runs, one that failed, one that waits; of long names."""
    folder = tmp_path_factory.mktemp("a folder") / "results of a long name"
    for temperature in (0.0, 0.5):
        build_run(folder, Plan(spec={"temperature": temperature}))
    build_run(folder, Plan(spec={"seed": 7}, end="failed"))
    make_attempt(folder, spec={"seed": 8})
    # What comes next is the same from here on, however often a command is asked.
    for module in ("analysis", "analysis.audit", "analysis"):
        importlib.import_module(f"{module}.__main__").main([str(folder)])
    return folder


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    code: int
    """Its exit code."""
    out: str
    """Its standard output."""
    err: str
    """Its standard error."""


@functools.cache
def run(module: str, *words: str, width: int = 80) -> Done:
    """A command in this process, as if its output went to a file."""
    name = f"{module}.__main__" if module in ("launcher", "analysis", "analysis.audit") else module
    name = f"{module}.__main__" if module == "telemetry.merge" else name
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        patch.setenv("HF_HUB_OFFLINE", "1")
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = importlib.import_module(name).main(list(words))
            except SystemExit as ended:
                code = ended.code
    return Done(int(code), out.getvalue(), err.getvalue())


def started(module: str, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A command in a process of its own, whose output goes to a pipe."""
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "80", "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def words_of(command: str, results: Path) -> tuple[str, ...]:
    here = str(results)
    return {
        "plan": ("launcher", *GRID, f"results='{here}'", "plan=true"),
        "status": ("launcher.status", here, "--all"),
        "merge": ("telemetry.merge", here),
        "report": ("analysis", here),
        "audit": ("analysis.audit", here),
        "finalize": ("launcher.campaign.finalize", here),
        "cancel": ("launcher.cancel", here, "nano-gsm8k"),
        "stage": ("launcher.stage", "nothing"),
    }[command]


COMMANDS: Final = ("plan", "status", "merge", "report", "audit", "finalize", "cancel", "stage")


def prose(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(_EXACT)]


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_line_fits_unless_it_is_one_word(command: str, width: int, results: Path) -> None:
    done = run(*words_of(command, results), width=width)
    long = [line for line in prose(done.out) if cell_len(line) > width]
    assert [line for line in long if len(line.split()) > 1] == []
    assert "\x1b" not in done.out + done.err
    assert [line for line in done.out.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_narrow_terminals_break_no_word(command: str, results: Path) -> None:
    wide, narrow = (
        " ".join(complaints(run(*words_of(command, results), width=width).out)).split()
        for width in (400, 40)
    )
    # A row that has no room for a table names its columns, but for what speaks for itself.
    bare = {"model", "verdict"}
    seen = {word.strip(",") for word in wide if not set(word) <= {"─"}}
    told = {word.strip(",") for word in narrow}
    seconds = {word for word in seen if re.fullmatch(r"[\d.]+", word)}
    assert seen - told - seconds - bare == set()


@pytest.mark.parametrize(
    ("command", "first"),
    [
        ("plan", r"plan: 8 run"),
        ("status", r"4 points: 1 failed, 1 queued, 2 sealed; .*"),
        ("merge", r"4 attempts looked at"),
        ("report", r"2 sealed runs in 2 rows, 2 not counted"),
        ("audit", r"\d+ checks of 2 sealed runs: none failed, .*"),
        ("finalize", r"nothing was left behind"),
    ],
)
def test_the_first_line_sums_it_up(command: str, first: str, results: Path) -> None:
    # A log is told that a grid is still read.
    lines = complaints(run(*words_of(command, results), width=400).out)
    assert re.fullmatch(first, lines[0]), lines[0]


def test_a_check_is_one_entry_that_its_mark_begins(results: Path) -> None:
    lines = run("analysis.audit", str(results)).out.splitlines()
    checks = int(lines[0].split()[0])
    assert sum(bool(re.match(r"\[[x \-?]\] \w", line)) for line in lines) == checks
    assert any(
        line.startswith("[x] files are as sealed, none missing or extra: ") for line in lines
    )


@pytest.mark.parametrize("command", ["plan", "report", "audit"])
def test_a_terminal_of_ascii_gets_whole_characters(command: str, results: Path) -> None:
    environment = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = started(*words_of(command, results), **environment)
    assert "Traceback" not in done.stderr
    assert done.stdout.isascii()
    assert "\\u" not in done.stdout
    assert all(cell_len(line) <= 80 or len(line.split()) == 1 for line in prose(done.stdout))


def strict(text: str) -> dict[str, Any]:
    """The one JSON document that a text is."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    assert text.count("\n") == 1
    return dict(json.loads(text, parse_constant=refuse))


@pytest.mark.parametrize(
    ("command", "schema", "keys"),
    [
        ("plan", "plan", {"results", "counts", "points", "foreseen"}),
        ("status", "status", {"counts", "points", "done", "total", "left_s", "elapsed_s"}),
        ("merge", "merge", {"attempts"}),
        ("report", "tables", {"tables", "page", "audit"}),
        ("audit", "audit", {"checks", "counts", "verdict", "passed", "seals_sha256"}),
        ("stage", "error", set()),
        ("cancel", "error", set()),
    ],
)
def test_json_is_one_document_and_nothing_else(
    command: str, schema: str, keys: set[str], results: Path
) -> None:
    done = run(*words_of(command, results), "--json")
    told = strict(done.out)
    assert told["schema"] == f"joulegrid.{schema}"
    assert told["version"] == 1
    assert told["exit_code"] == done.code
    assert set(told) >= {"errors", "notes", "next", *keys}
    assert [line.partition(": ")[2] for line in complaints(done.err)] == told["errors"]


def test_a_plan_of_which_nothing_can_run_is_a_document_too(tmp_path: Path) -> None:
    words = (
        "cluster=h200",
        "model=65b",
        "dataset.source=sample",
        "plan=true",
        f"results={tmp_path}",
    )
    done = run("launcher", *words, "--json")
    told = strict(done.out)
    assert done.code == told["exit_code"] == ExitCode.NOTHING_DONE
    assert [point["verdict"] for point in told["points"]] == ["too large"]
    assert "GB more than" in told["points"][0]["reason"]
    assert told["points"][0]["spec"]["model"] == "65b"


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("launcher", ["modle=7b"]),
        ("launcher.status", ["nowhere"]),
        ("analysis", []),
        ("analysis.audit", ["--no-such"]),
        ("telemetry.merge", ["nowhere"]),
    ],
)
def test_what_was_refused_is_a_document_too(module: str, words: list[str]) -> None:
    done = run(module, *words, "--json")
    told = strict(done.out)
    assert (told["schema"], told["exit_code"]) == ("joulegrid.error", done.code)
    assert len(told["errors"]) == 1


def test_a_number_that_nobody_has_is_null_with_its_reason(results: Path) -> None:
    tables = strict(run("analysis", str(results), "--json").out)["tables"]
    missing = 0
    for table in tables.values():
        names = [column["name"] for column in table["columns"]]
        assert all(list(row) == names for row in table["rows"])
        for column in table["columns"]:
            for row in table["rows"]:
                if column["reason"] and row[column["name"]] is None:
                    assert row[column["reason"]]
                    missing += 1
    assert missing


def next_of(text: str) -> list[str]:
    lines = [line.removeprefix("next: ") for line in text.splitlines() if line.startswith("next: ")]
    assert len(lines) <= 1, text
    return shlex.split(lines[0]) if lines else []


def follow(command: Sequence[str]) -> list[list[str]]:
    """The commands that follow one another by their `next:` lines, until there is none."""
    chain: list[list[str]] = []
    here, out = list(command), ""
    while here:
        assert here not in chain, f"{here} comes twice after {chain}"
        assert len(chain) < 12, chain
        chain.append(here)
        assert here[:2] == ["python", "-m"]
        done = started(here[2], *here[3:])
        assert done.returncode == ExitCode.DONE, done.stdout + done.stderr
        here, out = next_of(done.stdout), done.stdout
    assert "\nreport: " in out
    return chain


@pytest.mark.chain
def test_following_next_from_an_empty_folder_comes_to_an_end(tmp_path: Path) -> None:
    results = tmp_path / "it's new"
    grid = (
        *("cluster=local", "gpu=simulated-a100", "dataset.source=sample", "prompts=2"),
        *("batch_size=2", "max_gen_len=2", "telemetry.idle_s=0", "allow_dirty=true"),
    )
    words = ("python", "-m", "launcher", *grid, f'results="{results}"')
    chain = follow([*words, "plan=true"])
    # A campaign on this machine ends with its report.
    assert [command[2] for command in chain] == ["launcher", "launcher", "analysis.audit"]
    # Whoever comes in elsewhere comes to the same end, now that all is done.
    for module in ("launcher.status", "telemetry.merge", "analysis", "analysis.audit"):
        assert follow(["python", "-m", module, str(results)]) == [
            ["python", "-m", module, str(results)]
        ]
    assert follow([*words, "plan=true"]) == [[*words, "plan=true"]]
    assert follow(words) == [list(words)]


def test_an_audit_before_any_report_leads_to_the_report_and_no_further(tmp_path: Path) -> None:
    build_run(tmp_path)
    chain = follow(["python", "-m", "analysis.audit", str(tmp_path)])
    assert [command[2] for command in chain] == ["analysis.audit", "analysis"]


def test_of_one_run_the_way_leads_to_all_and_ends(tmp_path: Path) -> None:
    run_folder = build_run(tmp_path).folder
    chain = follow(["python", "-m", "analysis", str(run_folder)])
    assert [command[2] for command in chain] == [
        *("analysis", "analysis.audit", "analysis.audit", "analysis"),
    ]
