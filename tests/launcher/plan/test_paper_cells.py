"""The grids that are shipped hold every cell of arXiv 2310.03003, by the exhibits' own names."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest

from analysis.paper.exhibits import EXHIBITS
from analysis.paper.published import hardware, minimum_hardware, paper_conditions
from launcher.config.command_line import read_points
from launcher.config.listing import group_options
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.grids

# What a V100's own limit is; there the grids ask for no cap.
OWN_LIMIT_W = {"v100": 250}


def content(experiment: str) -> str:
    """What a grid's file asks for, whatever it is called and says of itself."""
    lines = (REPOSITORY / "conf" / "experiment" / f"{experiment}.yaml").read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith(("#", "name:")))


def points(experiment: str) -> list[Mapping[str, Any]]:
    return [dict(point.config) for point in read_points([f"experiment={experiment}"])]


def work(point: Mapping[str, Any]) -> tuple[Any, ...]:
    gpu = point["cluster"]["gpu"]
    cap = point["power_cap_w"] or OWN_LIMIT_W.get(gpu)
    return (
        *(point["model"]["name"], gpu, point["gpus"], point["dataset"]["name"]),
        *(point["batch_size"], point["max_gen_len"], cap),
    )


@pytest.fixture(scope="module")
def grids() -> dict[str, list[Mapping[str, Any]]]:
    """The points of each exhibit's grid, by its key."""
    # Figures 4, 6 and 8 are three readings of one grid.
    asked = {content(exhibit.experiment): exhibit.experiment for exhibit in EXHIBITS}
    told = {text: points(experiment) for text, experiment in asked.items()}
    return {exhibit.key: told[content(exhibit.experiment)] for exhibit in EXHIBITS}


def test_each_exhibit_has_a_grid(grids: dict[str, list[Mapping[str, Any]]]) -> None:
    assert {exhibit.experiment for exhibit in EXHIBITS} <= set(group_options("experiment"))
    assert set(grids) == {
        *(f"table{number}" for number in range(1, 6)),
        *(f"figure{number}" for number in range(2, 10)),
    }


def test_cells_of_the_paper_covered_by_shipped_experiments_all(
    grids: dict[str, list[Mapping[str, Any]]],
) -> None:
    missing, cells = [], 0
    for exhibit in EXHIBITS:
        there = {work(point) for point in grids[exhibit.key]}
        for number in exhibit.numbers:
            caps = {number.power_cap_w, number.against_power_cap_w or number.power_cap_w}
            parts = product(number.datasets, number.max_gen_lens, caps)
            needed = {
                (number.model, number.gpu, number.gpus, dataset, number.batch_size, length, cap)
                for dataset, length, cap in parts
            }
            cells += 1
            missing += sorted(needed - there)
    assert not missing
    assert cells == 179


def test_table_ii_s_batches_and_the_next_are_asked_for_on_its_hardware(
    grids: dict[str, list[Mapping[str, Any]]],
) -> None:
    there = {work(point) for point in grids["table2"]}
    for row in minimum_hardware():
        for batch in (row.max_batch, 2 * row.max_batch):
            assert (row.model, row.gpu, row.gpus, "gsm8k", batch, 256, 250) in there


def test_table_i_s_nodes_are_both_run_on(grids: dict[str, list[Mapping[str, Any]]]) -> None:
    assert {point["cluster"]["gpu"] for point in grids["table1"]} == {
        entry.gpu for entry in hardware()
    }


def test_what_holds_for_all_of_the_paper_s_runs_holds_in_its_grids(
    grids: dict[str, list[Mapping[str, Any]]],
) -> None:
    said = paper_conditions()
    for key, grid in grids.items():
        for point in grid:
            for name in ("temperature", "top_p"):
                assert point[name] == said[name]
            assert point["prompts"] == said["prompts"] or key == "table1"
            assert (point["dtype"], point["ignore_eos"]) == ("fp16", False)
            assert point["engine"]["name"] in ("auto", "reference")
