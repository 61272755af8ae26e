"""A distilled model beside its larger one: what it saves in joules and seconds, of what size."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.audit.check import Outcome
from analysis.audit.run import audit_results
from analysis.effects.distilled import TWINS
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from analysis.tables.table import Table
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run, window_s
from workers.planning.families import find_shape

H200: Mapping[str, Any] = {"name": "NVIDIA H200", "kind": "h200"}


def plan(model: str, decode_s: float, **spec: Any) -> Plan:
    told = {"gpu": "h200", "dtype": "fp16", "engine": "transformers", "model": model, **spec}
    return Plan(spec=told, gpu=H200, decode_s=decode_s)


def table_of(results: Path, *plans: Plan) -> Table:
    for one in plans:
        build_run(results, one)
    return build_tables(load(results)).distilled_twins


def lengths(ratio: float, scatter: float, points: int) -> list[Plan]:
    """Both GPT-2s at several lengths, of which the distilled one takes so much."""
    draw = np.random.default_rng(7)
    plans = []
    for length in range(points):
        slow = plan("gpt2", 1.0 + 0.5 * length, max_gen_len=5 + length)
        whole = window_s(slow) * ratio * math.exp(draw.normal(0.0, scatter))
        decode_s = round(slow.decode_s - (window_s(slow) - whole) / 2, 1)
        plans += [slow, plan("distilgpt2", decode_s, max_gen_len=5 + length)]
    return plans


def test_what_a_distilled_model_saves_is_found_and_said(tmp_path: Path) -> None:
    (row,) = table_of(tmp_path, *lengths(0.6, 0.02, 5)).rows
    assert (row["base"], row["level"], row["pairs"], row["tests"]) == ("gpt2", "distilgpt2", 5, 2)
    for name in ("energy_ratio", "time_ratio"):
        low, ratio, high = row[f"{name}_low"], row[name], row[f"{name}_high"]
        assert isinstance(low, float)
        assert isinstance(ratio, float)
        assert isinstance(high, float)
        assert 0.5 < low < ratio < high < 0.7
        assert ratio == pytest.approx(0.6, rel=0.03)
    assert isinstance(row["energy_ratio"], float)
    assert row["energy_saved"] == pytest.approx(1.0 - row["energy_ratio"])
    for metric in ("energy_per_token_j", "time_per_token_s"):
        base, level = row[f"base_{metric}"], row[f"level_{metric}"]
        assert isinstance(base, float)
        assert isinstance(level, float)
        ratio = row["energy_ratio" if metric.startswith("energy") else "time_ratio"]
        assert level / base == pytest.approx(ratio)
    sentence = str(row["sentence"])
    assert sentence.startswith("distilgpt2, of ")
    assert " times the parameters, takes 0." in sentence
    assert "times the joules a token of gpt2 (95 % interval 0." in sentence
    assert "times the seconds (0." in sentence
    assert "over 5 pairs; of the joules p < 0.001 after Holm over 2 tests: saves 4" in sentence
    assert "random weights" in sentence


def test_the_sizes_are_those_of_the_records(tmp_path: Path) -> None:
    (row,) = table_of(tmp_path, *lengths(0.6, 0.0, 1)).rows
    assert row["base_parameters"] == 124_439_808
    assert row["level_parameters"] == 81_912_576
    assert row["parameter_ratio"] == pytest.approx(81_912_576 / 124_439_808)
    assert isinstance(row["energy_ratio"], float)
    assert row["energy_over_parameters"] == pytest.approx(
        row["energy_ratio"] / (81_912_576 / 124_439_808)
    )


def test_no_difference_is_not_called_a_saving(tmp_path: Path) -> None:
    (row,) = table_of(tmp_path, *lengths(1.0, 0.1, 4)).rows
    assert isinstance(row["energy_p_holm"], float)
    assert row["energy_p_holm"] > 0.05
    assert "no difference shown" in str(row["sentence"])


def test_one_pair_of_single_runs_has_ratios_and_no_interval(tmp_path: Path) -> None:
    (row,) = table_of(tmp_path, *lengths(0.6, 0.0, 1)).rows
    assert row["energy_ratio"] is not None
    assert row["time_ratio"] is not None
    ends = [row[name] for name in row if name.endswith(("_low", "_high", "_p_holm"))]
    assert ends == [None] * 6
    assert "too few to say more" in str(row["sentence"])
    assert row["reason"] == "one pair, one run on either side: no interval over repeats"


def test_models_that_are_no_twins_and_points_that_differ_in_more_are_no_pair(
    tmp_path: Path,
) -> None:
    others = plan("gpt2", 1.0), plan("gpt2-medium", 2.0), plan("distilgpt2", 0.5, max_gen_len=9)
    assert table_of(tmp_path, *others).rows == ()


def test_trained_weights_of_either_are_a_pair_too(tmp_path: Path) -> None:
    both = [
        plan(model, decode_s, weights=digest * 64)
        for model, decode_s, digest in (("llama-3.2-3b", 2.0, "a"), ("llama-3.2-1b", 1.0, "b"))
    ]
    (row,) = table_of(tmp_path, *both).rows
    assert (row["base"], row["level"]) == ("llama-3.2-3b", "llama-3.2-1b")


def test_the_page_has_it_and_the_audit_makes_it_again(tmp_path: Path) -> None:
    for one in lengths(0.6, 0.02, 2):
        build_run(tmp_path, one)
    page = write_report(load(tmp_path)).page.read_text()
    assert "Distilled models beside the larger ones" in page

    def outcome() -> Outcome:
        (line,) = [line for line in audit_results(tmp_path) if line.name == "report-tables"]
        return line.outcome

    assert outcome() is Outcome.PASSED
    written = tmp_path / "report" / "tables" / "distilled_twins.csv"
    assert "distilgpt2" in written.read_text()
    written.write_text(written.read_text().replace("distilgpt2", "distilgpt3", 1))
    assert outcome() is Outcome.FAILED


def test_every_twin_is_a_model_that_can_be_run() -> None:
    for smaller, larger in TWINS.items():
        assert find_shape(smaller).params < find_shape(larger).params
        assert find_shape(smaller).vocab == find_shape(larger).vocab
