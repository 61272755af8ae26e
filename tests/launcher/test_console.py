"""The one word `joulegrid` finds every verb, and imports no other's."""

import re
import subprocess
import sys
from importlib.util import find_spec
from typing import Final

import pytest

from launcher.console import ABOUT, main
from telemetry.command import ExitCode
from telemetry.next_line import PROGRAM, VERBS
from tests.conftest import REPOSITORY
from tests.support.told import complaints

THERE: Final = [verb for module, verb in VERBS.items() if find_spec(module) is not None]
# Of the codes these can be every command's.
CODES: Final = (ExitCode.DONE, ExitCode.FAILED, ExitCode.BAD_INPUT, ExitCode.INTERRUPTED)


def call(*words: str) -> int:
    """The exit code, whichever way a command ends."""
    try:
        return main(words)
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.fixture(autouse=True)
def by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/venv/bin/joulegrid"])


def test_each_verb_has_a_line_that_says_what_it_does() -> None:
    assert set(ABOUT) == set(VERBS.values())


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_alone_it_says_what_there_is(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert all(f"\n  {verb} " in said for verb in ABOUT)
    assert max(map(len, said.splitlines())) <= 80


def test_help_of_a_verb_is_that_verb_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("help", "audit") == 0
    assert capsys.readouterr().out.startswith("usage: joulegrid audit ")
    assert call("help", "run", "batch_size") == 0
    assert "batch_size=" in capsys.readouterr().out
    assert call("help", "audti") == 2
    assert "did you mean audit?" in capsys.readouterr().err


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"{PROGRAM} ")


def test_what_is_no_verb_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audti", "results"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("joulegrid: `VERB` must be one of ")


def test_a_verb_speaks_as_it_was_called(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "/no/such/folder"]) == 2
    assert capsys.readouterr().err.startswith("joulegrid audit: `results` must be a folder")
    with pytest.raises(SystemExit):
        main(["audit", "--help"])
    said = capsys.readouterr().out
    assert said.startswith("usage: joulegrid audit ")
    assert "python -m" not in said


def test_a_verb_brings_in_what_it_needs_and_no_more() -> None:
    code = (
        "import sys; sys.argv[0] = 'joulegrid'; from launcher.console import main; "
        "main(['audit', '/no/such/folder']); "
        "print(sorted({'hydra', 'omegaconf', 'submitit', 'torch', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("verb", THERE)
def test_the_help_of(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert call(verb, "--help") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"usage: joulegrid {verb} ")
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if "python -m" in line]
    told = lines[lines.index("exit codes:") :]
    codes = [int(match[1]) for line in told if (match := re.match(r"  (\d+) {2,}\S", line))]
    assert set(CODES) <= set(codes)
    assert codes == sorted(set(codes) & set(ExitCode))


@pytest.mark.parametrize("verb", THERE)
def test_the_version_of(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(verb, "--version") == 0
    assert capsys.readouterr().out.startswith("joulegrid")


@pytest.mark.parametrize("verb", THERE)
def test_a_flag_that_is_none_is_refused_in_one_line_by(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(verb, "--no-such-flag") == ExitCode.BAD_INPUT
    said = capsys.readouterr()
    assert said.out == ""
    assert len(complaints(said.err)) == 1
    assert said.err.startswith(PROGRAM)
