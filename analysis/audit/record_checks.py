"""Record checks: is it whole, unchanged, ordered and complete?"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.audit.check import Case, Finding, failed, judged, passed, skipped
from analysis.energy.curves import GAP_PERIODS
from telemetry.clock import US_PER_S
from telemetry.record.files import read_json
from telemetry.record.limits import TABLE_BYTES
from telemetry.record.paths import AttemptPaths
from telemetry.record.seal import verify_seal
from telemetry.record.spec import RunSpec

# Share of expected readings that a window must have (github.com/NVIDIA/srt-slurm,
# docs/power-telemetry.md: 95 %).
LEAST_COVERAGE: Final = 0.95
# Clocks of hosts agree to far less than this where NTP runs; a watcher outlives rank 0 by seconds.
LIFETIME_SLACK_US: Final = 60 * US_PER_S

# Ranks take the offset that their node's watcher told them.
OFFSET_SLACK_US: Final = 100_000
_CPU: Final = "cpu"
_ROW_KEY: Final = ("t_us", "host", "device", "field")


def seal_intact(case: Case) -> Finding:
    """Every file is as it was sealed; none is missing or extra."""
    sealed = case.paths.sealed_attempts()
    faults = [fault for attempt in sealed for fault in verify_seal(case.paths, attempt)]
    faults += [
        f"{name}: asked for by launch.json, but not in the seal"
        for attempt in sealed
        for name in _unsealed_prompts(case, attempt)
    ]
    files = sum(len(read_json(attempt.seal)["files"]) for attempt in sealed) if not faults else 0
    return judged(faults, f"{files} files match their SHA-256")


def _unsealed_prompts(case: Case, attempt: AttemptPaths) -> Iterator[str]:
    """The prompts file, where it lies there and the seal does not hold it."""
    sha256 = read_json(attempt.launch).get("prompts_sha256") if attempt.launch.is_file() else None
    if not (isinstance(sha256, str) and sha256.isalnum()):
        return
    path = case.paths.prompts(sha256)
    name = path.relative_to(case.paths.results).as_posix()
    files = read_json(attempt.seal).get("files")
    if path.is_file() and isinstance(files, dict) and name not in files:
        yield name


def one_sealed_attempt(case: Case) -> Finding:
    """No second attempt is sealed."""
    attempt = case.attempt
    return passed(f"attempt {attempt.number} of {len(case.paths.attempts())}")


def run_id_is_spec(case: Case) -> Finding:
    """The folder is named by the hash of the spec it holds, and all files agree on it."""
    spec = RunSpec.read(case.paths.spec)
    named = {
        "the folder": case.paths.run_id,
        "manifest.json": read_json(case.attempt.manifest).get("run_id"),
        "seal.json": read_json(case.attempt.seal).get("run_id"),
    }
    faults = [
        f"`run_id` must be {spec.run_id} by the spec, but is {value} in {where} instead"
        for where, value in named.items()
        if value != spec.run_id
    ]
    if not faults:
        faults = [
            f"`run_id` must be {spec.run_id} by the spec, but is {said['run_id']} in shard {name}"
            for name, said in case.shard_metadata()
            if said.get("run_id", spec.run_id) != spec.run_id
        ]
    return judged(faults, f"{spec.run_id[-8:]} is the digest of spec.json")


def samples_sorted(case: Case) -> Finding:
    """Samples are in the order of time, and no reading stands there twice."""
    rows = twice = 0
    last_us = None
    waiting: pa.Table | None = None
    for group in case.run.sample_groups(_ROW_KEY):
        stamps = group["t_us"].to_numpy()
        if not len(stamps):
            continue
        steps = np.diff(stamps, prepend=stamps[0] if last_us is None else last_us)
        if steps.min() < 0:
            at = rows + int(np.argmax(steps < 0))
            return failed(f"samples row {at} is earlier than the row before it")
        rows, last_us = rows + len(stamps), int(stamps[-1])
        held = group if waiting is None else pa.concat_tables([waiting, group])
        # Rows of one moment may go on in the next group.
        goes_on = pc.equal(held["t_us"], last_us)
        twice += _told_twice(held.filter(pc.invert(goes_on)))
        waiting = held.filter(goes_on)
        TABLE_BYTES.require(waiting.nbytes, f"samples of {last_us}")
    twice += 0 if waiting is None else _told_twice(waiting)
    if twice:
        return failed(f"{twice} readings stand in samples more than once")
    return passed(f"{rows} readings, all different and in order")


def _told_twice(samples: pa.Table) -> int:
    """How many readings stand in some rows of samples more than once."""
    groups = samples.unify_dictionaries().group_by(list(_ROW_KEY)).aggregate([([], "count_all")])
    return int(pc.sum(pc.greater(groups["count_all"], 1)).as_py() or 0)


def inside_lifetime(case: Case) -> Finding:
    """Every stamp lies between submission and end, and the end is a completed one."""
    ended = read_json(case.attempt.ended)
    if ended["state"] != "completed":
        return failed(f"the sealed attempt must have completed, but is {ended['state']} instead")
    if ended.get("reason") is not None:
        return failed(f"the attempt completed, but its end has a reason: {ended['reason']}")
    ready = [int(host["ready_us"]) for host in case.run.hosts.values()]
    begun = case.run.provenance.get("t_us")
    first_us = int(begun) if begun is not None else min(ready)
    low, high = first_us - LIFETIME_SLACK_US, int(ended["t_us"]) + LIFETIME_SLACK_US
    samples, spans = case.run.table("samples", ["t_us"]), case.run.spans
    faults = []
    for name, column in (
        ("samples", samples["t_us"]),
        ("spans", spans["t_start_us"]),
        ("spans", spans["t_end_us"]),
    ):
        outside = pc.or_(pc.less(column, low), pc.greater(column, high))
        count = pc.sum(outside).as_py() or 0
        if count:
            faults.append(f"{count} stamps of {name} are outside the attempt's life")
    faults += _offset_faults(case)
    faults += _stamp_faults(case, first_us, int(ended["t_us"]))
    life_s = (int(ended["t_us"]) - first_us) / US_PER_S
    return judged(faults, f"all stamps lie in the {life_s:.1f} s from submission to end")


def _offset_faults(case: Case) -> Iterator[str]:
    """Where who wrote a shard took another wall clock than its node's watcher told all to take."""
    for name, said in case.shard_metadata():
        clock = said.get("clock")
        told_us = case.run.hosts.get(str(said.get("host")), {}).get("clock_offset_us")
        offset_us = clock.get("offset_us") if isinstance(clock, dict) else None
        if not isinstance(told_us, int) or not isinstance(offset_us, int):
            continue
        if abs(offset_us - told_us) > OFFSET_SLACK_US:
            apart_s = (offset_us - told_us) / US_PER_S
            yield f"{name} was written by a clock {apart_s:+.3f} s off its node's"


def _stamp_faults(case: Case, first_us: int, last_us: int) -> list[str]:
    """Where who wrote a file says that it was at another time than the attempt's."""
    files = {"submitted.json": case.attempt.submitted, "started.json": case.attempt.started}
    ranks = {f"ranks/{path.name}": path for path in sorted(case.attempt.ranks.glob("rank-*.json"))}
    stamps = {name: read_json(path).get("t_us") for name, path in files.items() if path.is_file()}
    stamps |= {name: read_json(path).get("started_us") for name, path in ranks.items()}
    stamps |= {f"hosts/{name}.json": host.get("ready_us") for name, host in case.run.hosts.items()}
    return [
        f"{name} is of {(t_us - first_us) / US_PER_S:.1f} s after submission, "
        f"the end of {(last_us - first_us) / US_PER_S:.1f} s"
        for name, t_us in stamps.items()
        if isinstance(t_us, int)
        and not first_us - LIFETIME_SLACK_US <= t_us <= last_us + LIFETIME_SLACK_US
    ]


def readings_complete(case: Case) -> Finding:
    """In the measured window no GPU sensor missed more than one reading in twenty.

    A field that is read more seldom than the window is long sees nothing of it: of every GPU that a
    rank worked on another field must.
    """
    run_energy = case.run_energy
    if not run_energy.gpus:
        if case.run.spec.gpu == _CPU:
            return skipped("no GPU was asked for")
        return failed(f"{case.run.spec.gpu} was asked for, and no rank has a GPU")
    window_us = run_energy.window_us[1] - run_energy.window_us[0]
    covered = list(run_energy.coverage())
    seeing = [one for one in covered if one.gap_us < window_us]
    faults = []
    for gpu in run_energy.gpus:
        gaps = [one.gap_us for one in covered if one.device == gpu.uuid]
        if not gaps:
            faults.append(f"{gpu.uuid} has no reading of power or energy")
        elif min(gaps) >= window_us:
            faults.append(
                f"{gpu.uuid} has no reading of power or energy in the window: "
                f"a gap of {min(gaps) / US_PER_S:.3f} s in {window_us / US_PER_S:.3f} s"
            )
    for one in covered:
        where = f"{one.device} {one.field}"
        # Of a few readings one may fall just outside the window's edge.
        if one.share < LEAST_COVERAGE and one.missed > 1:
            faults.append(f"{where}: {one.share:.1%} of readings, least {LEAST_COVERAGE:.0%}")
        if one.gap_us > GAP_PERIODS * one.period_us:
            faults.append(
                f"{where}: a gap of {one.gap_us / US_PER_S:.3f} s, "
                f"more than {GAP_PERIODS} periods of {one.period_us / US_PER_S:.3f} s"
            )
    worst = min((one.share for one in covered), default=0.0)
    gap_us = max((one.gap_us for one in seeing), default=0)
    blind = sorted({one.field for one in covered} - {one.field for one in seeing})
    told = f"; read more seldom than the window is long: {', '.join(blind)}" if blind else ""
    return judged(
        faults,
        f"worst coverage {worst:.1%}, longest gap {gap_us / US_PER_S:.3f} s "
        f"of {window_us / US_PER_S:.3f} s{told}",
        strain=gap_us / window_us,
    )


def spans_tile(case: Case) -> Finding:
    """Phases of every rank follow each other without a hole or an overlap."""
    faults = []
    count = 0
    for rank in case.run_energy.ranks:
        count += len(rank.start_us)
        if (rank.end_us < rank.start_us).any():
            faults.append(f"rank {rank.rank}: a span ends before it starts")
        holes_us = rank.start_us[1:] - rank.end_us[:-1]
        if holes_us.any():
            at = int(np.argmax(holes_us != 0))
            kind = "hole" if holes_us[at] > 0 else "overlap"
            faults.append(
                f"rank {rank.rank}: a {kind} of {abs(int(holes_us[at]))} us "
                f"before {rank.phase[at + 1]}"
            )
    faults += _edge_faults(case)
    return judged(faults, f"{count} spans of {len(case.run_energy.ranks)} ranks tile their time")


def _edge_faults(case: Case) -> list[str]:
    """Where the reading of a counter that ends a span is not the one that begins the next."""
    faults = []
    rows = case.run.spans.select(["rank", "t_start_us", "energy_start_j", "energy_end_j", "phase"])
    last: dict[int, float | None] = {}
    for row in rows.sort_by([("rank", "ascending"), ("t_start_us", "ascending")]).to_pylist():
        before = last.get(row["rank"])
        if before is not None and row["energy_start_j"] not in (None, before):
            faults.append(
                f"rank {row['rank']}: its counter showed {before!r} J at the end of a span and "
                f"{row['energy_start_j']!r} J at the begin of {row['phase']}, the same moment"
            )
        last[row["rank"]] = row["energy_end_j"]
    return faults


def all_present(case: Case) -> Finding:
    """Every rank and every node the spec asks for left its record."""
    spec = case.run.spec
    registered = [int(rank["rank"]) for rank in case.run.manifest["ranks"]]
    hosts = set(case.run.hosts)
    wrote = {rank.host for rank in case.run_energy.ranks}
    faults = []
    for what, found in (
        ("registered", sorted(registered)),
        ("with spans", [rank.rank for rank in case.run_energy.ranks]),
    ):
        if found != list(range(spec.gpus)):
            faults.append(f"ranks {what} must be 0 to {spec.gpus - 1}, but are {found} instead")
    if len(hosts) != spec.nodes:
        faults.append(f"watched hosts must be {spec.nodes}, but are {len(hosts)} instead")
    for host in sorted(wrote):
        own = sum(rank.host == host for rank in case.run_energy.ranks)
        if own != spec.gpus_per_node:
            faults.append(f"{own} ranks worked on {host}, {spec.gpus_per_node} a node by the spec")
    begun_on = case.started.get("host", case.rank_0.host)
    if begun_on != case.rank_0.host:
        faults.append(f"rank 0 started on {begun_on}, but worked on {case.rank_0.host}")
    faults += _writer_faults(case)
    if wrote - hosts:
        faults.append(f"no watcher on {sorted(wrote - hosts)[0]}")
    return judged(faults, f"{spec.gpus} ranks on {spec.nodes} watched hosts")


def _writer_faults(case: Case) -> Iterator[str]:
    """Shards whose writer says that it is another rank than the one whose name they have."""
    for name, said in case.shard_metadata():
        rank = name.rpartition("/rank-")[2]
        if rank.isdigit() and said.get("rank", int(rank)) != int(rank):
            yield f"{name} was written by rank {said['rank']}"


def gpus_distinct(case: Case) -> Finding:
    """No GPU is counted for two ranks, and spans, registrations and hosts name the same one."""
    registered = {int(rank["rank"]): rank for rank in case.run.manifest["ranks"]}
    uuids = [rank.gpu_uuid for rank in case.run_energy.ranks if rank.gpu_uuid is not None]
    if not uuids:
        if case.run.spec.gpu == _CPU:
            return skipped("no GPU was asked for")
        return failed(f"{case.run.spec.gpu} was asked for, and no rank has a GPU")
    faults = [
        f"{uuid} belongs to two ranks" for uuid in sorted(set(uuids)) if uuids.count(uuid) > 1
    ]
    for rank in case.run_energy.ranks:
        own = registered.get(rank.rank, {})
        seen = {rank.gpu_uuid, own.get("gpu_uuid"), _inventory_uuid(case, own)}
        if len(seen) > 1:
            names = ", ".join(sorted(str(uuid) for uuid in seen))
            faults.append(f"rank {rank.rank}: spans, registration and host name {names}")
        if pc.count_distinct(_spans_of(case, rank.rank)["gpu_uuid"], mode="all").as_py() > 1:
            faults.append(f"rank {rank.rank}: its spans name several GPUs")
        if pc.count_distinct(_spans_of(case, rank.rank)["host"]).as_py() > 1:
            faults.append(f"rank {rank.rank}: its spans name several hosts")
    return judged(faults, f"{len(set(uuids))} GPUs, one a rank")


def _inventory_uuid(case: Case, registration: dict[str, Any]) -> str | None:
    gpus = case.run.hosts.get(registration.get("host", ""), {}).get("gpus", [])
    local_rank = int(registration.get("local_rank", 0))
    return str(gpus[local_rank]["uuid"]) if local_rank < len(gpus) else None


def _spans_of(case: Case, rank: int) -> pa.Table:
    return case.run.spans.filter(pc.equal(case.run.spans["rank"], rank))
