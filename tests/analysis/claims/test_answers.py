"""The table of claims of sealed runs: whose verdict it is, and why there is none."""

from pathlib import Path

import pytest

from analysis.claims.summary import claim_lines
from analysis.tables.column import Row
from tests.analysis.claims.conftest import claims_table, fill
from tests.support.recordings import FOLDER, unpack
from tests.support.records import Plan, build_run

SHARDS = "energy-per-token-grows-with-shards"
PAPER, GENERAL = "the paper's conditions", "in general"
TWO = {"gpus": 2, "gpus_per_node": 2}


Rows = dict[tuple[str, str, str], Row]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """One and two GPUs: an H200, and what was asked for as an H100 and its driver calls A100."""
    results = tmp_path_factory.mktemp("claims")
    for spec in ({}, TWO):
        fill(results, spec=spec)
        for repeat in range(2):
            build_run(results, Plan(spec={**spec, "gpu": "h100", "repeat": repeat}))
    return claims_table(results)


def test_runs_on_another_board_have_a_verdict_of_their_own_and_never_the_paper_s(
    rows: Rows,
) -> None:
    own = rows[SHARDS, GENERAL, "h200"]
    # 200 W on one GPU, 200 W and 300 W on two.
    assert own["verdict"] == "reproduced"
    assert str(own["evidence"]).startswith("nano, gsm8k-sample, h200, batch 2, 8 tokens")
    assert own["labels"] == (
        "random weights, another board than the paper's, throttling not recorded"
    )
    paper = rows[SHARDS, PAPER, "v100"]
    assert (paper["verdict"], paper["evidence"]) == ("cannot tell", "no sealed run on v100")


def test_simulated_runs_decide_nothing(tmp_path: Path) -> None:
    for spec in ({}, TWO):
        fill(tmp_path, spec={**spec, "gpu": "simulated-v100"}, repeats=1)
    rows = claims_table(tmp_path)
    assert not [key for key in rows if key[1] == GENERAL]
    assert rows[SHARDS, PAPER, "v100"]["evidence"] == (
        "no sealed run on v100: simulated ones are no measurement"
    )


def test_runs_on_the_paper_s_board_must_have_its_other_conditions_too(tmp_path: Path) -> None:
    point = {"gpu": "v100", "model": "65b", "batch_size": 64, "max_gen_len": 512}
    spec = {**point, "dataset": "alpaca-0123abcd", "gpus": 8, "gpus_per_node": 2}
    fill(tmp_path, spec=spec, repeats=1, steps=False)
    told = str(claims_table(tmp_path)[SHARDS, PAPER, "v100"]["evidence"])
    assert told.startswith("runs differ from the paper's in prompts 4 (paper 4096)")
    assert "random weights (paper the released ones)" in told
    # A board whose own limit is 250 W needs no cap.
    assert "power limit" not in told


def test_a_board_that_its_driver_calls_something_else_decides_nothing(rows: Rows) -> None:
    lie = rows[SHARDS, GENERAL, "h100 (by its spec alone)"]
    assert (lie["verdict"], lie["evidence"]) == (
        "cannot tell",
        "the driver calls these boards something else",
    )


def test_one_run_a_point_is_not_enough(tmp_path: Path) -> None:
    fill(tmp_path, repeats=1)
    fill(tmp_path, spec=TWO, repeats=1)
    row = claims_table(tmp_path)[SHARDS, GENERAL, "h200"]
    assert row["verdict"] == "cannot tell"
    assert str(row["evidence"]).endswith("one run on a side: no interval over repeats")


def test_the_terminal_counts_verdicts_by_whose_they_are(rows: Rows) -> None:
    first, *boards, own = claim_lines(tuple(rows.values()))
    told = [line for line in boards if line.startswith("claims on h200,")]
    assert first == "claims: 0 reproduced, 0 not, 50 cannot tell under the paper's conditions"
    assert told == [
        "claims on h200, engine reference, random weights, another board than the paper's, "
        "throttling not recorded: 6 reproduced, 1 not, 0 cannot tell in general"
    ]
    assert own == (
        "claims by the paper's own numbers: 23 agree, 21 contradict, 0 cannot tell; 12 of the "
        "contradictions lie between its numbers alone"
    )


def test_recorded_runs_on_h200_give_answers_of_their_own(tmp_path: Path) -> None:
    for name in ("13b", "65b"):
        for archive in sorted((FOLDER / "gsm8k").glob(f"{name}-gsm8k*g2-b64-*.tar.xz")):
            unpack(archive, tmp_path)
    rows = claims_table(tmp_path)
    row = rows["power-is-energy-over-time", GENERAL, "h200"]
    assert row["verdict"] == "reproduced"
    # Each point was run once.
    assert rows["itself-power-per-gpu", GENERAL, "h200"]["verdict"] == "cannot tell"


def test_a_locked_clock_and_a_cap_that_was_not_in_force_are_not_the_paper_s(
    tmp_path: Path,
) -> None:
    point = {"gpu": "v100", "model": "65b", "batch_size": 64, "max_gen_len": 512}
    spec = {**point, "dataset": "alpaca-0123abcd", "gpus": 8, "gpus_per_node": 2}
    paper = {"weights": "0123abcd", "dtype": "fp16", "temperature": 0.8, "top_p": 0.95}
    asked = {"sm_clock_mhz": 1200, "power_cap_w": 300.0}
    fill(tmp_path, spec={**spec, **paper, **asked}, repeats=1, steps=False)
    told = str(claims_table(tmp_path)[SHARDS, PAPER, "v100"]["evidence"])
    assert "clock 1200 MHz (paper none asked for)" in told
    assert "a cap of 300 W that was not in force" in told
