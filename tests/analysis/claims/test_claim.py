"""The claims as data: all there, each once, nothing unknown."""

import json
from importlib import resources
from typing import Any

import pytest

from analysis.claims.claim import About, TestKind, claims, read_claim
from analysis.claims.metrics import DERIVED
from analysis.tables.conditions import CONDITIONS
from analysis.tables.point import POINT_BY_NAME
from analysis.tables.runs import RUNS

CLAIM: dict[str, Any] = {
    "id": "x",
    "where": "figure 1",
    "claim": "It is so.",
    "about": "measurement",
    "cells": [{"gpu": ["v100"]}],
    "test": {"kind": "range", "metric": "power_w", "low": 1.0},
}


def test_the_nine_contradictions_of_the_published_numbers_are_claims_too() -> None:
    own = {claim.id for claim in claims() if claim.about is About.ITSELF}
    assert own >= {
        "itself-power-per-gpu",
        "itself-cap",
        "itself-13b-gpus",
        "itself-longer-on-8-v100",
        "itself-memory-is-capacity",
        "itself-mean-of-150-w",
        "itself-speed-ups",
        "itself-tokens-beyond-the-longest",
        "itself-length-sets-the-work",
    }


def test_each_claim_says_where_it_stands_of_which_boards_it_is_and_why_its_tolerance() -> None:
    for claim in claims():
        assert claim.where
        assert claim.text.endswith(".")
        assert claim.boards
        assert claim.test is None or claim.reason, claim.id
        assert claim.test is not None or claim.equations, claim.id


def test_each_metric_and_condition_of_a_claim_is_one_that_runs_have() -> None:
    metrics = {column.name for kind in (RUNS, CONDITIONS) for column in kind.columns}
    fields = {*POINT_BY_NAME, "capped", "several_nodes"}
    for claim in claims():
        for cell in (*claim.cells, claim.in_general or {}):
            assert set(cell) <= fields, claim.id
        test = claim.test
        if test is None:
            continue
        assert test.kind is TestKind.FEASIBLE or test.metric in {*metrics, *DERIVED}, claim.id
        varied = {*(test.over or {}), *(test.under or {}), *filter(None, (test.along,))}
        assert varied <= fields, claim.id


def test_the_file_of_claims_is_read_without_evaluating_anything() -> None:
    content = json.loads(
        resources.files("analysis.claims").joinpath("claims.json").read_text(encoding="utf-8")
    )
    assert len(content["claims"]) == len(claims())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cels": []}, "did you mean cells?"),
        ({"test": {"kind": "range", "metric": "power_w"}}, "all that a range needs"),
        ({"test": {"kind": "monotone", "metric": "power_w"}}, "all that a monotone needs"),
        ({"test": {"kind": "ratio", "metric": "power_w", "low": 1}}, "all that a ratio needs"),
        ({"test": {"kind": "guess", "metric": "power_w"}}, "guess"),
        ({"test": {"kind": "range", "metrik": "power_w", "low": 1}}, "did you mean metric?"),
    ],
)
def test_a_claim_that_could_not_be_tested_as_written_is_refused(
    change: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told.replace("?", r"\?")):
        read_claim({**CLAIM, **change})
