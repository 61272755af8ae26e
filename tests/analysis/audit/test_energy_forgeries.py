"""What falsified energies do, and that no check of energies fails an honest run."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from analysis.audit.check import Case, Outcome
from analysis.audit.energy_checks import ENERGY_CHECKS
from analysis.audit.power_checks import POWER_CHECKS
from analysis.audit.witness_checks import WITNESS_CHECKS
from telemetry.record.paths import RunPaths, list_runs
from telemetry.record.seal import verify_seal
from tests.analysis.audit.corpus.energies import all_times, falsified, samples
from tests.analysis.audit.forging import copy
from tests.support.forgeries import sealed_attempt, values_changed
from tests.support.recordings import FOLDER, SUFFIX, unpack


def findings(run: RunPaths) -> dict[str, tuple[Outcome, str]]:
    """What the checks of energies see, by name."""
    case = Case(run)
    checks = (*ENERGY_CHECKS, *WITNESS_CHECKS, *POWER_CHECKS)
    seen = {check.name: check.look(case) for check in checks}
    return {name: (finding.outcome, finding.evidence) for name, finding in seen.items()}


def test_a_forged_record_is_sealed_anew_and_whole(base: RunPaths, tmp_path: Path) -> None:
    run = falsified(*all_times(0.8))(copy(base, tmp_path))
    assert verify_seal(run, sealed_attempt(run)) == []
    tables = [sealed_attempt(one).table("samples").read_bytes() for one in (base, run)]
    assert tables[0] != tables[1]


def test_the_recorded_run_itself_fails_no_check(base: RunPaths) -> None:
    outcomes = {name: outcome for name, (outcome, _) in findings(base).items()}
    assert Outcome.FAILED not in outcomes.values()
    assert Outcome.UNSEEN not in outcomes.values()
    # None of them is left out as not applicable.
    for name in ("counters", "polls", "power-integral", "rank-counter", "phase-shares"):
        assert outcomes[name] is Outcome.PASSED, name


@pytest.mark.parametrize("wild", [1_500.0, np.inf, np.nan, 4_294_967.295])
def test_one_reading_that_cannot_be_changes_no_energy(
    base: RunPaths, tmp_path: Path, wild: float
) -> None:
    def one_wild(value: Any, _: pa.Table) -> Any:
        value[len(value) // 2] = wild
        return value

    run = falsified(samples(values_changed(one_wild, "power_sample_w")))(copy(base, tmp_path))
    for method in ("power_integral", "rank_counter"):
        before, after = (Case(one).run_energy.energy_by(method).value for one in (base, run))
        assert before is not None
        assert after == pytest.approx(before, rel=1e-3)
    assert Outcome.FAILED not in {outcome for outcome, _ in findings(run).values()}


@pytest.mark.parametrize(
    "archive", sorted((FOLDER / "extracts").glob(f"*{SUFFIX}")), ids=lambda path: path.name
)
def test_no_check_of_energies_fails_an_honest_run_whatever_befell_its_source(
    archive: Path, tmp_path: Path
) -> None:
    """Half-minute polls, and a DCGM engine that hung or was started again."""
    unpack(archive, tmp_path)
    (run,) = list_runs(tmp_path)
    seen = findings(run)
    assert Outcome.FAILED not in {outcome for outcome, _ in seen.values()}, seen
    for name in ("counters", "polls", "rank-counter", "phase-shares"):
        assert seen[name][0] is Outcome.PASSED, name
    # Six seconds without power leave its integral too uncertain to be held against anything.
    hung = "a59c8a1e" in run.run_id
    assert (seen["power-integral"][0] is Outcome.UNSEEN) == hung
