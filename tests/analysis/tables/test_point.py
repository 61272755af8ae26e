"""Points that differ in one field of the spec stand apart, wherever they are shown."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from analysis.figures.labels import names_of
from analysis.report.sentences import summary
from analysis.runs.sealed_runs import load
from analysis.tables.column import alike, visible
from analysis.tables.contrast import families
from analysis.tables.groups import GROUPS
from analysis.tables.launched import LAUNCH_SETTINGS, LAUNCHED
from analysis.tables.point import POINT
from analysis.tables.table import Results, Tables
from analysis.workbook.build import build_tables
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from tests.support.records import Plan, build_run

BASE: dict[str, Any] = {"gpu": "h200", "dtype": "fp16", "gpus": 2, "gpus_per_node": 1}
H200 = {"name": "NVIDIA H200", "kind": "h200"}
OTHER: dict[str, Any] = {
    "model": "micro",
    "engine": "fast",
    "dtype": "bf16",
    "quantization": "int8",
    "weights": "0123abcd",
    "tokenizer": "joulegrid-32000-other",
    "gpu": "h100",
    "gpus": 1,
    "gpus_per_node": 2,
    "dataset": "alpaca-sample",
    "prompts": 2,
    "batch_size": 4,
    "max_prompt_len": 32,
    "max_gen_len": 7,
    "temperature": 0.8000001,
    "top_p": 0.9,
    "ignore_eos": True,
    "seed": 2,
    "power_cap_w": 300.0,
    "sm_clock_mhz": 1200,
    "memory_clock_mhz": 2201,
    "prefill_power_cap_w": 310.0,
    "prefill_sm_clock_mhz": 1300,
    "decode_power_cap_w": 320.0,
    "decode_sm_clock_mhz": 1400,
    "arrivals_per_s": 4.0,
    "arrivals_seed": 5,
    "kv_dtype": "fp8",
}
LAUNCH: dict[str, Any] = {
    "min_window_s": 2.0,
    "warmup_batches": 2,
    "idle_s": 2.0,
    "period_ms": 50,
    "telemetry": "auto",
    "threads": 2,
    "gpu_fields": ["power_instant_w"],
}
# What stands where a bar's colour, a line's style or its place tells points apart.
SHOWN_OTHERWISE = ("model", "gpu", "gpus", "dataset")


def tables_of(results: Path, *plans: Plan) -> Tables:
    for plan in plans:
        build_run(results, plan)
    return build_tables(load(results))


def base_of(field: str) -> dict[str, Any]:
    """What two plans have alike: some fields mean something beside another alone."""
    return {**BASE, **({"arrivals_per_s": 2.0} if field == "arrivals_seed" else {})}


def pair(field: str) -> tuple[Plan, Plan]:
    """Two plans that differ in one field of the spec alone."""
    base = base_of(field)
    return (
        Plan(spec=base, gpu=H200),
        Plan(spec={**base, field: OTHER[field]}, gpu=H200, decode_s=0.5),
    )


def test_every_field_of_a_spec_is_a_column_and_has_a_value_here() -> None:
    # The name of a model has the digest of its configuration.
    fields = {field.name for field in dataclasses.fields(RunSpec)} - {"repeat", "model_config"}
    assert {column.name for column in POINT} == {*fields, "nodes"}
    assert set(OTHER) == fields
    for field in fields:
        assert {**SPEC, **BASE}.get(field) != OTHER[field]


def test_every_setting_of_a_launch_is_a_column_unless_it_decides_no_measurement() -> None:
    # Where things lie on the nodes, and what is read into the record whatever it is.
    elsewhere = {
        *("prompts_sha256", "tokenizer_path", "dcgm_bindings", "dcgm_address"),
        *("logit_error", "weights_path", "verify_weights", "signing_key"),
        *("link_s", "lodge_heads"),
        # Who sets a cap or a clock, and how it was asked for: what stands is the spec's.
        *("power", "power_lock_before_mhz", "power_shares"),
        # The data set's name has its digest, and table quality its metrics.
        "task",
    }
    fields = {field.name for field in dataclasses.fields(LaunchConfig)} - elsewhere
    assert {column.name for column in LAUNCHED} == {*fields, "prompts_digest"}


@pytest.mark.parametrize("field", OTHER)
def test_two_runs_that_differ_in_one_field_are_two_points_and_the_field_is_shown(
    tmp_path: Path, field: str
) -> None:
    groups = tables_of(tmp_path, *pair(field)).groups
    assert [row["n"] for row in groups.rows] == [1, 1]
    columns = {column.name for column in visible(groups.columns, groups.rows)}
    assert field in columns or (field == "gpus_per_node" and "nodes" in columns)
    assert field not in {column.name for column in alike(groups.columns, groups.rows)}


@pytest.mark.parametrize("field", OTHER)
def test_two_runs_that_differ_in_one_field_have_two_names_in_figures_and_in_the_summary(
    tmp_path: Path, field: str
) -> None:
    tables = tables_of(tmp_path, *pair(field))
    rows = tables.groups.rows
    names = names_of(rows, but=SHOWN_OTHERWISE, per=SHOWN_OTHERWISE)
    called = {
        (name, *(row[key] for key in SHOWN_OTHERWISE))
        for name, row in zip(names, rows, strict=True)
    }
    assert len(called) == 2
    (sentence,) = (line for line in summary(tables) if line.startswith("Measured"))
    ends = re.findall(r"J \(([^)]*)\)", sentence)
    assert len(set(ends)) == 2


@pytest.mark.parametrize("setting", LAUNCH)
def test_repeats_that_were_measured_under_other_settings_are_two_points(
    tmp_path: Path, setting: str
) -> None:
    tables = tables_of(
        tmp_path, Plan(), Plan(spec={"repeat": 1}, launch={setting: LAUNCH[setting]}, decode_s=1.0)
    )
    rows = tables.groups.rows
    assert [row["n"] for row in rows] == [1, 1]
    assert len({row[setting] for row in rows}) == 2
    assert setting in {column.name for column in visible(tables.groups.columns, rows)}
    assert len(set(names_of(rows))) == 2


@pytest.mark.parametrize("field", sorted(set(OTHER) - {"engine"}))
def test_no_contrast_pairs_what_differs_in_more_than_its_own_field(
    tmp_path: Path, field: str
) -> None:
    base = base_of(field)
    one = Plan(spec={**base, "engine": "fast"}, gpu=H200)
    other = Plan(spec={**base, field: OTHER[field]}, gpu=H200)
    loaded_tables = tables_of(tmp_path, one, other)
    assert loaded_tables.engines.rows == ()
    results = Results(
        runs=load(tmp_path).runs, not_counted=(), made={GROUPS.name: loaded_tables.groups}
    )
    assert all(len(family) == 1 for family in families(results, ("engine",)))


def test_a_setting_that_another_column_decides_takes_none_of_its_own(tmp_path: Path) -> None:
    tables = tables_of(tmp_path, Plan(), Plan(spec={"dataset": "alpaca-sample", "prompts": 2}))
    rows = tables.groups.rows
    assert len({row["prompts_digest"] for row in rows}) == 2
    assert "prompts_digest" not in {one.name for one in visible(tables.groups.columns, rows)}


def test_runs_and_groups_have_every_setting_in_their_files_whatever_differs(
    tmp_path: Path,
) -> None:
    tables = tables_of(tmp_path, Plan())
    wanted = {column.name for column in POINT} | set(LAUNCH_SETTINGS)
    for table in (tables.runs, tables.groups, tables.sharding, tables.formats):
        assert wanted <= {column.name for column in table.columns}, table.name
    assert wanted - {"engine"} <= {column.name for column in tables.engines.columns}


def test_what_is_the_same_in_every_row_is_so(tmp_path: Path) -> None:
    specs = [
        {"temperature": temperature, "ignore_eos": ignore, "max_prompt_len": length}
        for temperature in (0.0, 0.8)
        for ignore in (True, False)
        for length in (32, 64)
    ]
    groups = tables_of(tmp_path, *(Plan(spec=spec) for spec in specs)).groups
    assert len(groups.rows) == 8
    same = {column.name for column in alike(groups.columns, groups.rows)}
    assert same >= {"weights", "seed", "top_p", "max_gen_len", "min_window_s", "engine"}
    for name in same:
        assert len({row[name] for row in groups.rows}) == 1
    shown = {column.name for column in visible(groups.columns, groups.rows)}
    assert {"temperature", "ignore_eos", "max_prompt_len"} <= shown


def test_random_weights_stand_at_the_top_of_the_page(tmp_path: Path) -> None:
    tables = tables_of(tmp_path, Plan(), Plan(spec={"weights": "0123abcd"}))
    assert any(line.startswith("1 of 2 runs had random weights") for line in summary(tables))
