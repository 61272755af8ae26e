"""How a scatter is shared among runs, nodes and GPUs: planted parts, thin designs, a textbook."""

import math

import numpy as np
import pytest

from analysis.statistics.components import LEVELS, Component, NestedReading, components


def readings(
    *,
    points: int,
    repeats: int,
    nodes: int,
    gpus: int,
    deviations: tuple[float, float, float],
    seed: int = 1,
) -> list[NestedReading]:
    draw = np.random.default_rng(seed)
    made = []
    for point in range(points):
        for run in range(repeats):
            of_run = draw.normal(0.0, deviations[0])
            for node in range(nodes):
                of_node = draw.normal(0.0, deviations[1])
                made += [
                    NestedReading(
                        point=f"p{point}",
                        run=f"r{run}",
                        node=f"n{node}",
                        value=2.0 * point + of_run + of_node + draw.normal(0.0, deviations[2]),
                    )
                    for _ in range(gpus)
                ]
    return made


def by_level(found: tuple[Component, ...]) -> dict[str, Component]:
    return {one.level: one for one in found}


def test_a_textbook_s_one_way_layout_is_split_as_it_has_it() -> None:
    # D. C. Montgomery, Design and analysis of experiments, example 3.11: four looms of one plant.
    looms = ((98, 97, 99, 96), (91, 90, 93, 92), (96, 95, 97, 95), (95, 96, 99, 98))
    rows = [
        NestedReading(point="strength", run=f"loom {index}", node="", value=float(value))
        for index, loom in enumerate(looms)
        for value in loom
    ]
    found = by_level(components(rows))
    assert (found["runs"].deviation or 0) ** 2 == pytest.approx(6.96, abs=0.01)
    assert (found["gpus"].deviation or 0) ** 2 == pytest.approx(1.90, abs=0.01)
    # Its interval of the looms' share: 0.385 to 0.982.
    assert found["runs"].share == pytest.approx(6.96 / 8.86, abs=1e-3)
    assert found["runs"].share_low == pytest.approx(0.385, abs=0.02)
    assert found["runs"].share_high == pytest.approx(0.982, abs=0.02)
    assert found["runs"].method == "REML"


def test_planted_parts_of_all_three_levels_are_found() -> None:
    planted = (0.02, 0.01, 0.005)
    rows = readings(points=6, repeats=6, nodes=3, gpus=4, deviations=planted)
    for one, truth in zip(components(rows), planted, strict=True):
        assert one.low is not None
        assert one.high is not None
        assert one.low < truth < one.high
    assert sum(one.share or 0 for one in components(rows)) == pytest.approx(1.0)


def test_many_readings_are_split_by_mean_squares_and_agree_with_reml() -> None:
    rows = readings(points=3, repeats=4, nodes=2, gpus=4, deviations=(0.02, 0.01, 0.005))
    few, many = components(rows), components([*rows, *_moved(rows, "q")])
    assert {one.method for one in few} == {"REML"}
    assert {one.method for one in many} == {"mean squares, as more than 120 readings"}
    # The same runs twice, of other points: the same mean squares.
    for one, other in zip(few, many, strict=True):
        assert one.deviation == pytest.approx(other.deviation, rel=1e-2)


def _moved(rows: list[NestedReading], name: str) -> list[NestedReading]:
    return [
        NestedReading(point=one.point + name, run=one.run, node=one.node, value=one.value + 5.0)
        for one in rows
    ]


def test_a_part_that_is_not_there_is_nought() -> None:
    rows = readings(points=4, repeats=6, nodes=1, gpus=4, deviations=(0.0, 0.0, 0.01), seed=8)
    runs = by_level(components(rows))["runs"]
    assert runs.share is not None
    assert runs.share < 0.2
    assert runs.low == 0.0


def test_one_gpu_a_run_has_runs_alone_and_says_so() -> None:
    rows = readings(points=3, repeats=3, nodes=1, gpus=1, deviations=(0.02, 0.0, 0.0))
    found = by_level(components(rows))
    assert found["runs"].deviation is not None
    assert found["runs"].low is not None
    assert found["runs"].share is None
    assert found["runs"].reason == ("no share of the whole: nothing else can be told apart from it")
    assert found["nodes"].reason == "every run was on one node"
    assert found["gpus"].reason == "one GPU a run: its part is in that of the runs"


def test_runs_without_a_repeat_tell_their_gpus_and_no_share_of_the_whole() -> None:
    rows = readings(points=4, repeats=1, nodes=1, gpus=4, deviations=(0.02, 0.0, 0.01))
    found = by_level(components(rows))
    assert (found["runs"].deviation, found["runs"].reason) == (
        None,
        "no point was run more than once",
    )
    assert found["gpus"].deviation == pytest.approx(0.01, rel=0.5)
    assert found["gpus"].share is None
    assert found["gpus"].reason == "no share of the whole: no point was run more than once"


def test_runs_that_lack_a_gpu_are_split_by_reml_without_an_interval() -> None:
    rows = readings(points=3, repeats=4, nodes=1, gpus=4, deviations=(0.02, 0.0, 0.005))[:-1]
    runs = by_level(components(rows))["runs"]
    assert runs.method == "REML"
    assert (runs.low, runs.share_low) == (None, None)
    assert str(runs.reason).startswith("no interval: runs have different numbers")


def test_single_runs_that_lack_a_gpu_tell_the_scatter_of_the_others() -> None:
    rows = readings(points=2, repeats=1, nodes=1, gpus=4, deviations=(0.02, 0.0, 0.01))[:-1]
    gpus = by_level(components(rows))["gpus"]
    assert gpus.degrees == 5
    assert gpus.low is not None
    assert gpus.deviation is not None
    assert gpus.low < gpus.deviation


def test_one_run_tells_nothing_of_runs_and_its_two_gpus_tell_themselves() -> None:
    rows = readings(points=1, repeats=1, nodes=1, gpus=2, deviations=(0.02, 0.0, 0.005))
    found = by_level(components(rows))
    assert found["runs"].deviation is None
    assert found["gpus"].degrees == 1
    alone = components(rows[:1])
    assert [one.deviation for one in alone] == [None] * len(LEVELS)
    assert all(one.reason for one in alone)


def test_runs_that_are_all_alike_have_no_share_and_no_number_that_is_none() -> None:
    rows = [
        NestedReading(point="p", run=f"r{run}", node="n", value=1.0)
        for run in range(3)
        for _ in "ab"
    ]
    for one in components(rows):
        numbers = (one.deviation, one.low, one.high, one.share, one.share_low, one.share_high)
        assert not any(number is not None and math.isnan(number) for number in numbers)


def test_the_order_of_the_readings_moves_no_digit() -> None:
    rows = readings(points=3, repeats=3, nodes=2, gpus=2, deviations=(0.02, 0.01, 0.005))
    shuffled = [rows[index] for index in np.random.default_rng(2).permutation(len(rows))]
    assert components(rows) == components(shuffled)


def test_the_intervals_hold_the_true_share_in_at_least_93_of_100() -> None:
    # Unequal mean squares of six runs: theory says 95 for the interval of an exact F.
    held = 0
    times = 150
    for seed in range(times):
        rows = readings(
            points=4, repeats=9, nodes=1, gpus=4, deviations=(0.01, 0.0, 0.01), seed=seed
        )
        share = components(rows)[0]
        assert share.share_low is not None
        assert share.share_high is not None
        held += share.share_low <= 0.5 <= share.share_high
    assert held / times > 0.95 - 4 * math.sqrt(0.95 * 0.05 / times)


def test_no_reading_is_refused() -> None:
    with pytest.raises(ValueError, match="`readings` must be numbers, at least one"):
        components([])
