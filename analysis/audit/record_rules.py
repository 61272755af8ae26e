"""Record rules: what is asked of a record as a whole, and what each answer is worth."""

from typing import Final

from analysis.audit.check import Check, Severity
from analysis.audit.merged_again import merge_repeats
from analysis.audit.record_checks import (
    LEAST_COVERAGE,
    LIFETIME_SLACK_US,
    OFFSET_SLACK_US,
    all_present,
    gpus_distinct,
    inside_lifetime,
    one_sealed_attempt,
    readings_complete,
    run_id_is_spec,
    samples_sorted,
    seal_intact,
    spans_tile,
)
from analysis.energy.curves import GAP_PERIODS
from telemetry.clock import US_PER_MS, US_PER_S

RECORD_CHECKS: Final = (
    Check(
        name="seal",
        claim="files are as sealed, none missing or extra",
        severity=Severity.WRONG,
        rule=("every file that seal.json names hashes to its SHA-256, and the run holds no other"),
        tolerance="none",
        reason="a file is the one that was hashed, or it is not",
        rules_out=(
            "a file changed, lost or added after the seal, by anybody who did not seal again"
        ),
        look=seal_intact,
    ),
    Check(
        name="one-seal",
        claim="a run has one sealed attempt",
        severity=Severity.UNKNOWN,
        rule="exactly one attempt of the run has a seal.json",
        tolerance="none",
        reason="of two sealed attempts nobody can tell which one was meant",
        rules_out="a second try that was sealed, of which the better one is shown",
        look=one_sealed_attempt,
    ),
    Check(
        name="run-id",
        claim="the run's name is the hash of its spec",
        severity=Severity.WRONG,
        rule=(
            "the folder, manifest.json, seal.json and every shard bear the name "
            "that is the digest of spec.json"
        ),
        tolerance="none",
        reason="the name is a SHA-256 of the spec",
        rules_out=(
            "a spec that was edited after the run, and a record that was put under another's name"
        ),
        look=run_id_is_spec,
    ),
    Check(
        name="merge",
        claim="tables are what the shards merge to",
        severity=Severity.WRONG,
        rule=(
            "tables and manifest.json are what merging the shards gives, column by "
            "column, NaN equal to NaN"
        ),
        tolerance="none",
        reason="the merge of the same shards gives the same values",
        rules_out="a table or manifest that was edited and its shards not",
        look=merge_repeats,
    ),
    Check(
        name="order",
        claim="samples are sorted and without duplicates",
        severity=Severity.WRONG,
        rule=(
            "samples.parquet is sorted by time, and no time, host, device and field"
            " stands there twice"
        ),
        tolerance="none",
        reason="the merge writes each reading once, in order",
        rules_out="readings that were written in twice to move a mean",
        look=samples_sorted,
    ),
    Check(
        name="lifetime",
        claim="stamps lie in the attempt's life",
        severity=Severity.WRONG,
        rule=(
            "every stamp of samples and spans lies between submission and end, "
            "files were written then, shards by their node's clock, and the attempt"
            " completed"
        ),
        tolerance=(
            f"{LIFETIME_SLACK_US // US_PER_S} s around the attempt; "
            f"{OFFSET_SLACK_US // US_PER_MS} ms between a shard's clock and its node's"
        ),
        reason=(
            "hosts that keep time by NTP agree far better, and a watcher outlives rank 0 by seconds"
        ),
        rules_out=(
            "readings of another day, and an attempt that failed and was sealed all the same"
        ),
        look=inside_lifetime,
    ),
    Check(
        name="coverage",
        claim="GPU readings are complete",
        severity=Severity.WEAK,
        rule=(
            "in the measured window every reading of power or energy of every GPU "
            "came as often as its period asks, without a long gap"
        ),
        tolerance=(
            f"{LEAST_COVERAGE:.0%} of the readings, or all but one; a gap of {GAP_PERIODS} periods"
        ),
        reason="github.com/NVIDIA/srt-slurm asks for 95 % (docs/power-telemetry.md)",
        rules_out="readings that were left out, be it by a fault or to hide a peak",
        look=readings_complete,
    ),
    Check(
        name="tiling",
        claim="phases tile every rank's time",
        severity=Severity.WRONG,
        rule=(
            "a rank's spans follow each other to the microsecond, and the counter's"
            " reading that ends one begins the next"
        ),
        tolerance="none",
        reason=("one reading of the clock, and of the counter, ends a span and begins the next"),
        rules_out=("time or energy that was taken out between two phases, or is counted in both"),
        look=spans_tile,
    ),
    Check(
        name="presence",
        claim="all ranks and hosts are there",
        severity=Severity.WRONG,
        rule=(
            "ranks 0 to N-1 registered and left spans, on as many watched hosts as "
            "the spec asks for, as many on each"
        ),
        tolerance="none",
        reason="the spec says how many there are",
        rules_out="a GPU or a node whose energy was left out",
        look=all_present,
    ),
    Check(
        name="gpus",
        claim="each rank has a GPU of its own",
        severity=Severity.WRONG,
        rule=(
            "spans, registration and the host's inventory name one GPU for a rank, "
            "and no other rank the same"
        ),
        tolerance="none",
        reason="a GPU has one UUID",
        rules_out="one GPU's energy counted for several ranks, or for none",
        look=gpus_distinct,
    ),
)
"""Checks of the record, in the audit's order."""
