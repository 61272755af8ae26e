"""Every falsification of the corpus fails its check, or is ruled out by a signature alone."""

from pathlib import Path

import pytest

from analysis.audit.check import Outcome
from analysis.audit.registry import CHECKS, FOLDER_CHECKS
from analysis.audit.run import audit_folder
from analysis.audit.trust import Trust
from telemetry.record.paths import RunPaths
from telemetry.record.seal import verify_seal
from telemetry.record.signature import sign_file
from tests.analysis.audit.corpus.table import ALL
from tests.analysis.audit.forging import copy, look
from tests.support.signing import allow, make_key

CAUGHT = [name for name, (_, check) in ALL.items() if check is not None]
ALONE = [name for name, (_, check) in ALL.items() if check is None]
# What each check says of the run that is forged, asked once.
HONEST: dict[str, Outcome] = {}


def honest(base: RunPaths, check: str) -> Outcome:
    if check not in HONEST:
        HONEST[check] = look(base, check).outcome
    return HONEST[check]


@pytest.mark.parametrize("name", CAUGHT)
def test_a_falsification_fails_the_check_that_knows_better(
    base: RunPaths, tmp_path: Path, name: str
) -> None:
    forge, check = ALL[name]
    assert check is not None
    assert honest(base, check) is not Outcome.FAILED
    finding = look(forge(copy(base, tmp_path)), check)
    assert finding.outcome is Outcome.FAILED, finding.evidence


@pytest.mark.parametrize("name", ALONE)
def test_what_is_told_alike_everywhere_a_signature_alone_rules_out(
    base: RunPaths, tmp_path: Path, name: str
) -> None:
    mine = make_key(tmp_path / "mine")
    signers = allow(tmp_path / "signers", {"jo@center.example": mine})
    results = tmp_path / "results"
    run = copy(base, results)
    sign_file(run.attempt(1).seal, mine)
    forge, _ = ALL[name]
    run = forge(run)
    assert verify_seal(run, run.attempt(1)) == []
    trust = Trust(allowed_signers=signers)
    failed = {
        line.name for line in audit_folder(results, trust).lines if line.outcome is Outcome.FAILED
    }
    assert failed == {"signature"}


def test_each_falsification_is_of_a_check_that_there_is() -> None:
    names = {check.name for check in (*CHECKS, *FOLDER_CHECKS)}
    assert {check for _, check in ALL.values() if check is not None} <= names
