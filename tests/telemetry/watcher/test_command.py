"""`python -m telemetry.watcher` with what nobody should give it: one line, and an exit code."""

from pathlib import Path

import pytest

from telemetry.watcher.__main__ import main
from tests.support.told import complaints
from tests.support.watched_attempts import make_attempt

Output = pytest.CaptureFixture[str]


def one_line(capsys: Output) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert len(complaints(err)) == 1
    assert err.strip("\n").isprintable()
    return err


def words(folder: Path, run_id: str, **changes: str) -> list[str]:
    given = {"results": str(folder), "run-id": run_id, "attempt": "1", "host": "n1", **changes}
    return [word for name, value in given.items() for word in (f"--{name}", value)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", "../n1"),
        ("host", "n1\x1b[2J"),
        ("run-id", "../../etc"),
        ("run-id", "a\x1bb"),
        ("attempt", "0"),
        ("attempt", "-3"),
        ("attempt", "one"),
        ("results", "a\0b"),
    ],
)
def test_a_wrong_word_is_refused(tmp_path: Path, name: str, value: str, capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words(tmp_path, "run", **{name: value}))
    assert ended.value.code == 2
    assert f"--{name}" in one_line(capsys)


def test_a_folder_that_is_none_is_told(tmp_path: Path, capsys: Output) -> None:
    assert main(words(tmp_path / "x\x1b[2J", "run")) == 3
    assert "must be an attempt's folder" in one_line(capsys)


@pytest.mark.parametrize("name", ["spec.json", "launch.json", "host"])
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"no such\\u001b": 1}', "\x00"])
def test_a_damaged_file_of_the_attempt_is_told_in_one_line(
    tmp_path: Path, name: str, text: str, capsys: Output
) -> None:
    run, attempt = make_attempt(tmp_path)
    path = {"spec.json": run.spec, "launch.json": attempt.launch, "host": attempt.host("n1")}[name]
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert main(words(tmp_path, run.run_id)) == 5
    one_line(capsys)


def test_a_missing_file_of_the_attempt_is_told_in_one_line(tmp_path: Path, capsys: Output) -> None:
    run, attempt = make_attempt(tmp_path)
    attempt.launch.unlink()
    assert main(words(tmp_path, run.run_id)) == 5
    assert "launch.json" in one_line(capsys)
