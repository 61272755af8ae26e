"""Grid points side by side: engines, numbers of GPUs, formats."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run, window_s, work_w

REAL: Mapping[str, Any] = {"gpu": "h200", "dtype": "fp16"}
H200 = {"name": "NVIDIA H200", "kind": "h200"}
# The fast engine takes a third of the time for the same tokens.
SLOW_S, FAST_S = 1.5, 0.5


def point(
    decode_s: float = SLOW_S, *, record: Mapping[str, Any] | None = None, **spec: Any
) -> Plan:
    return Plan(spec={**REAL, **spec}, gpu=H200, decode_s=decode_s, model=record or {})


def tables_of(results: Path, *plans: Plan) -> Tables:
    for plan in plans:
        build_run(results, plan)
    return build_tables(load(results))


def test_two_engines_with_the_same_work_stand_in_one_row(tmp_path: Path) -> None:
    slow, fast = point(engine="reference"), point(FAST_S, engine="fast")
    (row,) = tables_of(tmp_path, slow, fast).engines.rows
    expected = [work_w(0) * window_s(plan) / 32 for plan in (slow, fast)]
    assert row["reference_energy_per_token_j"] == pytest.approx(expected[0])
    assert row["fast_energy_per_token_j"] == pytest.approx(expected[1])
    assert row["energy_fast_over_reference"] == pytest.approx(expected[1] / expected[0])
    assert row["rate_fast_over_reference"] == pytest.approx(window_s(slow) / window_s(fast))
    assert row["reference_energy_per_token_uncertainty_j"] is not None


@pytest.mark.parametrize("other", [{"seed": 2}, {"max_gen_len": 9}, {"dtype": "bf16"}])
def test_engines_that_differ_in_anything_else_are_not_set_side_by_side(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    tables = tables_of(tmp_path, point(engine="reference"), point(engine="fast", **other))
    assert tables.engines.rows == ()


def test_one_engine_alone_is_no_contrast(tmp_path: Path) -> None:
    tables = tables_of(tmp_path, point(engine="fast"), point(engine="fast", gpus=2))
    assert tables.engines.rows == ()
    assert len(tables.sharding.rows) == 2


def test_a_model_on_several_gpus_is_told_against_its_fewest(tmp_path: Path) -> None:
    plans = [point(engine=engine, gpus=gpus) for engine in ("fast", "reference") for gpus in (2, 1)]
    rows = tables_of(tmp_path, *plans).sharding.rows
    assert [(row["engine"], row["gpus"]) for row in rows] == [
        ("reference", 1),
        ("reference", 2),
        ("fast", 1),
        ("fast", 2),
    ]
    assert [row["power_w"] for row in rows[:2]] == pytest.approx([200.0, 500.0])
    assert [row["energy_over_fewest"] for row in rows[:2]] == pytest.approx([1.0, 2.5])
    assert all(row["bound_share"] is not None for row in rows)


def test_a_model_on_one_number_of_gpus_is_in_no_sharding_table(tmp_path: Path) -> None:
    assert tables_of(tmp_path, point(), point(seed=2, gpus=2)).sharding.rows == ()


def test_formats_stand_beside_each_other_with_their_logit_error(tmp_path: Path) -> None:
    error = {"relative_rms": 0.02, "max_abs": 0.5, "argmax_agreement": 0.9, "probe_tokens": 64}
    plans = [
        point(engine="fast", quantization="none"),
        point(engine="fast", quantization="int8", record={"logit_error": error}),
    ]
    plain, quantized = tables_of(tmp_path, *plans).formats.rows
    assert (plain["quantization"], quantized["quantization"]) == ("none", "int8")
    assert plain["logit_relative_rms"] is None
    assert plain["logit_reason"] == "not compared with fp32"
    assert (quantized["logit_relative_rms"], quantized["logit_probe_tokens"]) == (0.02, 64)
    assert quantized["energy_per_token_j"] is not None


def test_keys_of_fewer_bits_are_a_format_beside_the_run_s_own(tmp_path: Path) -> None:
    plans = [point(engine="fast", kv_dtype="fp8"), point(engine="fast")]
    plain, kept = tables_of(tmp_path, *plans).formats.rows
    assert (plain["kv_dtype"], kept["kv_dtype"]) == (None, "fp8")


def test_why_a_logit_error_is_missing_is_said_in_the_runs_own_words(tmp_path: Path) -> None:
    off = {"logit_error": {"relative_rms": None, "reason": "switched off by logit_error=false"}}
    rows = tables_of(tmp_path, point(dtype="bf16", record=off), point()).formats.rows
    assert "switched off by logit_error=false" in {row["logit_reason"] for row in rows}


def test_records_from_before_stand_in_the_same_tables(tmp_path: Path) -> None:
    plans = [
        Plan(spec={**REAL, "engine": engine}, gpu=H200, steps=False)
        for engine in ("reference", "fast")
    ]
    (row,) = tables_of(tmp_path, *plans).engines.rows
    assert row["fast_energy_per_token_j"] is not None
    assert row["fast_bound_share"] is None


def test_the_page_draws_what_stands_side_by_side(tmp_path: Path) -> None:
    error = {"logit_error": {"relative_rms": 0.02}}
    plans = [
        point(decode_s, engine=engine, gpus=gpus)
        for engine, decode_s in (("reference", SLOW_S), ("fast", FAST_S))
        for gpus in (1, 2)
    ]
    plans += [
        point(FAST_S, engine="fast", quantization=name, record=error) for name in ("int8", "int4")
    ]
    for plan in plans:
        build_run(tmp_path, plan)
    written = write_report(load(tmp_path))
    page = written.page.read_text()
    drawn = {figure.key: figure for figure in written.figures}
    for key in ("engines", "sharding", "formats"):
        assert drawn[key].svg is not None, drawn[key].reason
        assert f'id="figure-{key}"' in page
        assert (tmp_path / "report" / "tables" / f"{key}.csv").is_file()
    assert "share of bound" in str(drawn["sharding"].svg)
    assert "int4" in str(drawn["formats"].svg)
    # Without mathematical text a label of powers of ten would stand there as its source.
    assert not any("mathdefault" in str(figure.svg) for figure in written.figures)


def test_a_page_without_contrasts_has_no_such_section(tmp_path: Path) -> None:
    build_run(tmp_path)
    written = write_report(load(tmp_path))
    assert 'id="contrasts"' not in written.page.read_text()
    reasons = {figure.key: figure.reason for figure in written.figures}
    assert reasons["engines"] == "no grid point has an energy under both engines"


def test_the_reference_and_more_bits_stand_first_in_every_table(tmp_path: Path) -> None:
    plans = [
        point(engine="fast", quantization="int4"),
        point(engine="fast"),
        point(engine="reference"),
        point(engine="fast", dtype="fp32"),
    ]
    tables = tables_of(tmp_path, *plans)
    expected = [
        ("reference", "none", "fp16"),
        ("fast", "none", "fp32"),
        ("fast", "none", "fp16"),
        ("fast", "int4", "fp16"),
    ]
    for table in (tables.groups, tables.runs):
        seen = [(row["engine"], row["quantization"], row["dtype"]) for row in table.rows]
        assert seen == expected, table.name
