"""Runs of another paper's models or tasks are no proof of this paper's claims."""

from pathlib import Path

import pytest

from tests.analysis.claims.conftest import claims_table, fill

GENERAL = "in general"
TWO = {"gpus": 2, "gpus_per_node": 2}


@pytest.mark.parametrize(
    "other", [{"model": "llama-3.2-1b"}, {"model": "gpt2"}, {"dataset": "squad-0123abcd"}]
)
def test_runs_of_another_paper_s_work_decide_no_claim(
    other: dict[str, str], tmp_path: Path
) -> None:
    for spec in ({}, TWO):
        fill(tmp_path, spec={**spec, **other}, repeats=2, steps=False)
    assert not [key for key in claims_table(tmp_path) if key[1] == GENERAL]


def test_the_paper_s_own_architecture_decides_in_general(tmp_path: Path) -> None:
    for spec in ({}, TWO):
        fill(tmp_path, spec=spec, repeats=2)
    assert [key for key in claims_table(tmp_path) if key[1] == GENERAL]
