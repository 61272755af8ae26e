"""Every wrong command line of a list gets one line that says what is wrong, and its exit code.

`wrong_lines.txt` holds them as they are typed, each with its answer below it: the exit code and
what stands on standard error, with N for a count. `{here}` is the folder in which they are typed,
`{run}` a run in it.
`python -m tests.system.test_wrong_lines` prints the list with the answers of today.
"""

import contextlib
import importlib
import importlib.util
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from telemetry.command import ExitCode
from telemetry.next_line import VERBS
from telemetry.record.files import write_json
from telemetry.record.paths import RunPaths, campaigns_folder
from tests.support.records import build_run

LIST: Final = Path(__file__).with_name("wrong_lines.txt")
# How many keys and flags there are is no part of an answer.
_COUNT: Final = re.compile(r"one of \d+ ")
# A slow machine is told that something goes on.
_HOW_FAR: Final = re.compile(r".+ \(\d+ s\)")
# What a terminal of 100 columns shows in three lines.
_LONGEST: Final = 300


def cases() -> list[tuple[str, str]]:
    """The command lines and their answers."""
    lines = [line for line in LIST.read_text().splitlines() if line]
    return list(zip(lines[::2], lines[1::2], strict=True))


def build(here: Path) -> str:
    """The folders that the lines name, in `here`; the name of the run in most of them."""
    run = build_run(here / "results")
    (here / "results" / "report").mkdir()
    campaign = campaigns_folder(here / "results") / "20261127T000000Z-here-1"
    campaign.mkdir(parents=True)
    write_json(campaign / "campaign.json", {"points": [{"run_id": run.run_id}], "launcher": {}})
    for name in ("parent/one", "parents/a", "parents/b", "corrupt", "damaged", "unsealed"):
        shutil.copytree(here / "results", here / name)
    _corrupt(here / "corrupt")
    samples = RunPaths(results=here / "damaged", run_id=run.run_id).attempt(1).table("samples")
    samples.write_bytes(samples.read_bytes()[:100])
    RunPaths(results=here / "unsealed", run_id=run.run_id).attempt(1).seal.unlink()
    for name in ("empty", "photos/summer", "tracked/mlruns/0", "checkout/.git"):
        (here / name).mkdir(parents=True)
    (here / "outputs" / "2026-11-27" / "10-00-00" / ".hydra").mkdir(parents=True)
    (here / "letter.txt").write_text("Dear")
    (here / "questions.jsonl").write_text('{"question": "Why?", "answer": "So."}\n' * 3)
    return run.run_id


def _corrupt(results: Path) -> None:
    """A results folder of which no file can be read, and nothing is sealed."""
    shutil.rmtree(campaigns_folder(results))
    for path in results.rglob("*"):
        if path.is_file():
            path.write_bytes(b"\x00{")
    for seal in results.rglob("seal.json"):
        seal.unlink()


def answer(line: str, here: Path, run: str) -> str:
    """The exit code and what stands on standard error, as the list has them."""
    module, *words = shlex.split(line.replace("{run}", run))
    is_package = hasattr(importlib.import_module(module), "__path__")
    name = f"{module}.__main__" if is_package else module
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = importlib.import_module(name).main(words)
        except SystemExit as ended:
            code = ended.code
    assert "Traceback" not in out.getvalue() + err.getvalue()
    lines = [line for line in err.getvalue().splitlines() if not _HOW_FAR.fullmatch(line)]
    said = f"[{int(code)}] {' / '.join(lines)}"
    return _COUNT.sub("one of N ", said).replace(run, "{run}").replace(str(here), "{here}")


@contextlib.contextmanager
def _nowhere_near_slurm(here: Path) -> Iterator[None]:
    """A login without Slurm's clients and without the internet."""
    clean = {
        **{key: value for key, value in os.environ.items() if not key.startswith("SLURM")},
        **{"HF_HUB_OFFLINE": "1", "JOULEGRID_CACHE": str(here / ".cache"), "PATH": str(here)},
    }
    before, program = dict(os.environ), sys.argv[0]
    os.environ.clear()
    os.environ.update(clean)
    sys.argv[0] = "-m"
    with contextlib.chdir(here):
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
            sys.argv[0] = program


@pytest.fixture(scope="module")
def typed_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    here = tmp_path_factory.mktemp("typed")
    run = build(here)
    with _nowhere_near_slurm(here):
        yield here, run


@pytest.mark.parametrize(("line", "told"), cases())
def test_a_wrong_line_gets_its_answer(typed_in: tuple[Path, str], line: str, told: str) -> None:
    said = answer(line, *typed_in)
    assert said == told
    assert said[1] in (str(int(ExitCode.BAD_INPUT)), str(int(ExitCode.NOTHING_DONE)))
    assert said.isprintable()
    assert len(said) <= _LONGEST


def test_the_list_holds_every_command() -> None:
    modules = {shlex.split(line)[0] for line, _ in cases()}
    assert len(cases()) >= 60
    assert modules >= {module for module in VERBS if importlib.util.find_spec(module)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder).resolve()
        run = build(here)
        lines = sys.stdin.read().splitlines() if "-" in sys.argv else [line for line, _ in cases()]
        with _nowhere_near_slurm(here):
            answers = [(line, answer(line, here, run)) for line in lines if line.strip()]
        for line, said in answers:
            sys.stdout.write(f"{line}\n{said}\n\n")
