"""A report of what is damaged: a clear reason each, the right exit code, and the rest shown."""

import contextlib
import csv
import io
import json
import math
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies

from analysis.__main__ import main
from analysis.appendix.__main__ import main as appendix_main
from analysis.crate.__main__ import main as crate_main
from analysis.figures import draw_all
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths
from tests.support.records import Plan, build_run, reseal
from tests.support.told import complaints

pytestmark = pytest.mark.reports

SOUND: Final = Plan(spec={"gpu": "a100", "weights": "trained"}, state=True)
OTHER: Final = Plan(spec={"gpu": "a100", "weights": "trained", "repeat": 1}, state=True)
KINDS: Final = ("samples", "spans", "responses", "steps")
Break = Callable[[RunPaths], None]


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of damaged runs have tests of their own: they take most of a report's time."""
    monkeypatch.setattr(draw_all, "FIGURES", ())


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a call of the report left."""

    code: int
    """Its exit code."""
    out: str
    """What stands on the terminal."""
    complaints: list[str]
    """Lines on stderr that are no progress."""
    tables: Mapping[str, list[dict[str, str]]]
    """Rows of each table by its name."""

    @property
    def reasons(self) -> list[str]:
        """Why what is not counted is not."""
        return [row["reason"] for row in self.tables.get("not_counted", [])]


def report(results: Path) -> Said:
    """The report of a folder; no warning may be given."""
    out, err = io.StringIO(), io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        warnings.simplefilter("error")
        code = main([str(results)])
    assert "Traceback" not in out.getvalue() + err.getvalue()
    tables = {
        path.stem: list(csv.DictReader(path.read_text().splitlines()))
        for path in (results / "report" / "tables").glob("*.csv")
    }
    return Said(code=code, out=out.getvalue(), complaints=complaints(err.getvalue()), tables=tables)


def put(kind: str, column: str, value: Any, *, every: int = 1) -> Break:
    """Another value in every n-th row of a table."""

    def damage(run: RunPaths) -> None:
        path = run.attempt(1).table(kind)
        table = pq.read_table(path)
        field = table.schema.field(column)
        values = [
            value if number % every == 0 else kept
            for number, kept in enumerate(table[column].to_pylist())
        ]
        index = table.column_names.index(column)
        pq.write_table(table.set_column(index, field, [pa.array(values, field.type)]), path)
        reseal(run)

    return damage


def without_rows(kind: str) -> Break:
    def damage(run: RunPaths) -> None:
        path = run.attempt(1).table(kind)
        pq.write_table(pq.read_table(path).slice(0, 0), path)
        reseal(run)

    return damage


def cut(kind: str) -> Break:
    def damage(run: RunPaths) -> None:
        path = run.attempt(1).table(kind)
        path.write_bytes(path.read_bytes()[:200])
        reseal(run)

    return damage


def of_another_type(kind: str) -> Break:
    def damage(run: RunPaths) -> None:
        path = run.attempt(1).table(kind)
        table = pq.read_table(path)
        words = pa.array(["x"] * len(table))
        pq.write_table(table.set_column(0, table.column_names[0], words), path)
        reseal(run)

    return damage


def of_version(version: int) -> Break:
    def damage(run: RunPaths) -> None:
        for path in (run.attempt(1).manifest, run.attempt(1).seal):
            write_json(path, {**read_json(path), "schema_version": version})

    return damage


def no_json(run: RunPaths) -> None:
    run.spec.write_text("{no")
    reseal(run)


def nan_in_model(run: RunPaths) -> None:
    path = run.attempt(1).model
    path.write_text(path.read_text().replace("{", '{"more": NaN,', 1))
    reseal(run)


REFUSED: Final[Mapping[str, tuple[Break, str]]] = {
    **{f"cut {kind}": (cut(kind), f"{kind}.parquet must be a Parquet file") for kind in KINDS},
    **{
        f"{kind} of another type": (
            of_another_type(kind),
            f"{kind}.parquet must have the columns",
        )
        for kind in KINDS
    },
    "no spans": (without_rows("spans"), "must hold an answered batch"),
    "tokens below zero": (
        put("responses", "generated_tokens", -5),
        "`generated_tokens` of responses must be at least 0, but is -5 instead",
    ),
    "rows of a step below zero": (put("steps", "rows", -1), "`rows` of steps must be at least 0"),
    "a span of 1970": (put("spans", "t_end_us", 0), "`t_end_us` of spans must be at least"),
    "a span without end": (
        put("spans", "t_end_us", 2**63 - 1),
        "`t_end_us` of spans must be at most",
    ),
    "a step of 1970": (put("steps", "t_us", 0), "`t_us` of steps must be at least"),
    "a spec that is no JSON": (no_json, "spec.json must be a JSON object"),
    "no number of JSON": (nan_in_model, "NaN is no number of JSON"),
    "a newer schema": (of_version(99), "is 99 instead: a newer joulegrid wrote it"),
    "an older schema": (of_version(0), "is 0 instead: an older joulegrid wrote it"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_run_that_cannot_be_read_is_named_with_its_reason_beside_one_that_can(
    tmp_path: Path, name: str
) -> None:
    damage, reason = REFUSED[name]
    run = build_run(tmp_path, SOUND)
    build_run(tmp_path, OTHER)
    damage(run)
    said = report(tmp_path)
    assert said.code == 1
    assert [row["run_id"] for row in said.tables["runs"]] != [run.run_id]
    assert len(said.tables["runs"]) == 1
    (told,) = said.reasons
    assert reason in told
    assert said.tables["not_counted"][0]["labels"] == "not as sealed"


def test_where_no_run_can_be_read_the_exit_code_says_so(tmp_path: Path) -> None:
    put("responses", "generated_tokens", -5)(build_run(tmp_path, SOUND))
    said = report(tmp_path)
    assert said.code == 3
    assert said.complaints == [f"analysis: no sealed run of {tmp_path} is whole"]
    assert (tmp_path / "report" / "index.html").is_file()


SHOWN: Final[Mapping[str, tuple[Break, str, str]]] = {
    "not a number": (put("samples", "value", math.nan, every=3), "energy_reason", ""),
    "without end": (put("samples", "value", math.inf), "energy_reason", "not a number"),
    "no samples": (without_rows("samples"), "energy_reason", "reading"),
    "a counter that is not a number": (
        put("spans", "energy_end_j", math.nan),
        "rank_counter_reason",
        "",
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_run_that_lacks_readings_is_shown_without_the_numbers_that_rest_on_them(
    tmp_path: Path, name: str
) -> None:
    damage, column, _ = SHOWN[name]
    damage(build_run(tmp_path, SOUND))
    said = report(tmp_path)
    assert said.code == 0
    (row,) = said.tables["runs"]
    assert float(row["tokens_per_s"]) > 0
    assert row[column] or row["energy_j"]
    for table, rows in said.tables.items():
        cells = {cell.lower() for one in rows for cell in one.values()}
        assert not cells & {"nan", "inf", "-inf"}, table


def test_readings_that_no_sensor_can_mean_make_a_run_partial(tmp_path: Path) -> None:
    put("samples", "value", math.nan, every=3)(build_run(tmp_path, SOUND))
    (row,) = report(tmp_path).tables["runs"]
    assert "partial" in row["labels"].split(", ")


@pytest.mark.parametrize("kind", ["responses", "steps"])
def test_a_run_without_answers_or_steps_is_shown_with_a_reason(tmp_path: Path, kind: str) -> None:
    without_rows(kind)(build_run(tmp_path, SOUND))
    said = report(tmp_path)
    assert said.code == 0
    assert float(said.tables["runs"][0]["energy_j"]) > 0
    assert said.tables["performance"][0]["latency_reason"]


def test_answers_without_a_token_are_no_division_by_zero(tmp_path: Path) -> None:
    put("responses", "generated_tokens", 0)(build_run(tmp_path, SOUND))
    said = report(tmp_path)
    assert said.code == 0
    assert said.tables["runs"][0]["energy_per_token_j"] == ""


def test_a_copy_under_another_name_counts_once_and_is_named(tmp_path: Path) -> None:
    run = build_run(tmp_path, SOUND)
    shutil.copytree(run.folder, tmp_path / "a-copy")
    said = report(tmp_path)
    assert said.code == 1
    assert len(said.tables["runs"]) == 1
    assert said.reasons == [
        f"its seal is of {run.run_id}: a run's folder keeps its name, and a copy counts once"
    ]


def test_a_folder_of_failed_attempts_alone_is_one_line(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(end="failed"))
    said = report(tmp_path)
    assert said.code == 3
    assert len(said.complaints) == 1
    assert "holds no sealed run" in said.complaints[0]
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("files", [(), ("a.txt",)])
def test_a_folder_without_runs_is_one_line(tmp_path: Path, files: tuple[str, ...]) -> None:
    for name in files:
        (tmp_path / name).write_text("a")
    said = report(tmp_path)
    assert (said.code, len(said.complaints)) == (3, 1)
    assert {path.name for path in tmp_path.iterdir()} == set(files)


def test_with_out_nothing_is_written_into_the_results(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    build_run(results, SOUND)
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    assert main([str(results), "--out", str(tmp_path / "out")]) == 0
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before


def test_a_folder_in_a_file_s_place_is_told_before_anything_is_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path, SOUND)
    place = tmp_path / "report" / "tables" / "runs.csv"
    place.mkdir(parents=True)
    assert main([str(tmp_path)]) == 1
    (line,) = complaints(capsys.readouterr().err)
    assert f"{place} must be a file, but is a folder" in line
    assert [path for path in (tmp_path / "report").rglob("*") if path.is_file()] == []


def test_a_place_that_refuses_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path, SOUND)
    assert main([str(tmp_path), "--out", "/proc/no-report-here"]) == 2
    assert len(complaints(capsys.readouterr().err)) == 1


COLUMNS: Final = (
    *(("samples", "value"), ("samples", "t_us"), ("spans", "t_start_us"), ("spans", "t_end_us")),
    *(("spans", "batch"), ("spans", "energy_start_j"), ("spans", "rank"), ("steps", "t_us")),
    *(("steps", "batch"), ("steps", "step"), ("responses", "batch"), ("responses", "words")),
    *(("responses", "first_token_us"), ("responses", "prompt_tokens"), ("spans", "phase")),
)
ODD: Final = (None, 0, 1, -1, 2**31 - 1, math.nan, math.inf, -math.inf, 1e308, 5e-324)


def test_no_table_of_odd_values_makes_a_traceback_a_warning_or_a_number_that_is_none(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    sound = tmp_path_factory.mktemp("sound")
    run = build_run(sound, SOUND)
    numbers = count()

    @seed(14)
    @settings(
        max_examples=20,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(
        place=strategies.sampled_from(COLUMNS),
        value=strategies.sampled_from(ODD),
        every=strategies.integers(1, 4),
    )
    def read(place: tuple[str, str], value: Any, every: int) -> None:
        results = tmp_path_factory.mktemp(f"odd{next(numbers)}") / "results"
        shutil.copytree(sound, results)
        try:
            put(*place, value, every=every)(RunPaths(results=results, run_id=run.run_id))
        except (pa.ArrowException, OverflowError):
            # Its column cannot hold it.
            return
        said = report(results)
        assert said.code in (0, 3)
        assert said.tables["runs"] or said.reasons
        for table, rows in said.tables.items():
            cells = {cell.lower() for one in rows for cell in one.values()}
            assert not cells & {"nan", "inf", "-inf"}, (table, place, value)
        page = (results / "report" / "index.html").read_text()
        assert "NaN" not in json.dumps(page.split("<script")[0])

    read()
    assert next(numbers) >= 20


@pytest.mark.parametrize("kind", ["spans", "responses"])
def test_neither_crate_nor_appendix_vouches_for_a_run_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    run = build_run(results, SOUND)
    of_another_type(kind)(run)
    assert crate_main([str(results), "--out", str(tmp_path / "crate.zip")]) == 1
    (line,) = complaints(capsys.readouterr().err)
    assert f"but {run.run_id} is unreadable: {kind}.parquet must have the columns" in line
    assert not (tmp_path / "crate.zip").exists()
    assert appendix_main([str(results)]) == 3
    (line,) = complaints(capsys.readouterr().err)
    assert f"can be read: {run.run_id}: {kind}.parquet must have the columns" in line
    build_run(results, OTHER)
    assert appendix_main([str(results)]) == 0
    out = capsys.readouterr().out
    assert f"NOT AS SEALED, and in no number: {run.run_id}" in out
    assert "THROTTLED: 1 of 1 runs." in out
