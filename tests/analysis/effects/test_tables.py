"""The tables of effects: what single runs cannot tell, what planted repeats do, and their order."""

import math
from pathlib import Path
from typing import Any, Final

import pytest

from analysis.runs.sealed_runs import load
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run

TABLES: Final = ("comparisons", "mixed_model", "variance", "drift")


def plan(decode_s: float = 1.5, **spec: Any) -> Plan:
    board = {"name": "NVIDIA H200", "kind": "h200"}
    return Plan(spec={"gpu": "h200", "dtype": "fp16", **spec}, gpu=board, decode_s=decode_s)


def tables_of(results: Path, *plans: Plan) -> Tables:
    for one in plans:
        build_run(results, one)
    return build_tables(load(results))


def numbers(tables: Tables, name: str) -> list[float]:
    rows = getattr(tables, name).rows
    return [value for row in rows for value in row.values() if isinstance(value, float)]


def test_no_run_has_no_row_and_no_error(tmp_path: Path) -> None:
    tmp_path.joinpath("results").mkdir()
    tables = build_tables(load(tmp_path / "results"))
    assert {name: getattr(tables, name).rows for name in TABLES} == dict.fromkeys(TABLES, ())


def test_one_run_has_no_interval_in_any_table_and_each_row_says_why(tmp_path: Path) -> None:
    tables = tables_of(tmp_path, plan())
    # What is no grid has neither pairs nor a model.
    assert tables.comparisons.rows == tables.mixed_model.rows == ()
    for name in ("variance", "drift"):
        rows = getattr(tables, name).rows
        assert rows, name
        for row in rows:
            assert row["reason"], name
            ends = [value for key, value in row.items() if key.endswith(("_low", "_high"))]
            assert ends == [None] * len(ends), name
        assert not any(map(math.isnan, numbers(tables, name)))


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tables]:
    """Two engines on one and two GPUs, three repeats of each."""
    results = tmp_path_factory.mktemp("repeated")
    plans = [
        plan(
            decode_s + 0.1 * ((repeat + gpus) % 3),
            engine=engine,
            gpus=gpus,
            gpus_per_node=gpus,
            repeat=repeat,
        )
        for engine, decode_s in (("reference", 2.0), ("fast", 0.8))
        for gpus in (1, 2)
        for repeat in range(3)
    ]
    return results, tables_of(results, *plans)


def test_repeats_on_two_gpus_are_split_into_runs_and_gpus(repeated: tuple[Path, Tables]) -> None:
    rows = [row for row in repeated[1].variance.rows if row["gpus"] == 2]
    energy = {row["between"]: row for row in rows if row["metric"] == "energy per token"}
    runs, gpus = energy["runs of a point"], energy["GPUs of a node"]
    assert (runs["n"], runs["degrees"], gpus["n"]) == (6, 4, 12)
    # Of both GPUs of a built run one draws 200 W and the other 300 W.
    assert gpus["scatter"] == pytest.approx(abs(math.log(1.5)) / math.sqrt(2), rel=0.1)
    assert gpus["share"] is not None
    assert energy["nodes of a run"]["reason"] == "every run was on one node"
    assert runs["boards"] == 12
    assert str(runs["sentence"]).startswith(
        "On 2 GPUs (h200) of 1 node, 6 runs of 2 points: energy per token scatters by"
    )


def test_one_gpu_a_run_says_where_its_gpus_part_is(repeated: tuple[Path, Tables]) -> None:
    rows = [row for row in repeated[1].variance.rows if row["gpus"] == 1]
    gpus = [row for row in rows if row["between"] == "GPUs of a node"]
    assert {row["reason"] for row in gpus} == {"one GPU a run: its part is in that of the runs"}


def test_one_model_of_the_grid_tells_engines_and_gpus_apart(repeated: tuple[Path, Tables]) -> None:
    told = {row["factor"]: row for row in repeated[1].mixed_model.rows}
    engine = told["engine"]
    assert isinstance(engine["multiplier"], float)
    assert 0.3 < engine["multiplier"] < 0.8
    assert engine["points"] == 4
    assert engine["n"] == 12
    assert "REML" in str(engine["method"])
    assert engine["between_runs"] is not None
    assert told["batch"]["reason"] == "the same in all: 2"
    assert "all else the same: 95 % interval" in str(engine["sentence"])


def test_factors_that_change_together_are_named_in_the_table(tmp_path: Path) -> None:
    plans = [
        plan(decode_s, engine=engine, max_gen_len=length, gpus=gpus, gpus_per_node=gpus)
        for engine, length, decode_s in (("reference", 8, 2.0), ("fast", 9, 0.8))
        for gpus in (1, 2)
    ]
    told = {row["factor"]: row for row in tables_of(tmp_path, *plans).mixed_model.rows}
    assert told["engine"]["multiplier"] is None
    assert told["engine"]["reason"] == (
        "engine and length cannot be told apart: they change together"
    )
    assert told["shards"]["multiplier"] is not None


def test_what_varies_and_is_in_no_effect_is_named(tmp_path: Path) -> None:
    plans = [
        plan(decode_s, engine=engine, seed=seed)
        for engine, decode_s in (("reference", 2.0), ("fast", 0.8))
        for seed in (1, 2)
    ]
    rows = tables_of(tmp_path, *plans).mixed_model.rows
    assert {"seed" in str(row["note"]) for row in rows} == {True}


def test_repeats_that_began_together_have_no_drift_and_say_why(
    repeated: tuple[Path, Tables],
) -> None:
    row = repeated[1].drift.rows[0]
    assert row["scope"] == "all points"
    assert (row["change"], row["reason"]) == (None, "all repeats began at the same time")
    assert len(repeated[1].drift.rows) == 5


def test_simulated_runs_are_in_models_of_their_own(tmp_path: Path) -> None:
    plans = [
        Plan(spec={"repeat": repeat, "max_gen_len": length}, decode_s=1.5 + 0.1 * repeat)
        for repeat in range(2)
        for length in (8, 9)
    ]
    tables = tables_of(tmp_path, plan(), *plans)
    for name in ("mixed_model", "variance", "drift"):
        rows = getattr(tables, name).rows
        assert [bool(row["simulated"]) for row in rows] == sorted(
            bool(row["simulated"]) for row in rows
        )
        simulated = [row for row in rows if row["simulated"]]
        assert simulated, name
        assert all("simulated" in str(row["sentence"]) for row in simulated)
    assert {row["simulated"] for row in tables.comparisons.rows} == {True}


def test_the_tables_are_the_same_bytes_when_they_are_made_again(
    repeated: tuple[Path, Tables],
) -> None:
    again = build_tables(load(repeated[0]))
    for name in TABLES:
        assert getattr(again, name).to_csv() == getattr(repeated[1], name).to_csv()


def test_no_number_of_any_table_is_nan_or_without_end(repeated: tuple[Path, Tables]) -> None:
    for name in TABLES:
        assert all(map(math.isfinite, numbers(repeated[1], name))), name
