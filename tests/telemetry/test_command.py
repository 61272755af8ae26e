import errno
import json
import subprocess
import sys
from collections.abc import Sequence

import pytest

from telemetry.command import (
    CommandError,
    CommandParser,
    ExitCode,
    command,
    complain,
    needs_extra,
)
from tests.conftest import REPOSITORY


def test_a_complaint_is_one_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    complain("status", "`x` is '\x1b[2J\n'")
    assert capsys.readouterr().err == "status: `x` is '\\x1b[2J\\n'\n"


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "r/a.json"), 1, "r/a.json: No space"),
        (KeyboardInterrupt(), 130, "stopped"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, ""),
    ],
)
def test_what_the_machine_does_ends_a_command_with_one_line(
    raised: BaseException, status: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    @command("status")
    def main(arguments: Sequence[str] | None = None) -> int:
        raise raised

    assert main([]) == status
    error = capfd.readouterr().err
    assert said in error
    assert error.count("\n") <= 1


def test_a_wrong_option_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        CommandParser(module="launcher.status", description=None).parse_args(["--\x1bno"])
    assert ended.value.code == ExitCode.BAD_INPUT
    error = capsys.readouterr().err
    assert error.startswith("status: `--\\x1bno` must be one of 3 flags, but is none")
    assert error.count("\n") == 1


def test_of_a_word_without_end_an_error_has_the_beginning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    complain("status", f"`results` must be short, but is {'x' * 500} in /{'a/' * 100}b instead")
    error = capsys.readouterr().err
    assert f"is {'x' * 60}… in /{'a/' * 100}b instead" in error


@pytest.mark.parametrize(
    ("words", "guess"),
    [(["--wach"], "--watch"), (["--mode", "fats"], "fast"), (["--mdoe", "slow"], "--mode")],
)
def test_a_wrong_flag_or_word_is_told_with_the_nearest(
    words: list[str], guess: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = CommandParser(module="launcher.status", description=None)
    parser.add_argument("--watch", action="store_true")
    parser.add_argument("--mode", choices=("fast", "slow"))
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(words)
    assert ended.value.code == ExitCode.BAD_INPUT
    assert f"; did you mean {guess}?" in capsys.readouterr().err


def test_a_missing_package_names_the_extra_that_has_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended, needs_extra("analysis", "analysis"):
        raise ModuleNotFoundError("No module named 'jinja2'", name="jinja2")
    assert ended.value.code == ExitCode.BAD_INPUT
    assert "pip install 'joulegrid[analysis]'" in capsys.readouterr().err


def test_a_module_of_the_project_that_is_missing_is_no_missing_extra() -> None:
    with pytest.raises(ModuleNotFoundError), needs_extra("analysis", "analysis"):
        raise ModuleNotFoundError("No module named 'analysis.nope'", name="analysis.nope")


def test_commands_common_part_loads_nothing_heavy() -> None:
    code = (
        "import sys, telemetry.command; "
        "print(sorted({'numpy', 'rich', 'psutil', 'pyarrow', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "[]"


@command("status")
def refuse(arguments: Sequence[str] | None = None) -> int:
    """A command that is refused with reasons and with commands to choose from."""
    raise CommandError(
        "nothing will do", lines=[f"python -m x {'y' * 90}"], reasons=["because it is so, " * 9]
    )


def test_what_stands_beside_a_fault_is_wrapped_but_for_commands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert refuse([]) == 2
    *reasons, line = capsys.readouterr().out.splitlines()
    assert line == f"python -m x {'y' * 90}"
    assert len(reasons) > 1
    assert max(map(len, reasons)) <= 80


def test_what_stands_beside_a_fault_is_in_the_document_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert refuse(["--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["errors"] == ["nothing will do"]
    assert told["notes"] == ["because it is so, " * 9, f"python -m x {'y' * 90}"]


def test_a_flag_that_there_is_not_is_told_before_a_word_that_lacks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = CommandParser(module="telemetry.sign", description=None)
    parser.add_argument("results")
    parser.add_argument("--key", required=True)
    with pytest.raises(SystemExit):
        parser.parse_args(["results", "--kye", "k"])
    assert "`--kye` must be one of 4 flags, but is none; did you mean --key?" in (
        capsys.readouterr().err
    )
