"""Ranks of several nodes form one group, every node is watched, and the record is audited."""

import subprocess
import sys
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from analysis.audit.chain_checks import CHAIN_CHECKS
from analysis.audit.chains import read_shards, seen_in
from analysis.audit.check import Case, Outcome
from telemetry.record.clock_offset import HostOffset
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, RunPaths, list_runs
from telemetry.record.schema import EndState
from tests.system.slurm.site import POINT, Site

# All nodes are this machine and share its clock.
MOST_OFFSET_US = 1_000


def check_record(attempt: AttemptPaths, nodes: int, ranks_per_node: int) -> None:
    """Every node's shards are in the record, and every rank has a GPU of its own node."""
    hosts = {f"n{number}" for number in range(1, nodes + 1)}
    ranks = [read_json(path) for path in sorted(attempt.ranks.glob("*.json"))]
    assert [rank["rank"] for rank in ranks] == list(range(nodes * ranks_per_node))
    assert {rank["host"] for rank in ranks} == hosts
    gpus = {rank["gpu_uuid"] for rank in ranks}
    assert len(gpus) == len(ranks)
    assert all(f"-{rank['host']}-" in rank["gpu_uuid"] for rank in ranks)
    samples = pq.read_table(
        attempt.table("samples"),
        columns=["host", "device"],
        filters=pc.field("field") == "power_instant_w",
    )
    assert set(samples["host"].to_pylist()) == hosts
    assert set(samples["device"].to_pylist()) == gpus
    spans = pq.read_table(attempt.table("spans"), columns=["rank", "host"])
    assert set(spans["rank"].to_pylist()) == set(range(len(ranks)))
    for host in hosts:
        offset = HostOffset.read(attempt.clocks / f"{host}.json")
        assert offset.reference_host == "n1"
        assert offset.end is not None
        for reading in (offset.start, offset.end):
            assert abs(reading.offset_us) <= reading.error_us <= MOST_OFFSET_US


def check_chains(attempt: AttemptPaths) -> None:
    """Each node's watcher signed what it wrote, and held the other's links and its ranks' ends."""
    shards = {shard.name: shard for shard in read_shards(attempt)}
    heads: dict[str, set[str]] = {
        name: {seen[0] for seen in seen_in(shard)} for name, shard in shards.items()
    }
    for host, other, ranks in (("n1", "n2", (0, 1)), ("n2", "n1", (2, 3))):
        assert f"samples/{other}/0" in heads[f"samples/{host}"]
        for rank in ranks:
            assert f"spans/rank-{rank:05d}/0" in heads[f"samples/{host}"]
            assert f"samples/{host}/0" in heads[f"spans/rank-{rank:05d}"]
        assert all(link.signature for link in shards[f"samples/{host}"].links())
    run = RunPaths(results=attempt.folder.parents[1], run_id=attempt.folder.parent.name)
    for check in CHAIN_CHECKS:
        finding = check.look(Case(run))
        assert finding.outcome is Outcome.PASSED, finding


def check_passes(attempt: AttemptPaths, *, prompts: int, batches: int) -> None:
    """All ranks stopped warming up and asking alike, by what rank 0 saw."""
    record = read_json(attempt.model)
    assert 3 <= record["warmup"]["batches"] <= 8
    passes = record["window"]["passes"]
    assert pq.read_metadata(attempt.table("responses")).num_rows == prompts * passes
    spans = pq.read_table(attempt.table("spans"), columns=["rank", "phase"])
    decoded = spans.filter(pc.field("phase") == "decode")["rank"].to_pylist()
    for rank in set(decoded):
        assert decoded.count(rank) == batches * passes


def audit(results: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "analysis.audit", str(results)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def run_sealed(
    site: Site, results: Path, nodes: int, ranks_per_node: int, *more: str
) -> AttemptPaths:
    words = (f"gpus={nodes * ranks_per_node}", f"cluster.gpus_per_node={ranks_per_node}", *more)
    # What two cores still do for the others' imports is no rest: the idle baseline takes its time.
    attempt = site.queue(results, *POINT, *words, "telemetry.idle_s=4")
    site.wait("the end's record", attempt.ended.is_file, patience_s=280.0)
    assert read_json(attempt.ended)["state"] == EndState.COMPLETED, attempt.ended.read_text()
    site.wait("the seal", attempt.seal.is_file)
    (run,) = list_runs(results)
    assert run.sealed() == attempt
    return attempt


def test_two_nodes_of_two_ranks_are_one_run(cluster: Site, tmp_path: Path) -> None:
    # A prompt more than batches of two hold: the last batch of each pass is smaller.
    words = (
        *("engine=fast", "prompts=5", "max_warmup_batches=8", "min_window_s=2"),
        *("telemetry.link_s=0.5", "telemetry.lodge_heads=true"),
    )
    attempt = run_sealed(cluster, tmp_path / "results", 2, 2, *words)
    check_record(attempt, 2, 2)
    assert cluster.job_state(attempt) == "COMPLETED"
    slurm = read_json(attempt.started)["slurm"]
    assert slurm["cluster"] == "devcluster"
    assert slurm["nodes"] == "n[1-2]"
    audit(tmp_path / "results")
    check_chains(attempt)
    begun, ended = read_json(attempt.heads)["heads"]
    job = ended["slurm"]["job"]
    comment = f"joulegrid:samples/n1/0:{ended['number']}:{ended['sha256']}"
    shown = cluster.slurm("scontrol", "show", "job", job).split()
    assert f"Comment={comment}" in shown, (ended, shown)
    assert begun["slurm"]["job"] == job
    assert begun["number"] < ended["number"]
    check_passes(attempt, prompts=5, batches=3)


@pytest.mark.slow
def test_four_nodes_of_eight_ranks_are_one_run(cluster: Site, tmp_path: Path) -> None:
    attempt = run_sealed(cluster, tmp_path / "results", 4, 8)
    check_record(attempt, 4, 8)
    audit(tmp_path / "results")


def test_two_points_share_nodes_without_a_port_in_common(cluster: Site, tmp_path: Path) -> None:
    results = tmp_path / "results"
    words = ("gpus=2", "cluster.gpus_per_node=1", "cluster.slurm.exclusive=false")
    throttle = "cluster.slurm.array_parallelism=2"
    done = cluster.launch(results, "-m", *POINT, *words, "seed=1,2", throttle)
    assert done.returncode == 0, done.stdout + done.stderr
    attempts = [run.attempts()[-1] for run in list_runs(results)]
    for attempt in attempts:
        assert cluster.wait_ended(attempt)["state"] == EndState.COMPLETED
    first, second = sorted(read_json(attempt.started)["t_us"] for attempt in attempts)
    ends = sorted(read_json(attempt.ended)["t_us"] for attempt in attempts)
    assert second < ends[0], "both ran at once"
    assert first < second
