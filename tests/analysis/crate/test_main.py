from pathlib import Path

import pytest

from analysis.crate.__main__ import main
from tests.analysis.crate.conftest import Made, entities
from tests.support.told import complaints


@pytest.fixture
def place(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with results and a folder that holds something else."""
    (tmp_path / "results").symlink_to(made[0])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    (tmp_path / "full" / "theirs.zip").write_text("")
    (tmp_path / "others" / "run").mkdir(parents=True)
    (tmp_path / "others" / "run" / "spec.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["results", "--profile", "1.2"], "`--profile` must be one of"),
        (["results", "--license", " "], "`--license` must be words"),
        (["results", "--license", "http://[x"], "`--license` must be words or a URL"),
        (["results", "--license", "ftp://a b"], "`--license` must be words or a URL"),
        (["results", "--published", "soon"], "`--published` must be a date"),
        (["results", "--out", "results/crate.zip"], "must lie outside the results folder"),
        (["results", "--out", "others/run/c.zip"], "must lie in no run's folder"),
        (["results", "--out", "full"], "must be a new or empty folder"),
        (["results", "--out", "full/theirs.zip"], "must be a new file"),
        (["results", "--verify", "--out", "x"], "must not stand beside --verify"),
        (["missing"], "is missing"),
        (["--verify", "missing"], "cannot be read"),
        (["--verify", "full"], "has no ro-crate-metadata.json"),
        (["--verify", "full/file"], "crate's folder or zip"),
    ],
)
def test_bad_input_is_refused_in_one_line_and_nothing_is_written(
    place: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    before = sorted(place.rglob("*"))
    try:
        code = main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 2
    lines = complaints(capsys.readouterr().err)
    assert len(lines) == 1
    assert said in lines[0]
    assert sorted(place.rglob("*")) == before


def test_one_run_s_crate_holds_that_run_alone(made: Made, tmp_path: Path) -> None:
    run = next(path for path in made[0].iterdir() if (path / "spec.json").is_file())
    assert main([str(run)]) == 2
    assert main([str(run), "--out", str(tmp_path / "one")]) == 0
    assert f"{run.name}/spec.json" in entities(tmp_path / "one")
    assert main(["--verify", str(tmp_path / "one")]) == 0


def test_nothing_sealed_is_nothing_done(tmp_path: Path) -> None:
    run = tmp_path / "results" / "run"
    run.mkdir(parents=True)
    (run / "spec.json").write_text("{}")
    assert main([str(tmp_path / "results"), "--out", str(tmp_path / "c")]) in (1, 3)


def test_what_comes_next_is_told(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a b"
    assert main([str(made[0]), "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"next: python -m analysis.crate --verify '{out}'"
    )
