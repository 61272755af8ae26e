"""A site's shell lines: one that fails ends the job and is named, whatever it holds."""

import subprocess
from pathlib import Path

import pytest

from launcher.jobs.setup_lines import guarded, unreadable

COMMAND = "bash -c 'echo ran; exit 7'"


def run(folder: Path, lines: list[str]) -> tuple[int, str, str | None]:
    """A batch script of those lines: exit code, output, and what it left of a failure."""
    jobs = folder / "it's $(touch pwned)"
    jobs.mkdir()
    script = folder / "slurm_script"
    script.write_text("\n".join(["#!/bin/bash", "", *guarded(lines, jobs), COMMAND, ""]))
    done = subprocess.run(
        ["bash", str(script)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "SLURM_JOB_ID": "9",
            "SLURM_ARRAY_JOB_ID": "8",
            "SLURM_ARRAY_TASK_ID": "3",
        },
    )
    left = jobs / "8_3.setup"
    assert not list(folder.rglob("pwned"))
    return done.returncode, done.stdout, left.read_text() if left.exists() else None


@pytest.mark.parametrize(
    ("lines", "code", "line"),
    [
        (["true", "module load nothere/1.0", "echo on"], 127, "module load nothere/1.0"),
        (["cd /proc/nonexistent"], 1, "cd /proc/nonexistent"),
        (["exit 3"], 3, "exit 3"),
        # A job that did nothing must not pass for one that went well.
        (["exit 0"], 0, "exit 0"),
        (["if true; then", "cd /proc/nonexistent", "fi"], 1, "cd /proc/nonexistent"),
        (["module() { true; return 4; }", "module load 'a b'"], 4, "module load 'a b'"),
        (["false '$(touch pwned)' # it's \"q\""], 1, "false '$(touch pwned)' # it's \"q\""),
        (["set -eu", "false"], 1, "false"),
        (["set -u", "echo $NOT_SET"], 1, "echo $NOT_SET"),
        (["source /proc/nonexistent"], 1, "source /proc/nonexistent"),
        (["cat <<END\nfalse\nEND", "(exit 9)"], 9, "(exit 9)"),
    ],
)
def test_the_line_that_fails_is_named_with_its_exit_code_and_nothing_runs(
    tmp_path: Path, lines: list[str], code: int, line: str
) -> None:
    returned, out, left = run(tmp_path, lines)
    assert returned == code
    assert "ran" not in out
    assert left == f"{code} {line}\n"


@pytest.mark.parametrize(
    "lines",
    [
        ["[ -d /proc/nonexistent ] && cd /proc/nonexistent", "true"],
        ["if [ -d /proc/nonexistent ]; then cd /proc/nonexistent; fi"],
        ["false || true"],
        ["trap 'echo mine' EXIT"],
        [],
    ],
)
def test_what_bash_does_not_take_for_a_failure_is_none_and_the_job_keeps_its_exit_code(
    tmp_path: Path, lines: list[str]
) -> None:
    returned, out, left = run(tmp_path, lines)
    assert (returned, left) == (7, None)
    assert out.startswith("ran")


def test_lines_that_bash_cannot_read_are_told_without_running_any(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    assert "syntax error" in str(unreadable([f"touch {marker}", "if true"]))
    assert "matching" in str(unreadable(["module load 'x"]))
    assert unreadable(["module load x", "export A=1"]) is None
    assert not marker.exists()
