"""Result checks: do tokens, words, labels and identities agree with each other?"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from analysis.audit.check import (
    SUM_TOLERANCE,
    Case,
    Check,
    Finding,
    Severity,
    failed,
    judged,
    unseen,
)
from analysis.runs.unreadable import UNREADABLE, shortened
from analysis.tables.gpus import gpu_rows
from analysis.tables.runs import run_row
from telemetry.record.files import file_sha256, read_json, read_plain
from telemetry.record.limits import TEXT_BYTES
from telemetry.record.parquet_file import parquet_schema
from telemetry.record.plain_file import list_folder
from telemetry.record.spec import RunSpec
from telemetry.shards.reader import StreamReader
from telemetry.shards.writer import Part, list_parts, shard_metadata

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# A digest in which one digit stands throughout was typed, not computed.
_TYPED: Final = re.compile(r"(.)\1+")
_NO_CHANGES_SHA256: Final = hashlib.sha256(b"").hexdigest()
_COUNTED: Final = ("prompts", "prompt_tokens", "generated_tokens", "words")


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
    sizes = Counter(responses["batch"].to_pylist())
    faults += [
        f"a span of batch {row['batch']} counts {row['prompts']} prompts, "
        f"responses are {sizes[row['batch']]}"
        for row in measured.select(["batch", "prompts"]).to_pylist()
        if row["prompts"] not in (0, sizes[row["batch"]])
    ]
    if not pc.sum(measured["prompts"]).as_py() and sizes:
        faults.append(f"spans count no prompts, responses are {responses.num_rows}")
    least = {name: pc.min(spans[name]).as_py() or 0 for name in _COUNTED}
    faults += [f"a span counts {count} {name}" for name, count in least.items() if count < 0]
    for name in ("generated_tokens", "words"):
        counted = pc.sum(measured[name]).as_py() or 0
        held = sums[name] = pc.sum(responses[name]).as_py() or 0
        if counted != held:
            faults.append(f"spans count {counted} {name}, responses {held}")
    return judged(faults, f"{sums['generated_tokens']} tokens, {sums['words']} words")


def prompts_answered(case: Case) -> Finding:
    """The prompts file is the one asked for, and each pass answered each of its prompts once."""
    sha256 = read_json(case.attempt.launch)["prompts_sha256"]
    if not (isinstance(sha256, str) and sha256.isalnum()):
        return failed("launch.json names no prompts")
    found = file_sha256(case.paths.prompts(sha256))
    faults = []
    if found != sha256:
        faults.append(f"the prompts file hashes to {found[:12]}…, asked for was {sha256[:12]}…")
    wanted = case.run.spec.prompts
    data = read_plain(case.paths.prompts(sha256), most_bytes=TEXT_BYTES.most)
    lines = len(data.splitlines())
    if lines != wanted:
        faults.append(f"the prompts file has {lines} lines, {wanted} prompts were asked for")
    for name, said in case.shard_metadata():
        prompts = said.get("prompts")
        if isinstance(prompts, dict) and prompts.get("sha256", sha256) != sha256:
            faults.append(f"{name} answers prompts {str(prompts['sha256'])[:12]}…")
        if isinstance(prompts, dict) and prompts.get("count", wanted) != wanted:
            faults.append(f"{name} answers {prompts['count']} prompts, {wanted} were asked for")
    answered = Counter(case.run.responses["prompt"].to_pylist())
    passes = max(answered.values(), default=0)
    if answered != Counter(dict.fromkeys(range(wanted), passes)):
        faults.append(f"{answered.total()} responses to {len(answered)} of {wanted} prompts")
    often = "once" if passes == 1 else f"{passes} times"
    return judged(faults, f"{wanted} prompts of {sha256[:12]}…, each answered {often}")


def identities_hold(case: Case) -> Finding:
    """Energy, power, rates and single GPUs agree, in the written tables when there are some."""
    written = case.written_rows("runs")
    row: Mapping[str, Any] = written[0] if written else run_row(case.run_energy)
    names = ("power_w", "energy_j", "energy_per_token_j", "energy_per_response_j", "duration_s")
    if any(row[name] in (None, "") for name in names):
        return unseen(str(row["energy_reason"] or "no tokens"))
    gpus: Sequence[Mapping[str, Any]] = case.written_rows("gpus") or gpu_rows(case.run_energy)
    working = math.fsum(float(gpu["energy_j"] or 0) for gpu in gpus if _has_rank(gpu))
    idle = math.fsum(float(gpu["energy_j"] or 0) for gpu in gpus if not _has_rank(gpu))
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
        "J = sum over GPUs": (number["energy_j"], working),
        "J charged = J + idle GPUs": (float(row["charged_energy_j"] or 0), working + idle),
        "J = W x s": (number["energy_j"], number["power_w"] * number["duration_s"]),
    }
    if row["charged_energy_j"] in (None, ""):
        # What an idle GPU took is unknown, which another check holds against the run.
        del sides["J charged = J + idle GPUs"]
    faults = [
        f"{name}: {left:.6g} is not {right:.6g}"
        for name, (left, right) in sides.items()
        if not math.isclose(left, right, rel_tol=SUM_TOLERANCE)
    ]
    where = "report's" if written else "recomputed"
    return judged(faults, f"{number['power_w']:.4g} W and {len(sides)} identities, {where} table")


def simulation_labelled(case: Case) -> Finding:
    """Spec, manifest, hosts, GPUs and every shard agree on what is simulated."""
    spec = RunSpec.read(case.paths.spec)
    manifest = case.run.manifest
    labels: dict[str, Any] = {"manifest.json": manifest.get("simulated")}
    for name, host in case.run.hosts.items():
        labels[f"hosts/{name}.json"] = host.get("simulated")
        for gpu in host.get("gpus", []):
            labels[f"{gpu.get('uuid')} on {name}"] = gpu.get("simulated")
    damaged = {part["path"] for part in manifest.get("parts", []) if part.get("damage")}
    faults = []
    unreadable = 0
    for folder in _shards(case):
        for part in list_parts(folder):
            name = part.path.relative_to(case.attempt.folder).as_posix()
            try:
                labels[name] = shard_metadata(_schema(part)).get("simulated")
            except UNREADABLE as error:
                # The merge named it, which another check makes sure of; else nobody did.
                unreadable += 1
                if name not in damaged:
                    faults.append(f"{name} cannot be read: {shortened(error)}")
    for kind in case.run.tables:
        content = case.run.said(kind)
        if "simulated" in content:
            labels[f"{kind}.parquet"] = content["simulated"]
    faults += [
        f"{where} says simulated {label}, the spec {spec.simulated}"
        for where, label in labels.items()
        if label is not spec.simulated
    ]
    what = "simulated" if spec.simulated else "measured"
    lost = f", {unreadable} parts are damaged and named so" if unreadable else ""
    return judged(faults, f"{len(labels)} labels say {what}{lost}", strain=float(unreadable))


def _shards(case: Case) -> Iterator[Path]:
    """The folder of every writer, of every table, by name."""
    shards = case.attempt.folder / "shards"
    for kind in list_folder(shards) if shards.is_dir() else []:
        yield from list_folder(kind)


def _schema(part: Part) -> pa.Schema:
    if part.closed:
        return parquet_schema(part.path)
    with StreamReader(part.path) as reader:
        return reader.schema


def provenance_told(case: Case) -> Finding:
    """The code is a commit, or its changes are on record and the launcher was told to allow them.

    What other files name of it too must be the same: packages that ranks and watchers loaded, and
    the host that submitted.
    """
    provenance = read_json(case.attempt.provenance)
    git = provenance.get("git")
    if not isinstance(git, dict) or git.get("commit") is None:
        reason = git.get("reason") if isinstance(git, dict) else None
        return failed(f"no commit is on record: {reason or 'no reason given'}")
    commit = str(git["commit"])
    faults = []
    if not _COMMIT.fullmatch(commit):
        faults.append(f"`commit` must be 40 or 64 hex digits, but is {commit!r} instead")
    elif _TYPED.fullmatch(commit):
        faults.append(f"`commit` must be a digest, but is {commit!r} instead")
    changed = bool(git.get("changes")) or git.get("diff_sha256", _NO_CHANGES_SHA256) not in (
        None,
        _NO_CHANGES_SHA256,
    )
    if changed and not git.get("dirty"):
        faults.append(f"{commit[:12]} is said to have no changes, but its changes are on record")
    if git.get("dirty") and provenance.get("allow_dirty") is not True:
        faults.append(f"{commit[:12]} had changes that no commit holds")
    faults += _package_faults(case, provenance.get("packages"))
    faults += _submitter_faults(case, provenance.get("submit_host"))
    told = (
        "with changes, which the launcher was told to allow" if git.get("dirty") else "no changes"
    )
    return judged(faults, f"commit {commit[:12]}, {told}", strain=float(bool(git.get("dirty"))))


def _submitter_faults(case: Case, wanted: object) -> list[str]:
    """Where another machine submitted than the one whose code is on record.

    Under Slurm a node's name need not be the machine's own: then nothing is compared.
    """
    path = case.attempt.submitted
    host = read_json(path).get("submit_host") if path.is_file() else None
    if host in (None, wanted) or case.started.get("slurm") is not None:
        return []
    return [f"`submit_host` is {wanted}, but {host} submitted"]


def _package_faults(case: Case, packages: object) -> list[str]:
    """Where ranks and watchers loaded other releases than the launcher listed."""
    if not isinstance(packages, dict):
        return ["provenance.json lists no packages"]
    loaded: dict[str, set[str]] = {}
    for _, metadata in case.shard_metadata():
        for source in _sources(metadata.get("source")):
            for name in ("torch", "fairscale", "psutil"):
                if isinstance(source.get(name), str):
                    loaded.setdefault(name, set()).add(source[name])
    for ready in case.run.hosts.values():
        for source in _sources(ready.get("source")):
            if isinstance(source.get("psutil"), str):
                loaded.setdefault("psutil", set()).add(source["psutil"])
    return [
        f"{name} is {packages.get(name)} in provenance.json, but {release} was loaded"
        for name, releases in sorted(loaded.items())
        for release in sorted(releases)
        # A package that no installer has on record, as on a PYTHONPATH, is in no list.
        if packages.get(name) is not None
        # A build's own mark, as in 2.11.0+cu130, is no part of what pip lists of it.
        if str(packages.get(name)).partition("+")[0] != release.partition("+")[0]
    ]


def _sources(source: object) -> list[dict[str, Any]]:
    """A source and those that it is made of."""
    if not isinstance(source, dict):
        return []
    return [source, *(part for part in source.values() if isinstance(part, dict))]


def _has_rank(gpu: Mapping[str, Any]) -> bool:
    """True for a row of the table of GPUS, written or not, of a GPU that a rank worked on."""
    return gpu["rank"] not in (None, "")


RESULT_CHECKS: Final = (
    Check(
        name="responses",
        claim="responses' counts are right",
        severity=Severity.WRONG,
        rule="each response's count of tokens and words is that of what it holds",
        tolerance="none",
        reason="they are counted again",
        rules_out="tokens that were never generated",
        look=responses_count,
    ),
    Check(
        name="tokens",
        claim="spans and responses count the same",
        severity=Severity.WRONG,
        rule=("rank 0's spans count the prompts, tokens and words that the responses hold"),
        tolerance="none",
        reason="both count the same answers",
        rules_out="tokens told in one file alone",
        look=spans_count,
    ),
    Check(
        name="prompts",
        claim="every prompt was answered as often",
        severity=Severity.WRONG,
        rule=(
            "the prompts file has the digest and lines asked for, and each pass "
            "answered each prompt once"
        ),
        tolerance="none",
        reason="a file is known by its digest",
        rules_out=("other prompts than those that are told, and prompts left out or asked twice"),
        look=prompts_answered,
    ),
    Check(
        name="identities",
        claim="power, energy and rates agree",
        severity=Severity.WRONG,
        rule=(
            "W = J/token x token/s, J = W x s, and the sums over GPUs hold, in the "
            "report's tables where there are some"
        ),
        tolerance=f"{SUM_TOLERANCE:g} of each side",
        reason="sums of doubles lose far less",
        rules_out="one number of a report that was edited",
        look=identities_hold,
    ),
    Check(
        name="labels",
        claim="what is simulated says so",
        severity=Severity.WRONG,
        rule=("spec, manifest, hosts, GPUs, shards and tables agree on what is simulated"),
        tolerance="none",
        reason="who writes a file knows whether it is",
        rules_out="a modelled run that is told as a measured one",
        look=simulation_labelled,
    ),
    Check(
        name="provenance",
        claim="the code that ran is on record",
        severity=Severity.UNKNOWN,
        rule=(
            "a commit is on record, changes beside it are told and were allowed, "
            "and the packages and host are those that others saw"
        ),
        tolerance="none; of a release its build's mark",
        reason="a commit is a digest",
        rules_out=("code that nobody can look up, or other packages than those that are told"),
        look=provenance_told,
    ),
)
"""Checks of the results, in the audit's order."""
