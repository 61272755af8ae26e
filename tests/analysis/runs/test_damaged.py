"""Whatever is done to a file of a sealed run, the run is named and is no number."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.__main__ import main
from analysis.runs.sealed_runs import DAMAGED, load
from analysis.workbook.build import build_tables
from telemetry.record.paths import RunPaths
from tests.support.records import Plan, build_run
from tests.support.told import complaints


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0x20
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\x1b[2J\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def sparse(path: Path) -> None:
    os.truncate(path, 1 << 26)


def beside(path: Path) -> None:
    Path(os.fsdecode(os.fsencode(path) + b".\xff\x1b[2J")).write_text("more")


DAMAGE: Final[tuple[Callable[[Path], None], ...]] = (
    *(flip, truncate, append, empty, Path.unlink),
    *(pipe, folder, endless, circle, sparse, beside),
)
WHOLE: Final = Plan(spec={"seed": 2})


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    return build_run(tmp_path_factory.mktemp("pristine"))


def files_of(run: RunPaths) -> list[str]:
    """Every sealed file, by its path in the results folder."""
    return sorted(
        path.relative_to(run.results).as_posix()
        for path in run.results.rglob("*")
        if path.is_file() and path.name != "seal.json"
    )


@contextmanager
def damaged(pristine: RunPaths, name: str, how: Callable[[Path], None]) -> Iterator[Path]:
    """A copy of the results folder in which one file was damaged."""
    copy = pristine.results.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(pristine.results, copy)
    how(copy / name)
    yield copy
    shutil.rmtree(copy)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_run_with_any_file_damaged_in_any_way_is_named_and_is_no_number(
    pristine: RunPaths, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(files_of(pristine)))
    how = data.draw(st.sampled_from(DAMAGE))
    if how is beside and not name.startswith(f"{pristine.run_id}/attempt"):
        # What lies beside the prompts or the spec is no part of any run.
        return
    with damaged(pristine, name, how) as results:
        tables = build_tables(load(results))
        assert tables.runs.rows == ()
        (other,) = tables.not_counted.rows
        assert other["state"] in DAMAGED
        assert Path(name).name in str(other["reason"])
        assert str(other["reason"]).isprintable()


@pytest.mark.reports
@pytest.mark.parametrize("how", [flip, Path.unlink, pipe, circle, beside])
def test_the_command_ends_with_one_and_says_so_whatever_lies_there(
    pristine: RunPaths, how: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"{pristine.run_id}/attempt-001/samples.parquet"
    with damaged(pristine, name, how) as results:
        build_run(results, WHOLE)
        assert main([str(results)]) == 1
        written = capsys.readouterr()
        assert "samples.parquet" in written.out
        assert complaints(written.err) == []
        assert "\x1b" not in written.out
        assert (results / "report" / "tables" / "runs.csv").read_text().count("\n") == 2
