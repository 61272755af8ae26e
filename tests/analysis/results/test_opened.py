"""A results folder in somebody's own tools: what it gives, and what it refuses."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from analysis import open_results
from analysis.report.page import write_report
from analysis.results.trace_columns import TRACES
from analysis.runs.sealed_runs import load
from analysis.tables.file_metadata import field_metadata, table_metadata
from analysis.workbook.build import TABLES, build_tables
from analysis.workbook.write import write_tables
from telemetry.merge.attempt import merge_attempt
from telemetry.record.files import file_sha256, read_json, write_json
from telemetry.record.schema import TABLES as RECORD_TABLES
from telemetry.record.seal import seal_attempt
from telemetry.record.spec import CAP_FIELDS
from tests.support.records import Plan, build_run, work_w


def test_each_sealed_run_is_there_with_its_spec_and_its_labels(tmp_path: Path) -> None:
    built = build_run(tmp_path, Plan())
    (run,) = open_results(tmp_path).runs
    assert run.run_id == built.run_id
    assert run.spec.model == "nano"
    assert run.attempt == 1
    assert run.seal_sha256 == file_sha256(built.attempt(1).seal)
    assert run.simulated
    assert run.random_weights
    assert not run.partial_record


@pytest.mark.parametrize(
    ("git", "told"),
    [
        ({"commit": "a" * 39 + "b", "dirty": True}, True),
        ({"commit": "a" * 39 + "b", "dirty": False}, False),
        ({"commit": None, "reason": "no repository"}, None),
    ],
)
def test_code_with_changes_is_said_of_the_run_and_in_its_rows(
    tmp_path: Path, git: dict[str, object], told: bool | None
) -> None:
    build_run(tmp_path, Plan(provenance={"git": git}))
    opened = open_results(tmp_path)
    assert opened.runs[0].changed_code is told
    for name in ("runs", "groups", "performance", "conditions", "phases", "gpus", "forecasts"):
        assert set(opened.tables[name].to_arrow()["changed_code"].to_pylist()) == {told}, name
    assert set(opened.runs[0].trace.samples.to_arrow()["changed_code"].to_pylist()) == {told}


def test_every_table_of_the_analysis_is_there_with_the_same_numbers(tmp_path: Path) -> None:
    build_run(tmp_path)
    opened = open_results(tmp_path)
    assert list(opened.tables) == [kind.name for kind in TABLES]
    for table in build_tables(load(tmp_path)).all():
        assert opened.tables[table.name].to_arrow().equals(table.to_arrow()), table.name
    assert opened.tables.runs is opened.tables["runs"]
    with pytest.raises(
        KeyError, match=r"there is no table 'run'; there are groups, .*did you mean runs"
    ):
        _ = opened.tables["run"]


def test_every_column_has_unit_meaning_and_the_columns_beside_it(tmp_path: Path) -> None:
    build_run(tmp_path)
    opened = open_results(tmp_path)
    trace = opened.runs[0].trace
    assert trace.steps is not None
    frames = [*opened.tables.values(), trace.samples, trace.spans, trace.responses, trace.steps]
    for one in frames:
        for column in one.columns:
            where = f"{one.name}.{column.name}"
            assert column.meaning.endswith("."), where
            beside = (column.uncertainty, column.reason, *(column.interval or ()))
            assert {*filter(None, beside)} <= {*one.to_arrow().column_names}, where
            number = column.type in ("double", "int64", "int32")
            assert bool(column.unit) is number or "list" in column.type, where
    energy = opened.tables.runs.column("energy_j")
    assert (energy.unit, energy.uncertainty, energy.reason) == (
        *("J", "energy_uncertainty_j", "energy_reason"),
    )
    power = opened.tables.groups.column("power_w_mean")
    assert power.interval == ("power_w_low", "power_w_high")


def test_a_column_that_is_none_is_told_with_the_nearest(tmp_path: Path) -> None:
    build_run(tmp_path)
    runs = open_results(tmp_path).tables.runs
    with pytest.raises(ValueError, match=r"columns of runs, but is 'enrgy_j' instead; did you mea"):
        runs.column("enrgy_j")


def test_every_energy_and_power_of_a_run_and_a_point_has_its_uncertainty(tmp_path: Path) -> None:
    for engine in ("reference", "fast"):
        for gpus in (1, 2):
            spec = {"gpu": "h200", "dtype": "fp16", "engine": engine, "gpus": gpus}
            build_run(tmp_path, Plan(spec=spec, gpu={"name": "NVIDIA H200", "kind": "h200"}))
    tables = open_results(tmp_path).tables
    asked = set(CAP_FIELDS)
    for name in ("runs", "phases", "gpus", "groups", "engines", "sharding", "forecasts"):
        beside = {column.uncertainty for column in tables[name].columns}
        ends = {end for column in tables[name].columns for end in column.interval or ()}
        for column in tables[name].columns:
            if column.unit in ("J", "W") and column.name not in {*beside, *ends, *asked}:
                # A limit, and the ends of an interval that another column's meaning names.
                gain = "gain" in column.name or "_scatter_" in column.name
                assert gain or column.uncertainty or column.interval, f"{name}.{column.name}"
    for name in ("runs", "groups", "engines", "sharding"):
        rows = tables[name].to_arrow()
        for column in tables[name].columns:
            if column.uncertainty and "power" in column.name and "integral" not in column.name:
                values, widths = rows[column.name], rows[column.uncertainty]
                assert values.null_count == widths.null_count, f"{name}.{column.name}"
    (row,) = tables.engines.to_arrow().slice(0, 1).to_pylist()
    parts = [
        row[f"{engine}_energy_per_token_uncertainty_j"] / row[f"{engine}_energy_per_token_j"]
        for engine in ("reference", "fast")
    ]
    ratio = row["energy_fast_over_reference"]
    expected = ratio * (parts[0] ** 2 + parts[1] ** 2) ** 0.5
    assert row["energy_fast_over_reference_uncertainty"] == pytest.approx(expected)


def test_the_uncertainty_of_power_is_that_of_energy_over_the_time(tmp_path: Path) -> None:
    build_run(tmp_path)
    (row,) = open_results(tmp_path).tables.runs.to_arrow().to_pylist()
    assert row["power_uncertainty_w"] == pytest.approx(
        row["energy_uncertainty_j"] / row["duration_s"]
    )


def test_a_trace_has_each_column_of_the_record_and_says_what_it_is(tmp_path: Path) -> None:
    build_run(tmp_path)
    for kind, schema in RECORD_TABLES.items():
        assert set(schema.names) <= set(TRACES[kind]), kind


def test_a_trace_is_the_record_with_seconds_units_and_labels(tmp_path: Path) -> None:
    built = build_run(tmp_path)
    trace = open_results(tmp_path).trace(built.run_id)
    recorded = pq.read_table(built.attempt(1).table("samples"))
    samples = trace.samples.to_arrow()
    assert samples.select(recorded.column_names).equals(recorded)
    assert set(samples["run_id"].to_pylist()) == {built.run_id}
    assert set(samples["simulated"].to_pylist()) == {True}
    units = dict(zip(samples["field"].to_pylist(), samples["unit"].to_pylist(), strict=True))
    assert units == {"energy_j": "J", "power_instant_w": "W"}
    spans = trace.spans.to_arrow()
    begin = spans.filter(pc.equal(spans["phase"], "prefill")).filter(
        pc.greater_equal(spans.filter(pc.equal(spans["phase"], "prefill"))["batch"], 0)
    )
    assert begin["t_start_s"][0].as_py() == 0.0
    assert trace.hosts == ("node0",)


def test_readings_are_of_one_field_node_or_device(tmp_path: Path) -> None:
    built = build_run(tmp_path, Plan(spec={"gpus": 2}))
    trace = open_results(tmp_path).trace(built.run_id)
    power = trace.readings("power_instant_w", host="node1").to_arrow()
    assert set(power["host"].to_pylist()) == {"node1"}
    assert pc.max(power["value"]).as_py() == work_w(1)
    assert len(trace.readings("power_sample_w")) == 0
    with pytest.raises(ValueError, match="but is 'power' instead; did you mean power_"):
        trace.readings("power")
    with pytest.raises(ValueError, match="`host` must be one of node0, node1, but is 'node2'"):
        trace.readings(host="node2")


def test_a_record_without_steps_has_none(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(steps=False))
    assert open_results(tmp_path).runs[0].trace.steps is None


def test_pandas_keeps_the_meanings_and_no_null_becomes_another_value(tmp_path: Path) -> None:
    build_run(tmp_path)
    opened = open_results(tmp_path)
    rows = opened.tables.phases.to_pandas()
    assert str(rows["rank"].dtype) == "Int64"
    assert str(rows["simulated"].dtype) == "boolean"
    assert rows.attrs["columns"]["energy_j"]["uncertainty"] == "energy_uncertainty_j"
    assert rows.attrs["joulegrid"] == opened.tables.phases.metadata
    runs = opened.tables.runs.to_pandas()
    assert runs["power_cap_w"].isna().all()
    assert runs[["energy_j"]].attrs == runs.attrs


def test_polars_has_the_rows_and_the_frame_still_says_what_they_are(tmp_path: Path) -> None:
    build_run(tmp_path)
    runs = open_results(tmp_path).tables.runs
    assert runs.to_polars()["energy_j"].to_list() == runs.to_arrow()["energy_j"].to_pylist()
    assert "energy_j [J] ± energy_uncertainty_j: Gross energy" in runs.describe()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_library_that_is_not_installed_is_named_with_the_command_that_brings_it(
    tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_run(tmp_path)
    runs = open_results(tmp_path).tables.runs

    def missing(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("analysis.results.frame.importlib.import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=f"pip install {library} brings it") as told:
        getattr(runs, f"to_{library}")()
    assert "\n" not in str(told.value)


def test_a_run_that_was_changed_after_its_seal_is_named_and_in_no_number(tmp_path: Path) -> None:
    good, bad = build_run(tmp_path), build_run(tmp_path, Plan(spec={"repeat": 1}))
    table = bad.attempt(1).table("samples")
    table.write_bytes(table.read_bytes()[:-1] + b"?")
    opened = open_results(tmp_path)
    assert [run.run_id for run in opened.runs] == [good.run_id]
    (other,) = opened.not_counted
    assert (other.run_id, other.state) == (bad.run_id, "not as sealed")
    assert "samples.parquet" in other.reason
    for frame_ in opened.tables.values():
        if frame_.name != "not_counted" and "run_id" in frame_.to_arrow().column_names:
            assert bad.run_id not in frame_.to_arrow()["run_id"].to_pylist(), frame_.name
    with pytest.raises(ValueError, match=rf"{bad.run_id} is not as sealed: .*samples.parquet"):
        opened.trace(bad.run_id)


def test_a_run_that_is_changed_once_it_is_open_is_refused_by_name(tmp_path: Path) -> None:
    built = build_run(tmp_path)
    opened = open_results(tmp_path)
    assert len(opened.runs) == 1
    table = built.attempt(1).table("samples")
    table.write_bytes(table.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match=rf"^{built.run_id}: samples.parquet .* changed since"):
        _ = opened.trace(built.run_id).samples


def test_a_run_that_is_not_sealed_is_not_counted_with_its_reason(tmp_path: Path) -> None:
    build_run(tmp_path)
    build_run(tmp_path, Plan(spec={"repeat": 1}, end="failed"))
    opened = open_results(tmp_path)
    (other,) = opened.not_counted
    assert other.state == "failed"
    assert opened.tables.not_counted.to_arrow()["state"].to_pylist() == ["failed"]


def test_a_reason_of_the_record_cannot_steer_a_terminal(tmp_path: Path) -> None:
    built = build_run(tmp_path, Plan(end="failed"))
    ended = read_json(built.attempt(1).ended)
    write_json(built.attempt(1).ended, {**ended, "reason": "\x1b[2Jall is well"})
    opened = open_results(tmp_path)
    (other,) = opened.not_counted
    assert other.reason == "\\x1b[2Jall is well"
    with pytest.raises(ValueError, match="is failed: ") as told:
        opened.run(built.run_id)
    assert "\x1b" not in str(told.value)


def test_a_run_whose_parts_were_damaged_is_partial_in_all_its_rows(tmp_path: Path) -> None:
    built = build_run(tmp_path, Plan(merged=False))
    (part,) = sorted(built.attempt(1).samples_shard("node0").glob("part-*"))[:1]
    part.write_bytes(part.read_bytes()[:-40])
    merge_attempt(built, built.attempt(1))
    seal_attempt(built, built.attempt(1))
    opened = open_results(tmp_path)
    assert [run.partial_record for run in opened.runs] == [True]
    assert opened.tables.runs.metadata["partial_record"] == "all"
    assert opened.tables.phases.to_arrow()["partial_record"].to_pylist()[0] is True


@pytest.mark.parametrize("which", ["run", "attempt"])
def test_a_run_s_or_an_attempt_s_own_folder_is_that_run_alone(tmp_path: Path, which: str) -> None:
    built = build_run(tmp_path)
    build_run(tmp_path, Plan(spec={"repeat": 1}))
    folder = built.folder if which == "run" else built.attempt(1).folder
    opened = open_results(folder)
    assert [run.run_id for run in opened.runs] == [built.run_id]
    assert opened.path == tmp_path


@pytest.mark.parametrize(
    ("below", "told"),
    [
        ("empty", "empty is empty$"),
        (
            "here/results/prompts",
            r"is a part of a results folder; did you mean open_results\('.*'\)\?",
        ),
        ("here", r"is a folder of results folders; did you mean open_results\('.*results'\)\?"),
        ("mlflow", r"is another tool's or nobody's \(MLflow's\)$"),
    ],
)
def test_a_folder_that_is_no_results_folder_is_refused_in_one_line(
    tmp_path: Path, below: str, told: str
) -> None:
    for name in ("empty", "here/results", "mlflow/mlruns"):
        (tmp_path / name).mkdir(parents=True)
    build_run(tmp_path / "here" / "results")
    with pytest.raises(ValueError, match=told) as refused:
        open_results(tmp_path / below)
    assert "\n" not in str(refused.value)


def test_a_folder_that_is_not_there_gets_the_name_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    with pytest.raises(FileNotFoundError, match=r"missing; did you mean open_results\('.*results'"):
        open_results(tmp_path / "result")


def test_a_name_that_is_no_run_s_gets_the_run_that_was_meant(tmp_path: Path) -> None:
    built = build_run(tmp_path)
    with pytest.raises(ValueError, match=f"did you mean {built.run_id}"):
        open_results(tmp_path).trace(built.run_id[:-1])


def test_parquet_on_disk_says_the_same_as_the_door(tmp_path: Path) -> None:
    build_run(tmp_path)
    write_report(load(tmp_path))
    for name, one in open_results(tmp_path).tables.items():
        stored = pq.read_table(tmp_path / "report" / "tables" / f"{name}.parquet")
        assert stored.schema.equals(one.to_arrow().schema, check_metadata=False)
        assert table_metadata(stored.schema) == one.metadata
        for field in one.to_arrow().schema:
            kept = field_metadata(stored.schema.field(field.name))
            assert field_metadata(field).items() <= kept.items()


def test_pandas_own_reader_finds_the_meanings_in_a_parquet_file_and_keeps_them(
    tmp_path: Path,
) -> None:
    build_run(tmp_path / "results")
    runs = open_results(tmp_path / "results").tables.runs
    write_tables(build_tables(load(tmp_path / "results")), tmp_path)
    rows = pd.read_parquet(tmp_path / "runs.parquet")
    assert rows.attrs == runs.to_pandas().attrs
    rows.to_parquet(tmp_path / "again.parquet")
    again = pd.read_parquet(tmp_path / "again.parquet").attrs
    assert again["columns"]["energy_j"]["unit"] == "J"


def test_the_door_loads_neither_torch_nor_hydra_nor_matplotlib() -> None:
    heavy = {"torch", "hydra", "omegaconf", "matplotlib", "submitit", "pandas", "polars", "jinja2"}
    code = f"import sys; from analysis import open_results; print({heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_arrow_tables_of_several_runs_can_be_put_together(tmp_path: Path) -> None:
    build_run(tmp_path)
    build_run(tmp_path, Plan(spec={"repeat": 1}))
    opened = open_results(tmp_path)
    spans = pa.concat_tables([run.trace.spans.to_arrow() for run in opened.runs])
    assert len(set(spans["run_id"].to_pylist())) == 2


@pytest.mark.parametrize("given", [None, 3, b"results", ["results"], ""])
def test_what_is_no_path_is_refused_in_a_line(given: Any) -> None:
    with pytest.raises(ValueError, match=r"`path` must be a results folder, a run or an attempt"):
        open_results(given)


def test_one_run_is_told_as_one(tmp_path: Path) -> None:
    build_run(tmp_path)
    opened = open_results(tmp_path)
    assert ": 1 sealed run, 0 not counted>" in repr(opened)
    with pytest.raises(ValueError, match="must be one of 1 sealed run of"):
        opened.run("another")
