"""A changed record that is merged and sealed anew is a whole record, and no longer the same."""

from pathlib import Path

from telemetry.record.seal import verify_seal
from tests.support.forgeries import edit_shards, rank_counters, reseal, scaled, sealed_attempt
from tests.support.records import Plan, build_run


def test_a_forged_record_is_sealed_anew_and_says_something_else(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan(rank_counter=True))
    before = sealed_attempt(run).table("samples").read_bytes()
    edit_shards(sealed_attempt(run), "samples", scaled(0.8, "power_instant_w", "energy_j"))
    edit_shards(sealed_attempt(run), "spans", rank_counters(lambda value: value * 0.8))
    reseal(run)
    assert verify_seal(run, sealed_attempt(run)) == []
    assert sealed_attempt(run).table("samples").read_bytes() != before
