"""Checks of the results: do energies, tokens and labels agree with each other?"""

import csv
import json
import math
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.energy import Curve
from analysis.findings import Case, Check, Finding, failed, judged, passed, skipped
from analysis.gpu import COUNTER, INTEGRAL, WITNESS
from analysis.rows import run_row
from analysis.tables import report_folder
from telemetry.record import file_sha256, read_json
from telemetry.run import RunSpec
from telemetry.schema import METADATA_KEY
from telemetry.shards import list_parts, read_stream, shard_metadata

# Summing thousands of differences of doubles loses far less than this.
SUM_TOLERANCE: Final = 1e-6
# Most that the counter and the integral of power may differ (github.com/SemiAnalysisAI/InferenceX,
# utils/aggregate_power.py, holds 5 %; zeus' author saw at most 1 %, github.com/ml-energy/zeus 12).
GAP_TOLERANCE: Final = 0.05
# A board holds its limit on average, not at every instant; sensors err by 5 % (arXiv 2312.02741).
LIMIT_TOLERANCE: Final = 0.05
# Drivers round a limit to whole watts.
CAP_TOLERANCE_W: Final = 1.0
_COMMIT_DIGITS: Final = 40


def phases_sum(case: Case) -> Finding:
    """Each rank's phases sum to the energy between its first and last moment."""
    account = case.account
    if account.method is None:
        return skipped(account.energy.reason or "no energy")
    faults = []
    worst = 0.0
    method = account.attribution.method
    for rank in account.ranks:
        gpu = account.gpu_of(rank)
        curve = None if gpu is None or method is None else gpu.curve(method)
        if gpu is None or method is None or not isinstance(curve, Curve):
            continue
        parts = [row.energy.value for row in account.phases if row.rank == rank.rank]
        summed = math.fsum(part for part in parts if part is not None)
        start_us, end_us = rank.life_us
        if method == WITNESS:
            # It knows of nothing before its rank could first read.
            start_us = int(curve.t_us[0])
        whole = gpu.energy(method, (start_us, end_us))
        if whole.value is None:
            faults.append(f"rank {rank.rank}: {whole.reason}")
            continue
        error = abs(summed - whole.value) / max(abs(whole.value), 1e-9)
        worst = max(worst, error)
        if error > SUM_TOLERANCE:
            faults.append(
                f"rank {rank.rank}: phases sum to {summed:.3f} J, its life took {whole.value:.3f} J"
            )
    return judged(faults, f"largest relative error {worst:.1e}")


def counter_meets_integral(case: Case) -> Finding:
    """For every GPU the counter and the integral of power tell the same energy."""
    account = case.account
    gaps = []
    for gpu in account.gpus:
        if isinstance(gpu.counter, Curve) and isinstance(gpu.integral, Curve):
            counter = gpu.energy(COUNTER, account.window_us).value
            integral = gpu.energy(INTEGRAL, account.window_us).value
            if counter and integral is not None:
                gaps.append((integral / counter - 1.0, gpu.uuid))
    if not gaps:
        return skipped(account.gap.reason or "no GPU has both")
    faults = [
        f"{uuid}: the integral of power is {gap:+.1%} off the counter, most {GAP_TOLERANCE:.0%}"
        for gap, uuid in gaps
        if abs(gap) > GAP_TOLERANCE
    ]
    worst = max((gap for gap, _ in gaps), key=abs)
    return judged(faults, f"largest difference {worst:+.2%} over {len(gaps)} GPUs")


def power_plausible(case: Case) -> Finding:
    """Mean power of every working GPU lies between its idle power and its limit."""
    account = case.account
    if account.method is None:
        return skipped(account.energy.reason or "no energy")
    limits = {
        gpu["uuid"]: gpu.get("power_limit_w")
        for host in case.run.hosts.values()
        for gpu in host.get("gpus", [])
    }
    faults = []
    powers = []
    for gpu in account.gpus:
        energy_j = gpu.energy(account.method, account.window_us).value
        assert energy_j is not None
        power_w = energy_j / account.duration_s
        powers.append(power_w)
        limit_w = limits.get(gpu.uuid)
        if limit_w is not None and power_w > float(limit_w) * (1 + LIMIT_TOLERANCE):
            faults.append(f"{gpu.uuid}: mean {power_w:.1f} W above its limit of {limit_w:g} W")
        idle_w = gpu.idle_power.value
        if idle_w is not None and power_w < idle_w * (1 - LIMIT_TOLERANCE):
            faults.append(f"{gpu.uuid}: mean {power_w:.1f} W at work, {idle_w:.1f} W at rest")
    return judged(faults, f"mean {min(powers):.1f} to {max(powers):.1f} W a GPU")


def responses_count(case: Case) -> Finding:
    """Each response's counts are those of what it holds, and its length is allowed."""
    limit = case.run.spec.max_gen_len
    faults = []
    for row in case.run.responses.to_pylist():
        where = f"response {row['batch']}/{row['row']}"
        tokens, ids = row["generated_tokens"], len(row["generated_ids"])
        words = len(row["text"].split())
        if tokens != ids:
            faults.append(f"{where} counts {tokens} tokens, but holds {ids} ids")
        if tokens > limit:
            faults.append(f"{where} has {tokens} tokens, at most {limit} are allowed")
        if words != row["words"]:
            faults.append(f"{where} counts {row['words']} words, but holds {words}")
    return judged(faults, f"{case.run.responses.num_rows} responses counted again")


def spans_count(case: Case) -> Finding:
    """Rank 0's spans count the tokens and words that the responses hold."""
    spans, responses = case.run.spans, case.run.responses
    measured = spans.filter(
        pc.and_(
            pc.equal(spans["rank"], 0), pc.fill_null(pc.greater_equal(spans["batch"], 0), False)
        )
    )
    faults = []
    sums = {}
    for name in ("generated_tokens", "words"):
        counted = pc.sum(measured[name]).as_py() or 0
        held = sums[name] = pc.sum(responses[name]).as_py() or 0
        if counted != held:
            faults.append(f"spans count {counted} {name}, responses {held}")
    return judged(faults, f"{sums['generated_tokens']} tokens, {sums['words']} words")


def prompts_answered(case: Case) -> Finding:
    """The prompts file is the one ordered, and each of its prompts was answered once."""
    sha256 = read_json(case.attempt.launch)["prompts_sha256"]
    if not (isinstance(sha256, str) and sha256.isalnum()):
        return failed("launch.json names no prompts")
    found = file_sha256(case.paths.prompts(sha256))
    faults = []
    if found != sha256:
        faults.append(f"the prompts file hashes to {found[:12]}…, ordered was {sha256[:12]}…")
    wanted = case.run.spec.prompts
    answered = sorted(case.run.responses["prompt"].to_pylist())
    if answered != list(range(wanted)):
        faults.append(f"{len(answered)} responses to {len(set(answered))} of {wanted} prompts")
    return judged(faults, f"{wanted} prompts of {sha256[:12]}…, each answered once")


def identities_hold(case: Case) -> Finding:
    """W = J/token x tokens/s and J = J/response x responses, in the written table when there."""
    written = _written_row(case)
    row = written or run_row(case.account)
    names = ("power_w", "energy_j", "energy_per_token_j", "energy_per_response_j", "duration_s")
    if any(row[name] in (None, "") for name in names):
        return skipped(str(row["energy_reason"] or "no tokens"))
    number = {name: float(row[name] or 0) for name in (*names, "tokens_per_s", "responses")}
    sides = {
        "W = J/token x tokens/s": (
            number["power_w"],
            number["energy_per_token_j"] * number["tokens_per_s"],
        ),
        "J = J/response x responses": (
            number["energy_j"],
            number["energy_per_response_j"] * number["responses"],
        ),
        "J = W x s": (number["energy_j"], number["power_w"] * number["duration_s"]),
    }
    faults = [
        f"{name}: {left:.6g} is not {right:.6g}"
        for name, (left, right) in sides.items()
        if not math.isclose(left, right, rel_tol=SUM_TOLERANCE)
    ]
    where = "report's" if written else "recomputed"
    return judged(faults, f"{number['power_w']:.4g} W and {len(sides)} identities, {where} table")


def cap_in_force(case: Case) -> Finding:
    """The power limit in force on every GPU is the one asked for."""
    asked = case.run.spec.power_cap_w
    if asked is None:
        return skipped("no power cap was asked for")
    faults = []
    for gpu in case.account.gpus:
        readings = case.account.series(gpu.host, gpu.uuid, "power_limit_w")
        inside = readings.between(*case.account.window_us).value
        seen = {float(value) for value in inside} or _stated_limits(case, gpu.uuid)
        if not seen:
            faults.append(f"{gpu.uuid}: no limit is on record")
        faults += [
            f"{gpu.uuid}: {asked:g} W asked for, {limit:g} W in force"
            for limit in sorted(seen)
            if abs(limit - asked) > CAP_TOLERANCE_W
        ]
    return judged(faults, f"{asked:g} W on {len(case.account.gpus)} GPUs")


def simulation_labelled(case: Case) -> Finding:
    """Spec, manifest, hosts, GPUs and every shard agree on what is simulated."""
    spec = RunSpec.read(case.paths.spec)
    manifest = case.run.manifest
    labels: dict[str, Any] = {"manifest.json": manifest.get("simulated")}
    for name, host in case.run.hosts.items():
        labels[f"hosts/{name}.json"] = host.get("simulated")
        for gpu in host.get("gpus", []):
            labels[f"{gpu.get('uuid')} on {name}"] = gpu.get("simulated")
    for folder in sorted(case.attempt.folder.glob("shards/*/*")):
        for part in list_parts(folder):
            schema = (
                pq.read_schema(part.path) if part.closed else read_stream(part.path).table.schema
            )
            labels[f"{folder.parent.name}/{folder.name}"] = shard_metadata(schema).get("simulated")
    for kind in ("samples", "spans", "responses"):
        raw = (pq.read_schema(case.attempt.table(kind)).metadata or {}).get(METADATA_KEY)
        content = json.loads(raw) if raw else {}
        if "simulated" in content:
            labels[f"{kind}.parquet"] = content["simulated"]
    faults = [
        f"{where} says simulated {label}, the spec {spec.simulated}"
        for where, label in labels.items()
        if label is not spec.simulated
    ]
    what = "simulated" if spec.simulated else "measured"
    return judged(faults, f"{len(labels)} labels say {what}")


def provenance_clean(case: Case) -> Finding:
    """The run's code is a commit without changes."""
    provenance = read_json(case.attempt.provenance)
    git = provenance.get("git")
    if not isinstance(git, dict) or git.get("commit") is None:
        reason = git.get("reason") if isinstance(git, dict) else None
        return failed(f"no commit is on record: {reason or 'no reason given'}")
    commit = str(git["commit"])
    if len(commit) != _COMMIT_DIGITS:
        return failed(f"`commit` must be {_COMMIT_DIGITS} hex digits, but is {commit!r} instead")
    if git.get("dirty"):
        if provenance.get("allow_dirty") is True:
            return skipped(f"{commit[:12]} with changes, which the launcher was told to allow")
        return failed(f"{commit[:12]} had changes that no commit holds")
    return passed(f"commit {commit[:12]}, no changes")


def _written_row(case: Case) -> dict[str, str] | None:
    path = report_folder(case.paths.results) / "tables" / "runs.csv"
    if not path.is_file():
        return None
    with path.open(newline="", encoding="utf-8") as source:
        for row in csv.DictReader(source):
            if row.get("run_id") == case.paths.run_id:
                return row
    return None


def _stated_limits(case: Case, uuid: str) -> set[float]:
    return {
        float(gpu["power_limit_w"])
        for host in case.run.hosts.values()
        for gpu in host.get("gpus", [])
        if gpu["uuid"] == uuid and gpu.get("power_limit_w") is not None
    }


RESULT_CHECKS: Final = (
    Check(name="phase-sum", claim="phase energies sum to the total", look=phases_sum),
    Check(name="two-energies", claim="counter and integral agree", look=counter_meets_integral),
    Check(name="power", claim="mean power is between idle and limit", look=power_plausible),
    Check(name="responses", claim="responses' counts are right", look=responses_count),
    Check(name="tokens", claim="spans and responses count the same", look=spans_count),
    Check(name="prompts", claim="every prompt was answered once", look=prompts_answered),
    Check(name="identities", claim="power, energy and rates agree", look=identities_hold),
    Check(name="power-cap", claim="the cap asked for was in force", look=cap_in_force),
    Check(name="labels", claim="what is simulated says so", look=simulation_labelled),
    Check(name="provenance", claim="the code is a clean commit", look=provenance_clean),
)
"""Checks of the results, in the audit's order."""
