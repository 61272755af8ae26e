"""The table of claims of sealed runs: whose verdict it is, and why there is none."""

from pathlib import Path

from analysis.claims.summary import claim_lines
from analysis.runs.sealed_runs import load
from analysis.workbook.build import build_tables
from tests.analysis.claims.conftest import claims_table, fill
from tests.support.recordings import FOLDER, unpack

SHARDS = "energy-per-token-grows-with-shards"
PAPER, GENERAL = "the paper's conditions", "in general"
TWO = {"gpus": 2, "gpus_per_node": 2}


def test_runs_on_another_board_have_a_verdict_of_their_own_and_never_the_paper_s(
    tmp_path: Path,
) -> None:
    fill(tmp_path)
    fill(tmp_path, spec=TWO)
    rows = claims_table(tmp_path)
    own = rows[SHARDS, GENERAL, "h200"]
    # 200 W on one GPU, 200 W and 300 W on two.
    assert own["verdict"] == "reproduced"
    assert str(own["evidence"]).startswith("nano, gsm8k-sample, h200, batch 2, 8 tokens")
    assert own["labels"] == "random weights"
    paper = rows[SHARDS, PAPER, "v100"]
    assert (paper["verdict"], paper["evidence"]) == ("cannot tell", "no sealed run on v100")


def test_simulated_runs_decide_nothing(tmp_path: Path) -> None:
    for spec in ({}, TWO):
        fill(tmp_path, spec={**spec, "gpu": "simulated-v100"})
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
    # A V100's own limit is the paper's cap.
    assert "power cap" not in told


def test_one_run_a_point_is_not_enough(tmp_path: Path) -> None:
    fill(tmp_path, repeats=1)
    fill(tmp_path, spec=TWO, repeats=1)
    row = claims_table(tmp_path)[SHARDS, GENERAL, "h200"]
    assert row["verdict"] == "cannot tell"
    assert str(row["evidence"]).endswith("one run on a side: no interval over repeats")


def test_the_terminal_counts_verdicts_by_whose_they_are(tmp_path: Path) -> None:
    fill(tmp_path)
    fill(tmp_path, spec=TWO)
    first, board, own = claim_lines(build_tables(load(tmp_path)).claims.rows)
    assert first == "claims: 0 reproduced, 0 not, 50 cannot tell under the paper's conditions"
    assert board.startswith("claims on h200, engine reference, random weights: 6 reproduced, ")
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
