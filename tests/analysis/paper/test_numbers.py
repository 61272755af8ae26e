"""The paper's numbers are as it printed and drew them, and where they contradict each other."""

from collections import Counter
from typing import Any

import pytest

from analysis.paper.exhibits import EXHIBITS
from analysis.paper.published import Published, hardware, minimum_hardware, published

# Reading two figures off by 2 % each.
TWO_READINGS = 0.04


def of(source: str) -> list[Published]:
    return [number for number in published() if number.source == source]


def cell(number: Published) -> tuple[Any, ...]:
    return number.datasets, number.gpus, number.batch_size


def by_cell(figure: int) -> dict[tuple[Any, ...], float]:
    return {cell(number): number.value for number in of(f"figure {figure}")}


def test_each_exhibit_has_as_many_numbers_as_the_paper() -> None:
    counts = Counter(number.source for number in published())
    assert counts == {
        **{"table III": 21, "table IV": 8, "table V": 6, "figure 2": 36, "figure 3": 12},
        **{f"figure {number}": 16 for number in range(4, 10)},
    }
    assert len(hardware()) == 16
    assert len(minimum_hardware()) == 6


def test_every_number_is_of_one_exhibit() -> None:
    told = [number for exhibit in EXHIBITS for number in exhibit.numbers]
    assert sorted(map(repr, told)) == sorted(map(repr, published()))


def test_no_cell_is_there_twice() -> None:
    cells = [
        (
            *(number.source, number.model, number.gpu, number.metric, *cell(number)),
            *(number.max_gen_lens, number.power_cap_w),
        )
        for number in published()
    ]
    assert len(cells) == len(set(cells))


def test_figures_are_digitised_and_tables_printed() -> None:
    for number in published():
        assert number.digitised == number.source.startswith("figure")


@pytest.mark.parametrize(("per_token", "per_response"), [(6, 8), (7, 9)])
@pytest.mark.parametrize(("dataset", "tokens"), [("alpaca", 331), ("gsm8k", 271)])
def test_joules_per_response_are_those_per_token_times_the_same_tokens_everywhere(
    per_token: int, per_response: int, dataset: str, tokens: int
) -> None:
    each, all_of_it = by_cell(per_token), by_cell(per_response)
    assert each.keys() == all_of_it.keys()
    told = [all_of_it[key] / each[key] for key in each if key[0] == (dataset,)]
    assert len(told) == 8
    assert told == pytest.approx([tokens] * 8, rel=TWO_READINGS)


@pytest.mark.parametrize(("watts", "per_token", "per_response"), [(4, 6, 8), (5, 7, 9)])
def test_watts_are_joules_per_token_times_the_tokens_per_second_of_the_responses(
    watts: int, per_token: int, per_response: int
) -> None:
    power, each, all_of_it = map(by_cell, (watts, per_token, per_response))
    for key, value in power.items():
        responses_per_s = value / all_of_it[key]
        tokens = {("alpaca",): 331, ("gsm8k",): 271}[key[0]]
        assert each[key] * tokens * responses_per_s == pytest.approx(value, rel=TWO_READINGS)


def changes(metric: str, cap_w: float) -> dict[int, float]:
    return {
        number.max_gen_lens[0]: number.value
        for number in of("table III")
        if number.metric == metric and number.power_cap_w == cap_w and len(number.max_gen_lens) == 1
    }


def text(metric: str, cap_w: float) -> float:
    (value,) = [
        number.value
        for number in of("table III")
        if number.metric == metric and number.power_cap_w == cap_w and len(number.max_gen_lens) > 1
    ]
    return value


@pytest.mark.parametrize("cap_w", [175.0, 150.0])
def test_table_iii_s_token_rate_is_that_of_its_time_but_for_one_cell(cap_w: float) -> None:
    rates = changes("tokens_per_s", cap_w)
    for length, time in changes("duration_s", cap_w).items():
        rate = (1 / (1 + time / 100) - 1) * 100
        # The paper prints -13.15 where its time gives -13.29.
        apart = 0.15 if (length, cap_w) == (256, 150.0) else 0.02
        assert rates[length] == pytest.approx(rate, abs=apart)


def test_the_text_s_means_are_table_iii_s_but_for_one() -> None:
    def mean(metric: str, cap_w: float) -> float:
        return sum(changes(metric, cap_w).values()) / 3

    assert text("duration_s", 175.0) == pytest.approx(mean("duration_s", 175.0), abs=0.02)
    assert text("energy_j", 175.0) == pytest.approx(mean("energy_j", 175.0), abs=0.01)
    assert mean("duration_s", 150.0) == pytest.approx(19.56, abs=0.005)
    assert text("duration_s", 150.0) == 19.49


def test_figure_3_needs_two_a100_of_13b_and_more_than_the_cap_of_7b() -> None:
    power = {
        (number.datasets[0], number.model): number.value
        for number in of("figure 3")
        if number.gpu == "a100"
    }
    assert all(power[dataset, "13b"] > 250 for dataset in ("alpaca", "gsm8k"))
    assert all(power[dataset, "7b"] > 250 for dataset in ("alpaca", "gsm8k"))
