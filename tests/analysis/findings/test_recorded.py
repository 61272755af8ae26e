"""What the recorded runs on H100s and H200s say, by the same tables."""

import math

import pytest

from analysis.runs.sealed_runs import load
from analysis.tables.column import Cell, Row
from analysis.tables.table import Tables
from tests.analysis.findings.built import findings_of
from tests.support.recordings import FOLDER, recorded, unpack

OF_FINDINGS = (
    *("pareto", "energy_delay", "best", "scaling", "scaling_laws", "goodput"),
    *("complexity", "complexity_models", "joules", "joule_costs", "joule_work"),
)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    results = tmp_path_factory.mktemp("recorded")
    chosen = [path for path in recorded() if not path.name.startswith("65b")]
    chosen += [path for path in recorded(FOLDER / "gsm8k") if "h100" in path.name]
    for archive in chosen:
        unpack(archive, results)
    return findings_of(load(results))


def rows_of(tables: Tables, name: str, **like: object) -> list[Row]:
    return [
        row
        for row in tables.by_name[name].rows
        if all(row[key] == value for key, value in like.items())
    ]


@pytest.mark.parametrize("name", OF_FINDINGS)
def test_no_cell_is_not_a_number_and_what_is_missing_has_a_reason(
    tables: Tables, name: str
) -> None:
    table = tables.by_name[name]
    assert table.rows
    for row in table.rows:
        assert all(math.isfinite(cell) for cell in row.values() if isinstance(cell, float))
        for column in table.columns:
            if column.reason is not None and row[column.name] is None:
                assert row[column.reason], f"{name}.{column.name} is empty without a reason"


def test_the_fast_engine_dominates_where_runs_were_repeated(tables: Tables) -> None:
    told = {
        row["engine"]: row["verdict"] for row in rows_of(tables, "pareto", gpu="h100", model="7b")
    }
    assert told == {"reference": "dominated", "fast": "on the front"}


def test_nothing_is_told_apart_where_nothing_was_repeated(tables: Tables) -> None:
    rows = rows_of(tables, "pareto", gpu="h200")
    assert {row["verdict"] for row in rows} == {"not told apart"}
    assert any(row["front_by_means"] for row in rows)


def test_efficiencies_are_those_of_the_runs_own_rates(tables: Tables) -> None:
    rates = {
        row["gpus"]: float(str(row["tokens_per_s"]))
        for row in rows_of(
            tables, "runs", model="13b", engine="fast", dataset="fixed-synthetic", gpu="h200"
        )
    }
    rows = rows_of(tables, "scaling", model="13b", engine="fast")
    assert [row["gpus"] for row in rows] == [1, 2, 4]
    for row in rows:
        gpus = int(str(row["gpus"]))
        assert row["parallel_efficiency_share"] == pytest.approx(rates[gpus] / rates[1] / gpus)
        assert row["time_residual_share"] is not None
    (law,) = rows_of(tables, "scaling_laws", model="13b", engine="fast")
    # Twice the boards do not double the rate, and take more for a token.
    assert -1.0 < float(str(law["time_exponent"])) < 0.0 < float(str(law["energy_exponent"]))


def test_parts_of_every_recorded_phase_sum_to_its_energy(tables: Tables) -> None:
    sums: dict[tuple[Cell, Cell], list[float]] = {}
    for row in tables.by_name["joules"].rows:
        if row["part_energy_j"] is not None:
            own = sums.setdefault((row["run_id"], row["phase"]), [])
            own.append(float(str(row["part_energy_j"])))
    energies = {
        (row["run_id"], row["phase"]): row["energy_j"] for row in tables.by_name["joule_work"].rows
    }
    assert len(sums) >= len({run for run, _ in energies})
    for key, parts in sums.items():
        assert math.fsum(parts) == pytest.approx(energies[key], rel=1e-12)


def test_runs_of_one_format_tell_weights_from_keys_and_values_by_no_cost(tables: Tables) -> None:
    (cost,) = rows_of(
        tables,
        "joule_costs",
        engine="fast",
        board="NVIDIA H200",
        part="weights read",
        quantization="none",
    )
    assert cost["reason"] == "the runs do not tell it apart from keys and values"
    assert cost["cost_pj"] is None


def test_three_runs_of_a_board_tell_no_costs(tables: Tables) -> None:
    rows = rows_of(tables, "joule_costs", engine="fast", board="NVIDIA H100 80GB HBM3")
    assert {row["cost_pj"] for row in rows} == {None}
    assert all("costs need 5" in str(row["reason"]) for row in rows)


def test_every_answer_of_the_fast_engine_came_in_time(tables: Tables) -> None:
    own = {row["run_id"]: row for row in tables.by_name["runs"].rows}
    rows = rows_of(
        tables, "goodput", engine="fast", first_token_limit_s=0.5, inter_token_limit_s=0.05
    )
    assert rows
    for row in rows:
        run = own[row["run_id"]]
        assert row["in_time_share"] == 1.0
        per_token_j = float(str(run["energy_per_token_j"]))
        assert row["goodput_tokens_per_j"] == pytest.approx(1.0 / per_token_j)


def test_stretches_of_a_run_take_no_more_than_its_window(tables: Tables) -> None:
    for run in tables.by_name["runs"].rows:
        own = rows_of(tables, "complexity", run_id=run["run_id"])
        energies = [float(str(row["energy_j"])) for row in own if row["energy_j"] is not None]
        assert sum(int(str(row["responses"])) for row in own) == run["responses"]
        assert sum(int(str(row["generated_tokens"])) for row in own) == run["generated_tokens"]
        if len(energies) == len(own):
            assert math.fsum(energies) <= float(str(run["energy_j"])) * 1.05


def test_one_length_of_prompts_tells_no_cost_of_a_token(tables: Tables) -> None:
    rows = [
        row
        for row in tables.by_name["complexity_models"].rows
        if row["datasets"] == "fixed-synthetic" and row["outcome"] == "energy_j"
    ]
    assert {row["slope_j"] for row in rows} == {None}
    assert any(str(row["reason"]).startswith("the same in all") for row in rows)
