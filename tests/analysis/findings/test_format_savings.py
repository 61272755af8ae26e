"""What fewer bits of weight save: twins alone, verdicts by intervals, causes, and the crossover."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from telemetry.record.files import read_json, write_bytes, write_json
from telemetry.record.paths import prompts_folder
from tests.support.recordings import recorded, unpack
from tests.support.records import Plan, build_run, reseal, window_s

H200: Mapping[str, Any] = {"name": "NVIDIA H200", "kind": "h200", "power_limit_w": 700.0}


def plan(quantization: str, decode_s: float = 1.5, rows: int = 2, **changes: Any) -> Plan:
    """All draw 200 W, so that joules go as the window's time."""
    spec = {"gpu": "h200", "dtype": "fp16", "engine": "fast", "ignore_eos": True}
    work = {"batch_size": rows, "prompts": rows, "quantization": quantization}
    own = changes.pop("spec", {})
    return Plan(spec={**spec, **work, **own}, gpu=H200, decode_s=decode_s, **changes)


def repeats(one: Plan, count: int = 3) -> list[Plan]:
    """Runs of a point that scatter by a tenth of a second."""
    return [
        replace(
            one,
            spec={**one.spec, "repeat": repeat},
            decode_s=round(one.decode_s + 0.1 * (repeat % 3 - 1), 1),
        )
        for repeat in range(count)
    ]


def tables_of(results: Path, *plans: Plan) -> Tables:
    for one in plans:
        build_run(results, one)
    return build_tables(load(results))


def saving(results: Path, *plans: Plan) -> Row:
    (row,) = tables_of(results, *plans).format_savings.rows
    return row


def test_fewer_joules_than_the_twin_beyond_all_doubt_are_a_saving(tmp_path: Path) -> None:
    pair = plan("none", 8.0), plan("int8", 4.0)
    row = saving(tmp_path, *(run for one in pair for run in repeats(one)))
    true = window_s(pair[1]) / window_s(pair[0])
    assert row["energy_ratio"] == pytest.approx(true, rel=0.001)
    assert row["rate_ratio"] == pytest.approx(1.0 / true, rel=0.01)
    assert row["verdict"] == "saves"
    assert row["reason"] is None
    low, high = row["energy_ratio_low"], row["energy_ratio_high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert low < true < high < 1.0
    assert row["power_ratio"] == pytest.approx(1.0)
    assert str(row["sentence"]).endswith("times its tokens/s: saves.")


def test_more_joules_than_the_twin_beyond_all_doubt_are_none(tmp_path: Path) -> None:
    pair = plan("none", 4.0), plan("int4", 8.0)
    row = saving(tmp_path, *(run for one in pair for run in repeats(one)))
    assert row["verdict"] == "does not save"
    assert "widening and what shorter steps hide no more take" in str(row["why"])
    assert isinstance(row["widening_share"], float)
    assert row["widening_share"] == pytest.approx(
        (
            float(str(row["beyond_bound_per_token_s"]))
            - float(str(row["base_beyond_bound_per_token_s"]))
        )
        * 2
        * 8
        / window_s(pair[1]),
        rel=0.01,
    )


def test_an_interval_with_1_in_it_cannot_tell(tmp_path: Path) -> None:
    pair = plan("none", 2.1), plan("int8", 2.0)
    row = saving(tmp_path, *(run for one in pair for run in repeats(one)))
    assert row["verdict"] == "cannot tell"
    assert str(row["reason"]).endswith("has 1 in it")


def test_single_runs_have_a_ratio_and_no_verdict(tmp_path: Path) -> None:
    row = saving(tmp_path, plan("none", 8.0), plan("int8", 1.0))
    assert row["energy_ratio"] is not None
    assert (row["energy_ratio_low"], row["verdict"]) == (None, "cannot tell")
    assert row["reason"] == "no point of these boards has repeats: the scatter is not known"


def test_repeats_of_any_point_of_the_board_tell_of_single_runs(tmp_path: Path) -> None:
    elsewhere = repeats(plan("none", 8.0, rows=4))
    row = saving(tmp_path, plan("none", 8.0), plan("int8", 1.0), *elsewhere)
    assert row["verdict"] == "saves"
    assert "scatter of all points with repeats" in str(row["energy_ratio_interval_from"])


LIES: Mapping[str, tuple[Plan, str]] = {
    "another data set": (
        plan("none", spec={"dataset": "alpaca-sample"}),
        "dataset alpaca-sample / ",
    ),
    "a cap": (plan("none", spec={"power_cap_w": 400.0}), "power_cap_w 400.0 / none"),
    "a clock lock": (plan("none", spec={"sm_clock_mhz": 900}), "sm_clock_mhz 900 / none"),
    "another engine": (plan("none", spec={"engine": "reference"}), "engine reference / fast"),
    "other numbers": (plan("none", spec={"dtype": "bf16"}), "dtype bf16 / fp16"),
    "more rows": (plan("none", rows=4), "batch_size 4 / 2, prompts 4 / 2"),
    "more GPUs": (plan("none", spec={"gpus": 2, "gpus_per_node": 2}), "gpus 2 / 1"),
    "other weights": (plan("none", spec={"weights": "a" * 64}), f"weights {'a' * 64} / random"),
    "a board of another name": (
        replace(plan("none"), gpu={**H200, "name": "NVIDIA H100 80GB HBM3"}),
        "board NVIDIA H100 80GB HBM3 / NVIDIA H200",
    ),
    "a lower limit that no spec names": (
        replace(plan("none"), gpu={**H200, "power_limit_w": 500.0}),
        "power limit in force 500 W / 700 W",
    ),
    "answers of half the tokens": (
        plan(
            "none",
            response=lambda row: {
                **row,
                "generated_tokens": row["generated_tokens"] // 2,
                "generated_ids": row["generated_ids"][: row["generated_tokens"] // 2],
            },
        ),
        "tokens of an answer 4 / 8",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_run_of_other_work_is_no_twin(lie: str, tmp_path: Path) -> None:
    base, differs = LIES[lie]
    row = saving(tmp_path, base, plan("int8", 0.5))
    assert (row["energy_ratio"], row["rate_ratio"], row["why"]) == (None, None, None)
    assert row["verdict"] == "cannot tell"
    assert str(row["reason"]).startswith("no unquantized run of the same: the nearest differs in ")
    assert differs in str(row["reason"])


def test_another_set_of_prompts_of_the_same_data_set_is_other_work(tmp_path: Path) -> None:
    data = b'{"id": "0", "text": "another"}\n{"id": "1", "text": "one more"}\n'
    sha256 = hashlib.sha256(data).hexdigest()
    prompts_folder(tmp_path).mkdir()
    write_bytes(prompts_folder(tmp_path) / f"{sha256}.jsonl", data)
    row = saving(tmp_path, plan("none", launch={"prompts_sha256": sha256}), plan("int8"))
    assert f"prompts_digest {sha256[:12]} / " in str(row["reason"])


def test_prompts_that_neither_has_on_record_are_not_taken_for_the_same(tmp_path: Path) -> None:
    for bits in ("none", "int8"):
        run = build_run(tmp_path, plan(bits))
        launch = run.attempt(1).launch
        kept = {
            name: value for name, value in read_json(launch).items() if name != "prompts_sha256"
        }
        write_json(launch, kept)
        reseal(run)
    assert "prompts that neither has on record" in str(saving(tmp_path)["reason"])


def test_a_model_that_was_never_run_unquantized_says_so(tmp_path: Path) -> None:
    row = saving(tmp_path, plan("int8"), plan("none", spec={"model": "micro"}))
    assert row["reason"] == "no unquantized run of the model"


def test_limits_that_no_record_names_are_told_and_not_taken_for_the_same(tmp_path: Path) -> None:
    unknown = {**H200, "power_limit_w": None}
    both = (replace(plan(bits), gpu=unknown) for bits in ("none", "int8"))
    assert saving(tmp_path, *both)["measured_apart"] == "power limit not on record"


def test_the_twin_that_was_measured_alike_is_taken_and_else_what_differs_is_told(
    tmp_path: Path,
) -> None:
    other = plan("none", 3.0, launch={"warmup_batches": 2})
    row = saving(tmp_path, other, plan("int8"))
    assert row["measured_apart"] == "warmup_batches 2 / 1"
    alike = plan("none", 2.0, spec={"repeat": 1})
    row = saving(tmp_path, alike)
    assert row["measured_apart"] is None
    assert row["energy_ratio"] == pytest.approx(window_s(plan("int8")) / window_s(alike))


def test_a_run_that_did_not_end_is_no_twin(tmp_path: Path) -> None:
    row = saving(tmp_path, plan("none", end="failed"), plan("int8"))
    assert row["reason"] == "no unquantized run of the model"


def test_a_throttled_twin_is_labelled_in_the_row(tmp_path: Path) -> None:
    row = saving(tmp_path, plan("none", 6.0, state=True), plan("int8", state=False))
    assert "throttled" in str(row["labels"])
    row = tables_of(tmp_path).format_curve.rows[0]
    assert row["quantization"] == "none"
    assert "throttled" in str(row["labels"])
    assert isinstance(row["cap_bound_share"], float)
    assert row["cap_bound_share"] > 0


def test_what_held_the_clocks_is_told_of_both_or_said_not_to_be_known(tmp_path: Path) -> None:
    told = saving(tmp_path / "told", plan("none", 6.0, state=True), plan("int8", state=True))
    assert "a power limit held the clock in" in str(told["why"])
    silent = saving(tmp_path / "silent", plan("none"), plan("int8"))
    assert silent["cap_bound_share"] is None
    assert "limit not told: too few readings of either say what held the clocks" in str(
        silent["why"]
    )


def test_simulated_runs_are_twins_of_simulated_ones_alone(tmp_path: Path) -> None:
    spec = {"gpu": "simulated-a100", "dtype": "fp32", "engine": "fast", "ignore_eos": True}
    fake = [Plan(spec={**spec, "quantization": bits}) for bits in ("none", "int8")]
    (row,) = tables_of(tmp_path, *fake, plan("none", 9.0)).format_savings.rows
    assert row["simulated"] is True
    assert row["energy_ratio"] == pytest.approx(1.0)
    assert "simulated" in str(row["sentence"])


def curve(ratios: Mapping[int, float], bits: str = "int8") -> list[Plan]:
    """Three runs of both formats at each number of rows; the format takes so many times as long."""
    pairs = [
        (plan("none", 8.0, rows=rows), plan(bits, round(8.5 * over - 0.5, 1), rows=rows))
        for rows, over in ratios.items()
    ]
    return [run for pair in pairs for one in pair for run in repeats(one)]


def crossover(results: Path, ratios: Mapping[int, float]) -> Row:
    (row,) = tables_of(results, *curve(ratios)).format_crossovers.rows
    return row


def test_where_a_format_stops_saving_is_bracketed_and_drawn_between(tmp_path: Path) -> None:
    row = crossover(tmp_path, {1: 0.5, 4: 0.8, 16: 1.25, 64: 2.0})
    assert (row["saves_at_rows"], row["stops_at_rows"]) == (4, 16)
    # On logarithms 1 lies midway between 0.8 and 1.25, and 8 rows between 4 and 16.
    assert row["crossover_rows"] == pytest.approx(8.0, rel=0.1)
    assert (row["points"], row["points_told"], row["reason"]) == (4, 4, None)
    assert str(row["sentence"]).endswith("saves no more between 4 and 16 rows.")


def test_a_point_that_cannot_tell_widens_the_bracket(tmp_path: Path) -> None:
    row = crossover(tmp_path, {1: 0.5, 4: 1.0, 16: 2.0})
    assert (row["saves_at_rows"], row["stops_at_rows"]) == (1, 16)
    assert row["points_told"] == 2


@pytest.mark.parametrize(
    ("ratios", "reason"),
    [
        ({1: 0.5, 4: 0.6}, "it saves at every number of rows that is told: 1, 4"),
        ({1: 2.0, 4: 1.5}, "it saves at no number of rows that is told: 1, 4"),
        (
            {1: 0.5, 4: 2.0, 16: 0.5},
            "it does not stop once: it saves at 1, 16 of 1, 4, 16 rows told",
        ),
    ],
)
def test_a_format_without_one_crossover_says_why(
    ratios: Mapping[int, float], reason: str, tmp_path: Path
) -> None:
    row = crossover(tmp_path, ratios)
    assert (row["crossover_rows"], row["saves_at_rows"], row["stops_at_rows"]) == (None,) * 3
    assert row["reason"] == reason


def test_two_points_of_as_many_rows_make_no_crossover(tmp_path: Path) -> None:
    wide = {"batch_size": 4, "prompts": 8}
    more = [run for bits in ("none", "int8") for run in repeats(plan(bits, spec=wide))]
    (row,) = tables_of(tmp_path, *curve({1: 0.5, 4: 2.0}), *more).format_crossovers.rows
    assert row["crossover_rows"] is None
    assert row["reason"] == "several points answer 4 rows: of 4 and of 8 prompts"


def test_a_curve_is_of_formats_beside_one_another_and_in_order(tmp_path: Path) -> None:
    alone = plan("none", rows=4, spec={"model": "micro"})
    wanted = [plan(bits, rows=rows) for bits in ("int4", "none", "int8") for rows in (4, 1)]
    rows = tables_of(tmp_path, alone, *wanted).format_curve.rows
    assert [(row["quantization"], row["batch_size"]) for row in rows] == [
        (bits, count) for bits in ("none", "int8", "int4") for count in (1, 4)
    ]
    assert {row["model"] for row in rows} == {"nano"}


def test_phases_of_a_point_are_apart_and_sum_to_what_they_took(tmp_path: Path) -> None:
    rows = tables_of(tmp_path, plan("none"), plan("int8")).format_curve.rows
    for row in rows:
        assert row["prefill_energy_per_token_j"] == pytest.approx(200.0 * 0.5 / 16)
        assert row["decode_energy_per_token_j"] == pytest.approx(200.0 * 1.5 / 16)
        assert row["prefill_per_batch_s"] == pytest.approx(0.5)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    results = tmp_path_factory.mktemp("recorded")
    for archive in recorded():
        if archive.name.startswith("7b-") and "-g1-" in archive.name:
            unpack(archive, results)
    return build_tables(load(results))


def of(rows: Sequence[Row], bits: str, batch: int) -> Row:
    (row,) = (row for row in rows if (row["quantization"], row["batch_size"]) == (bits, batch))
    return row


def test_recorded_runs_stand_on_one_curve_with_their_own_joules(real: Tables) -> None:
    rows = real.format_curve.rows
    assert len(rows) == 6
    for row in rows:
        (own,) = (one for one in real.runs.rows if one["run_id"] == row["runs"])
        assert row["energy_per_token_j"] == pytest.approx(own["energy_per_token_j"])
        assert row["energy_per_token_uncertainty_j"] == own["energy_per_token_uncertainty_j"]
        assert "random weights" in str(row["labels"])
    assert of(rows, "int4", 1)["logit_relative_rms"] == pytest.approx(0.081, abs=0.001)
    assert of(rows, "none", 1)["prefill_energy_per_token_j"] is None
    assert str(of(rows, "none", 1)["prefill_reason"]).startswith("not attributable")


def test_recorded_ratios_are_those_of_the_runs_and_no_verdict_is_made_of_single_ones(
    real: Tables,
) -> None:
    rows = real.format_savings.rows
    told = {(bits, batch): of(rows, bits, batch) for bits in ("int8", "int4") for batch in (1, 64)}
    wanted = {("int8", 1): 0.764, ("int4", 1): 0.722, ("int8", 64): 1.080, ("int4", 64): 0.981}
    for key, ratio in wanted.items():
        assert told[key]["energy_ratio"] == pytest.approx(ratio, abs=0.001)
        assert told[key]["verdict"] == "cannot tell"
    # A byte less a weight can save at most what weights are of all bytes.
    at_64 = told["int8", 64]
    assert at_64["base_weight_bytes_share"] == pytest.approx(0.673, abs=0.001)
    assert at_64["cap_bound_share"] == at_64["base_cap_bound_share"] == 1.0
    assert at_64["widening_share"] == pytest.approx(0.253, abs=0.001)
    for row in real.format_crossovers.rows:
        assert row["crossover_rows"] is None
        assert "no point of these boards has repeats" in str(row["reason"])


def test_time_beyond_the_bound_and_the_bound_make_up_the_time_of_a_token(real: Tables) -> None:
    for row in real.format_savings.rows:
        (speed,) = (one for one in real.performance.rows if one["run_id"] == row["runs"])
        beyond, bound = row["beyond_bound_per_token_s"], speed["bound_tokens_per_s"]
        (run,) = (one for one in real.runs.rows if one["run_id"] == row["runs"])
        assert isinstance(beyond, float)
        assert isinstance(bound, float)
        assert math.isclose(beyond + 1.0 / bound, 1.0 / float(str(run["tokens_per_s"])))
