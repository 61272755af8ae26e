"""What a record says of the format of its keys is what the spec asks for, or the audit says so."""

from pathlib import Path

import pytest

from analysis.audit.check import Outcome
from telemetry.record.paths import RunPaths
from tests.analysis.audit.forging import close, copy, edit, look, recompose, respec, under


def test_a_record_from_before_keys_had_a_format_passes(base: RunPaths, tmp_path: Path) -> None:
    run = close(copy(base, tmp_path))
    assert look(run, "model").outcome is Outcome.PASSED
    assert look(run, "launch").outcome is Outcome.PASSED


def test_keys_of_the_run_s_own_format_cannot_be_passed_off_as_fp8(
    base: RunPaths, tmp_path: Path
) -> None:
    run = under(kv_dtype="fp8")(copy(base, tmp_path))
    assert "`kv_dtype` must be fp8 by the spec, but is None" in look(run, "model").evidence
    assert "`kv_dtype` is 'fp8' in the spec" in look(run, "launch").evidence
    # The bytes of a position are those of fp16.
    assert look(run, "bytes").outcome is Outcome.FAILED


def test_keys_of_fp8_cannot_be_passed_off_as_the_run_s_own(base: RunPaths, tmp_path: Path) -> None:
    run = copy(base, tmp_path)
    edit(run.attempt(1).model, lambda model: model["engine"].update(kv_dtype="fp8"))
    assert "`kv_dtype` must be fp16 by the spec, but is fp8" in look(close(run), "model").evidence


@pytest.mark.parametrize(
    ("typed", "outcome"),
    [("auto", Outcome.PASSED), ("fp16", Outcome.PASSED), ("fp8", Outcome.FAILED)],
)
def test_what_the_launcher_was_given_is_the_spec_s(
    base: RunPaths, tmp_path: Path, typed: str, outcome: Outcome
) -> None:
    run = copy(base, tmp_path)
    recompose(run, kv_dtype=typed)
    assert look(close(run), "launch").outcome is outcome


def test_a_run_that_kept_fp8_and_says_so_passes(base: RunPaths, tmp_path: Path) -> None:
    run = respec(copy(base, tmp_path), kv_dtype="fp8")
    recompose(run, kv_dtype="fp8")
    edit(run.attempt(1).model, lambda model: model["engine"].update(kv_dtype="fp8"))
    found = look(close(run), "launch")
    assert found.outcome is Outcome.PASSED, found.evidence
    assert "kv_dtype" not in look(run, "model").evidence
