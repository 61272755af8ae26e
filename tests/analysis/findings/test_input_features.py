"""What prompts are like against the energy of their answers, corrected for so many tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from analysis.findings.complexity_fit import PromptFamily
from analysis.findings.input_features import (
    ENTITIES,
    FEATURES,
    NO_ENTITIES,
    FeatureRow,
    family_rows,
)
from analysis.findings.prompt_texts import prompt_texts
from analysis.runs.sealed_runs import open_run
from analysis.tables.column import Row
from tests.analysis.findings.built import H200, REAL, tables_of
from tests.support.records import Plan, build_run

READABLE = "readability of a prompt"


def family(count: int = 24, readable_j: float = 0.0, **same: Any) -> PromptFamily:
    """Batches of 8 answers whose energy follows tokens and, by `readable_j`, readability."""
    generator = np.random.default_rng(4)
    rows: list[Row] = []
    for number in range(count):
        prompt, generated = (int(generator.integers(200, 900)) for _ in range(2))
        grade = float(generator.uniform(2, 12))
        noise = float(generator.normal(0, 3))
        rows.append(
            {
                **{"run_id": f"run-{number % 3}", "batches": 1, "responses": 8},
                **{"prompt_tokens": prompt, "generated_tokens": generated},
                "prompt_words": prompt - int(generator.integers(10, 100)),
                "prompt_entropy_bits": float(generator.uniform(4.0, 4.6)),
                "prompt_readability": grade,
                "energy_j": 40 + 0.05 * prompt + 0.3 * generated + readable_j * grade + noise,
                **{"prefill_energy_j": None, "decode_energy_j": None},
                **{"prefill_reason": "too short", "decode_reason": "too short"},
                **{"energy_reason": None, "text_reason": None, "readability_reason": None},
                **{"simulated": True, "random_weights": True, "dataset": "gsm8k"},
                **same,
            }
        )
    return PromptFamily(rows=tuple(rows))


def by_feature(rows: list[FeatureRow]) -> dict[str, FeatureRow]:
    return {one.feature: one for one in rows if one.fitted.outcome == "energy_j"}


def test_a_feature_that_costs_is_found_after_lengths_and_one_that_does_not_is_not() -> None:
    rows = by_feature(family_rows(family(readable_j=15.0)))
    slope = rows[READABLE].slope
    assert slope is not None
    assert slope.low < 15.0 < slope.high
    readable = rows[READABLE].holm_of[1]
    assert readable is not None
    assert readable < 0.001
    entropy = rows["entropy of a prompt's bytes"]
    assert entropy.holm_of[1] is not None
    assert entropy.holm_of[1] > 0.05
    assert "is not shown to go with" in str(entropy.sentence)
    assert str(entropy.sentence).endswith("[simulated, random weights].")


def test_all_tests_of_a_family_are_corrected_together() -> None:
    rows = family_rows(family())
    raw = [p for one in rows for p in one.ps if p is not None]
    told = [p for one in rows for p in one.holm_of if p is not None]
    assert len(raw) == rows[0].tests
    assert len(raw) >= 6
    assert told == pytest.approx(multipletests(raw, method="holm")[1].tolist())


def test_named_entities_have_a_reason_and_no_number() -> None:
    row = by_feature(family_rows(family()))[ENTITIES]
    assert row.spearman == row.slope_reason == NO_ENTITIES
    assert row.slope is None
    assert row.holm_of == (None, None)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (family(9), "9 stretches of batches are too few: 10 are needed"),
        (family(prompt_readability=3.0), "the feature is the same in all"),
        (
            family(prompt_readability=None, readability_reason="textstat is not installed"),
            "textstat is not installed",
        ),
    ],
)
def test_what_cannot_be_told_says_why(made: PromptFamily, said: str) -> None:
    row = by_feature(family_rows(made))[READABLE]
    assert row.spearman == said
    assert row.holm_of[0] is None
    assert row.sentence is None


def test_a_built_run_has_a_row_for_each_feature(tmp_path: Path) -> None:
    rows = tables_of(tmp_path, Plan(spec=REAL, gpu=H200)).input_features.rows
    own = [row for row in rows if row["outcome"] == "energy_j"]
    assert [row["feature"] for row in own] == list(FEATURES)
    assert all(row["rho"] is None and row["reason"] for row in own)


def test_words_and_readability_are_of_the_prompts_on_record(tmp_path: Path) -> None:
    (row, *_) = tables_of(tmp_path, Plan(spec=REAL, gpu=H200)).complexity.rows
    assert row["prompt_words"] == 2 * 2
    # By hand, of `prompt 0`: 4.71 x 7 letters / 2 words + 0.5 x 2 words - 21.43.
    assert row["prompt_readability"] == pytest.approx(4.71 * 3.5 + 0.5 * 2 - 21.43, abs=0.3)


def test_a_prompts_file_of_other_prompts_is_not_taken(tmp_path: Path) -> None:
    run = open_run(build_run(tmp_path, Plan()))
    assert run is not None
    assert not isinstance(prompt_texts(run), str)
    (path,) = (tmp_path / "prompts").iterdir()
    path.write_bytes(path.read_bytes().replace(b"prompt 0", b"prompt 9"))
    assert prompt_texts(run) == "the prompts file is not the one that launch.json names"
