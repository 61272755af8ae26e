"""Each exhibit: the paper's numbers, ours under its conditions, and why some are missing."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.figures.static import svg
from analysis.paper.answer import answer
from analysis.paper.charts import charts
from analysis.paper.exhibits import EXHIBITS, exhibit_named
from analysis.paper.point import GridPoint
from analysis.paper.published import hardware, minimum_hardware
from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from telemetry.command import CommandError
from tests.support.record_answers import PROMPT_TOKENS
from tests.support.records import Plan, build_run, window_s, work_w

# The paper's conditions but for the number of prompts.
PAPERS: dict[str, Any] = {
    **{"model": "65b", "weights": "0123abcd", "dtype": "fp16", "dataset": "alpaca"},
    **{"prompts": 2, "batch_size": 64},
}
V100: dict[str, Any] = {**PAPERS, "gpu": "v100", "gpus": 8, "gpus_per_node": 2}
A100: dict[str, Any] = {
    **{**PAPERS, "dataset": "gsm8k", "gpu": "a100", "gpus": 4, "gpus_per_node": 2},
    "power_cap_w": 250.0,
}
H200: dict[str, Any] = {**PAPERS, "gpu": "h200", "gpus": 4, "gpus_per_node": 4}
# Watts of all eight, and of rank 0's two times four nodes.
ALL_8, RANK_0 = 2 * (200 + 300 + 400 + 500), 4 * (200 + 300)
# Whole steps of the readings, so that energies are exact.
SLOWER = {250.0: 1.5, 175.0: 1.7, 150.0: 2.1}


TESLA: dict[str, Any] = {"name": "Tesla V100-SXM2-32GB", "power_limit_w": 250.0}


def v100(**more: Any) -> Plan:
    return Plan(spec={**V100, **more}, gpu=TESLA)


def busy(row: dict[str, Any]) -> dict[str, Any]:
    """Readings of utilization in the place of others."""
    told = {"gpu_temperature_c": ("gpu_utilization", 0.9)}
    told["sm_clock_mhz"] = ("memory_copy_utilization", 0.25 if row["t_us"] % 200_000 else 0.2)
    if row["field"] not in told:
        return row
    field, value = told[row["field"]]
    return {**row, "field": field, "value": value}


def built(results: Path, *plans: Plan) -> Tables:
    for plan in plans:
        build_run(results, plan)
    return build_tables(load(results))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Runs on the paper's boards and under its conditions, and on another board."""
    lengths = (256, 512, 1024)
    return built(
        tmp_path_factory.mktemp("paper"),
        *(v100(max_gen_len=length) for length in lengths),
        replace(v100(max_gen_len=512, repeat=1), decode_s=1.7),
        *(
            Plan(spec={**A100, "max_gen_len": length, "power_cap_w": cap}, decode_s=slow)
            for cap, slow in SLOWER.items()
            for length in lengths
        ),
        # Utilization of both data sets' mean.
        *(
            Plan(
                spec={**A100, "dataset": dataset, "max_gen_len": 2048},
                state=True,
                sample=busy,
            )
            for dataset in ("alpaca", "gsm8k")
        ),
        # Never the paper's: another board, and its own board by another engine.
        Plan(spec={**H200, "max_gen_len": 512}, gpu={"name": "NVIDIA H200"}),
        Plan(spec={**A100, "max_gen_len": 256, "engine": "fast"}),
    )


def rows(tables: Tables, key: str) -> list[Row]:
    return list(tables.by_name[f"paper_{key}"].rows)


def row(tables: Tables, key: str, **wanted: Any) -> Row:
    (found,) = [
        each
        for each in rows(tables, key)
        if all(each[name] == value for name, value in wanted.items())
    ]
    return found


def test_each_published_number_is_a_row_whatever_was_run(made: Tables) -> None:
    for exhibit in EXHIBITS:
        counts = {"table1": len(hardware()), "table2": len(minimum_hardware())}
        assert len(rows(made, exhibit.key)) == counts.get(exhibit.key, len(exhibit.numbers))


def test_each_row_has_ours_or_says_why_not(made: Tables) -> None:
    for exhibit in EXHIBITS:
        for each in rows(made, exhibit.key):
            ours = each.get("our_text", each["our_value"])
            assert (ours is None) == (each["reason"] is not None), (exhibit.key, each)


def test_watts_by_shards_stand_beside_the_digitised_ones(made: Tables) -> None:
    one = row(made, "figure5", gpus=8, dataset="alpaca")
    assert (one["paper_kind"], one["paper_value"]) == ("digitised", 394)
    assert one["paper_digitised"] == pytest.approx(0.02 * 394)
    assert one["our_value"] == pytest.approx(ALL_8)
    assert one["string_value"] == one["uncut_value"] == pytest.approx(RANK_0)
    assert one["ratio"] == pytest.approx(ALL_8 / 394)
    assert one["string_ratio"] == pytest.approx(RANK_0 / 394)
    assert isinstance(one["our_sensor"], float)
    half = math.hypot(one["our_sensor"] / 394, 0.02 * ALL_8 / 394)
    assert one["ratio_low"] == pytest.approx(ALL_8 / 394 - half)
    assert one["ratio_high"] == pytest.approx(ALL_8 / 394 + half)
    assert "one repeat" in str(one["remarks"])
    assert "prompts 2, paper 4096" in str(one["remarks"])


@pytest.mark.parametrize(
    ("key", "length", "published"),
    [
        *(("figure4", 512, 365), ("figure6", 512, 2.21), ("figure8", 512, 733)),
        *(("figure7", 1024, 2.3), ("figure9", 1024, 759)),
    ],
)
def test_means_over_repeats_make_the_ratio_of_each_figure_of_shards(
    made: Tables, key: str, length: int, published: float
) -> None:
    plans = [v100()] if length == 1024 else [v100(), replace(v100(), decode_s=1.7)]
    windows = [window_s(plan) for plan in plans]
    window = sum(windows) / len(windows)
    expected = {
        "figure4": ALL_8,
        "figure6": ALL_8 * window / (2 * length),
        "figure7": ALL_8 * window / (2 * length),
        "figure8": ALL_8 * window / 2,
        "figure9": ALL_8 * window / 2,
    }[key]
    one = row(made, key, gpus=8, dataset="alpaca")
    assert one["paper_value"] == published
    assert one["our_value"] == pytest.approx(expected)
    assert one["ratio"] == pytest.approx(expected / published)


def test_both_definitions_stand_in_the_row(made: Tables) -> None:
    one = row(made, "figure7", gpus=8, dataset="alpaca")
    window = window_s(v100())
    tokens = 2 * (PROMPT_TOKENS + 1024)
    assert one["our_value"] == pytest.approx(ALL_8 * window / (2 * 1024))
    assert one["string_value"] == pytest.approx(RANK_0 * window / tokens)
    assert one["uncut_value"] == pytest.approx(RANK_0 * window / tokens)


def test_repeats_give_the_interval_and_the_ratio_s(made: Tables) -> None:
    one = row(made, "figure6", gpus=8, dataset="alpaca")
    value, low, high = (one[f"our_{end}"] for end in ("value", "low", "high"))
    assert isinstance(value, float)
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert low < value < high
    read = 0.02 * value / 2.21
    assert one["ratio_low"] == pytest.approx(value / 2.21 - math.hypot((value - low) / 2.21, read))
    assert one["ratio_high"] == pytest.approx(
        value / 2.21 + math.hypot((high - value) / 2.21, read)
    )


def test_throughput_is_of_words_tokens_and_responses(made: Tables) -> None:
    window = window_s(v100())
    for metric, count in (("words_per_s", 4), ("tokens_per_s", 512), ("responses_per_s", 2)):
        one = row(made, "figure2", gpu="v100", model="65b", dataset="alpaca", metric=metric)
        assert one["our_value"] == pytest.approx(count / window)
        assert one["ratio"] == pytest.approx(count / window / float(str(one["paper_value"])))


def test_words_of_the_prompts_are_not_made_up(made: Tables) -> None:
    one = row(made, "figure2", gpu="v100", model="65b", dataset="alpaca", metric="words_per_s")
    assert (one["string_value"], one["uncut_ratio"]) == (None, None)
    assert "words of the prompts" in str(one["string_reason"])


def test_figure_3_is_the_mean_over_its_three_lengths(made: Tables) -> None:
    one = row(made, "figure3", gpu="v100", model="65b", dataset="alpaca")
    assert one["our_value"] == pytest.approx(ALL_8)
    assert (one["paper_low"], one["paper_high"]) == (360, 660)


def test_a_cap_s_change_is_told_against_250_w(made: Tables) -> None:
    base = window_s(Plan(spec=A100, decode_s=SLOWER[250.0]))
    for cap, published in ((175.0, 6.51), (150.0, 21.7)):
        window = window_s(Plan(spec=A100, decode_s=SLOWER[cap]))
        time = row(
            *(made, "table3"),
            max_gen_len="512",
            power_cap_w=cap,
            metric=f"duration_s, change in % at {cap:g} W",
        )
        assert time["our_value"] == pytest.approx((window / base - 1) * 100)
        assert time["paper_value"] == published
        assert time["ratio"] == pytest.approx((window / base - 1) * 100 / published)
        energy = row(
            *(made, "table3"),
            max_gen_len="512",
            power_cap_w=cap,
            metric=f"energy_j, change in % at {cap:g} W",
        )
        # The same power for longer.
        assert energy["our_value"] == pytest.approx((window / base - 1) * 100)
        rate = row(
            *(made, "table3"),
            max_gen_len="512",
            power_cap_w=cap,
            metric=f"tokens_per_s, change in % at {cap:g} W",
        )
        assert rate["our_value"] == pytest.approx((base / window - 1) * 100)
    mean = row(
        made,
        "table3",
        max_gen_len="256, 512, 1024",
        metric="duration_s, change in % at 175 W",
    )
    assert mean["our_value"] == pytest.approx((2.2 / 2.0 - 1) * 100)


def test_utilization_is_the_mean_of_both_data_sets(made: Tables) -> None:
    busy_share = row(made, "table4", max_gen_len="2048", metric="gpu_utilization")
    assert busy_share["our_value"] == pytest.approx(0.9)
    assert busy_share["ratio"] == pytest.approx(0.9 / 0.98)
    memory = row(made, "table4", max_gen_len="2048", metric="memory_copy_utilization_max")
    assert memory["our_value"] == pytest.approx(0.25)
    assert memory["ratio"] == pytest.approx(0.25 / 0.27)


def test_one_data_set_is_not_the_mean_of_both(made: Tables) -> None:
    one = row(made, "table5", gpus=8, metric="gpu_utilization")
    assert one["our_value"] is None
    assert str(one["reason"]).startswith("no run over gsm8k; nearest 65b-")
    assert ", prompts 2, paper 4096" in str(one["reason"]).partition("nearest")[2]


def test_the_nodes_are_as_their_watchers_told(made: Tables) -> None:
    cpu = row(made, "table1", gpu="v100", item="CPU")
    assert (cpu["our_text"], cpu["paper_text"]) == ("A CPU", "Xeon Gold 6248")
    limit = row(made, "table1", gpu="v100", item="power limit of a GPU")
    assert (limit["our_value"], limit["ratio"]) == (250, 1)
    tdp = row(made, "table1", gpu="v100", item="TDP of a CPU")
    assert "not on record" in str(tdp["reason"])


def test_the_least_hardware_has_the_largest_batch_that_ran(made: Tables) -> None:
    assert row(made, "table2", model="65b", gpu="a100")["ratio"] == 0.5
    assert row(made, "table2", model="65b", gpu="v100")["our_value"] == 64
    seven = row(made, "table2", model="7b", gpu="v100")
    assert str(seven["reason"]).startswith("no run of 7b on V100; nearest")


def test_another_board_or_engine_has_a_column_of_its_own_and_no_ratio(made: Tables) -> None:
    table = made.by_name["paper_figure4"]
    assert "h200_reference" not in {column.name for column in table.columns}
    beside = [one for one in made.by_name["paper_beyond"].rows if one["exhibit"] == "Figure 4"]
    watts = pytest.approx(sum(map(work_w, range(4))))
    told = {str(one["series"]): (one["dataset"], one["gpus"], one["value"]) for one in beside}
    expected: dict[str, Any] = {
        "H200 reference": ("alpaca", 4, watts),
        "A100 reference": ("gsm8k", 4, watts),
        "A100 reference, cap 175 W": ("gsm8k", 4, watts),
        "A100 reference, cap 150 W": ("gsm8k", 4, watts),
    }
    assert told == expected
    fast = row(made, "figure2", gpu="a100", model="65b", dataset="gsm8k", metric="tokens_per_s")
    assert fast["a100_fast"] == pytest.approx(2 * 256 / 2.0)
    assert fast["a100_fast_gpus"] == 4
    assert "a100_fast_ratio" not in fast


def test_a_mean_over_what_is_there_alone_says_so_in_its_name(made: Tables) -> None:
    # H200 ran at 512 tokens, over Alpaca.
    watts = pytest.approx(sum(map(work_w, range(4))))
    for gpu in ("a100", "v100"):
        one = row(made, "figure3", gpu=gpu, model="65b", dataset="alpaca")
        assert one["h200_reference_512_tokens_alone"] == watts
        assert one["h200_reference_512_tokens_alone_gpus"] == 4
        assert "h200_reference" not in one
    # V100 ran over Alpaca: where the paper has the mean of both data sets it is not the paper's.
    assert row(made, "table5", gpus=8, metric="gpu_utilization")["our_value"] is None


def test_every_exhibit_with_numbers_has_a_picture_of_the_paper_and_ours(made: Tables) -> None:
    for chart in charts(made):
        assert chart.number is not None
        if chart.key in ("paper-table1", "paper-table2"):
            assert chart.reason
            continue
        named = {one.name for panel in chart.panels for one in panel.series}
        assert any(name.startswith("paper") for name in named)
        marks = [mark for mark in chart.marks() if mark.axes["whose"] == "ours"]
        assert bool(marks) == any(
            one["our_value"] is not None for one in rows(made, chart.key.removeprefix("paper-"))
        )
    (figure,) = [chart for chart in charts(made) if chart.key == "paper-figure6"]
    drawn = svg(figure)
    assert drawn is not None
    assert "H200 reference, batch 64" in drawn


REASONS: list[tuple[dict[str, Any], str]] = [
    ({"gpu": "h200"}, "no run on V100"),
    ({"gpu": "simulated-v100", "gpus": 2}, "no run on V100"),
    ({"model": "7b"}, "no run of 65b on V100"),
    ({"gpus": 4}, "no run of 65b on 8 GPUs"),
    ({"dataset": "alpaca-sample"}, "no run over alpaca"),
    ({"max_gen_len": 256}, "no run of 512 tokens at most"),
    ({"batch_size": 32}, "no run at batch 64"),
    ({"engine": "fast"}, "no run by engine reference"),
    ({"weights": "random"}, "no trained weights"),
    ({"dtype": "bf16"}, "no run in fp16"),
    ({"power_cap_w": 200.0}, "no power cap of 250 W"),
    ({"temperature": 0.0}, "no run at temperature 0.8 and top p 0.95"),
    ({"ignore_eos": True}, "no run whose answers end where they end"),
]


@pytest.fixture(scope="module")
def point(tmp_path_factory: pytest.TempPathFactory) -> GridPoint:
    """A point of ours that is the paper's."""
    loaded = load(build_run(tmp_path_factory.mktemp("one"), v100(max_gen_len=512)).results)
    (group,) = build_tables(loaded).groups.rows
    return GridPoint(row=group, runs=loaded.runs)


@pytest.mark.parametrize(("other", "says"), REASONS)
def test_the_first_condition_that_no_run_meets_is_named_with_the_nearest_run(
    point: GridPoint, other: dict[str, Any], says: str
) -> None:
    number = exhibit_named(("figure", "6")).numbers[0]
    simulated = str(other.get("gpu")).startswith("simulated")
    differs = replace(point, row={**point.row, **other, "simulated": simulated})
    assert answer(number, [point], any_gpus=False).ours is not None
    told = answer(number, [differs], any_gpus=False)
    assert (told.ours, told.ratio("our")) == (None, None)
    assert told.reasons["our"].startswith(f"{says}; nearest {point.runs[0].run_id}: ")


def test_a_v100_whose_own_limit_is_not_the_paper_s_is_not_under_its_cap(tmp_path: Path) -> None:
    tables = built(tmp_path, replace(v100(max_gen_len=512), gpu={**TESLA, "power_limit_w": 300.0}))
    one = row(tables, "figure6", gpus=8, batch_size=64, dataset="alpaca")
    assert str(one["reason"]).startswith("no power cap of 250 W")
    assert "no power cap" in str(one["reason"]).partition("nearest")[2]


def test_a_board_that_its_driver_calls_otherwise_is_never_the_paper_s(tmp_path: Path) -> None:
    lie = replace(v100(max_gen_len=512), gpu={**TESLA, "name": "NVIDIA H200"})
    tables = built(tmp_path, lie)
    one = row(tables, "figure6", gpus=8, batch_size=64, dataset="alpaca")
    assert (one["our_value"], one["ratio"]) == (None, None)
    assert str(one["reason"]).startswith("no run whose driver calls its GPUs V100; nearest")
    assert one["v100_reference_boards_not_as_named"] is not None
    assert row(tables, "table2", model="65b", gpu="v100")["our_value"] is None
    assert not tables.comparison.rows


def test_a_simulated_board_is_in_no_column(tmp_path: Path) -> None:
    tables = built(
        tmp_path,
        Plan(spec={**V100, "gpu": "simulated-v100", "gpus": 2, "max_gen_len": 512}),
    )
    table = tables.by_name["paper_figure2"]
    assert {column.name for column in table.columns} == {
        column.name for column in table.kind.columns
    }
    assert not tables.by_name["paper_beyond"].rows


@pytest.mark.parametrize(
    ("words", "key"),
    [
        *((("figure", "6"), "figure6"), (("table", "3"), "table3"), (("table", "III"), "table3")),
        *((("table", "iv"), "table4"), (("figure", "09"), "figure9")),
    ],
)
def test_an_exhibit_is_found_by_its_number(words: tuple[str, ...], key: str) -> None:
    assert exhibit_named(words).key == key


@pytest.mark.parametrize(
    "words",
    [
        *(("figure", "1"), ("figure", "12"), ("figure", "x"), ("figure", "VI"), ("figure",)),
        *(("table", "6"), ("table", "0"), ("table", "VI"), ("table", "3", "4")),
    ],
)
def test_a_number_that_the_paper_has_not_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=f"`{words[0]}` must be a number from"):
        exhibit_named(words)


def test_a_change_is_told_over_no_board_that_its_driver_calls_otherwise(tmp_path: Path) -> None:
    lie = Plan(spec={**A100, "max_gen_len": 512}, gpu={"name": "NVIDIA H200"})
    tables = built(tmp_path, lie, Plan(spec={**A100, "max_gen_len": 512, "power_cap_w": 175.0}))
    for metric in ("duration_s", "energy_j", "tokens_per_s"):
        one = row(
            *(tables, "table3"),
            max_gen_len="512",
            power_cap_w=175.0,
            metric=f"{metric}, change in % at 175 W",
        )
        assert (one["our_value"], one["ratio"]) == (None, None)
        assert "no run that is the same under the 250 W cap" in str(one["reason"])


def test_a_cap_that_was_asked_for_and_not_in_force_is_not_the_paper_s(tmp_path: Path) -> None:
    other = {**TESLA, "power_limit_w": 300.0}
    lie = replace(v100(max_gen_len=512, power_cap_w=250.0), gpu=other)
    one = row(built(tmp_path, lie), "figure6", gpus=8, batch_size=64, dataset="alpaca")
    assert (one["our_value"], one["ratio"]) == (None, None)
    assert str(one["reason"]).startswith("no power cap of 250 W")
