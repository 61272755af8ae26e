"""Watchers of two nodes and a rank's writer hold each other's links while they work."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths
from telemetry.shards.chain import Binding
from telemetry.shards.links import Link, chain_path, list_chains, read_chain
from telemetry.watcher.heads import MOST_NODES, HeadReader, Heads
from telemetry.watcher.process import WatcherProcess
from tests.support.watched_attempts import make_attempt, shard_writer

PATIENCE_S = 30.0


def chain_of(attempt: AttemptPaths, host: str, number: int = 0) -> tuple[Link, ...]:
    path = chain_path(attempt.samples_shard(host), number)
    return read_chain(path).links if path.is_file() else ()


def seen_by(links: tuple[Link, ...], name: str) -> dict[int, str]:
    """Numbers and digests of a chain's links that others hold."""
    heads = (link.said["seen"].get(name) for link in links)
    return {head[0]: head[1] for head in heads if head is not None}


def wait_until(what: str, condition: Any) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"waited {PATIENCE_S:g} s for {what}"
        time.sleep(0.05)


def rank_writer(attempt: AttemptPaths, host: str, rank: int) -> Any:
    binding = Binding.of_rank(attempt, host, 0.0)
    return shard_writer(attempt, "spans", attempt.rank_shard("spans", rank), binding=binding)


def test_two_nodes_and_a_rank_hold_each_other_while_they_run_and_behind_a_death(
    tmp_path: Path,
) -> None:
    launch = {"period_ms": 50, "link_s": 0.2}
    run, attempt = make_attempt(tmp_path, launch=launch)
    write_json(attempt.provenance, {"t_us": 1})
    with (
        WatcherProcess(tmp_path, run.run_id, 1, "n1") as one,
        WatcherProcess(tmp_path, run.run_id, 1, "n2") as two,
    ):
        assert one.wait_ready(PATIENCE_S)["link_key"] == chain_of(attempt, "n1")[0].said["key"]
        two.wait_ready(PATIENCE_S)
        writer = rank_writer(attempt, "n1", 0)
        wait_until("n1", lambda: seen_by(chain_of(attempt, "n1"), "samples/n2/0"))
        wait_until("n2", lambda: seen_by(chain_of(attempt, "n2"), "samples/n1/0"))
        wait_until("the rank", lambda: seen_by(chain_of(attempt, "n1"), "spans/rank-00000/0"))
        killed = one.pid
        os.kill(killed, signal.SIGKILL)
        wait_until("another", lambda: read_json(attempt.host("n1"))["pid"] != killed)
        wait_until("its chain", lambda: seen_by(chain_of(attempt, "n2"), "samples/n1/1"))
        writer.close()
    first, second = (read_chain(path) for path in list_chains(attempt.samples_shard("n1")))
    assert first.head is not None
    assert second.links[0].said["previous"] == first.head.sha256
    assert second.links[0].said["key"] != first.links[0].said["key"]
    assert second.links[0].said["left"] == ["part-00000.arrows"]
    assert second.links[-1].kind == "end"
    for host, other in (("n1", "n2"), ("n2", "n1")):
        chains = [read_chain(path) for path in list_chains(attempt.samples_shard(other))]
        mine = [
            link
            for path in list_chains(attempt.samples_shard(host))
            for link in read_chain(path).links
        ]
        for chain in chains:
            for number, digest in seen_by(tuple(mine), f"samples/{other}/{chain.number}").items():
                assert chain.links[number].sha256 == digest
    (rank,) = (read_chain(path) for path in list_chains(attempt.rank_shard("spans", 0)))
    assert rank.head is not None
    assert seen_by(second.links, "spans/rank-00000/0")[rank.head.number] == rank.head.sha256
    assert rank.links[0].said["seen"]["samples/n1/0"][0] >= 0


def test_a_rank_of_another_node_is_that_node_s_to_hold(tmp_path: Path) -> None:
    _, attempt = make_attempt(tmp_path)
    for host, rank in (("n1", 0), ("n2", 1)):
        rank_writer(attempt, host, rank).close()
    assert set(Heads(attempt, "n1").look()[0]) == {"spans/rank-00000/0"}


def test_a_head_is_told_once_until_it_moves(tmp_path: Path) -> None:
    _, attempt = make_attempt(tmp_path)
    writer = rank_writer(attempt, "n1", 0)
    heads = Heads(attempt, "n1")
    assert len(heads.look()[0]) == 1
    assert heads.look() == ({}, True)
    writer.close()
    assert len(heads.look()[0]) == 1


def test_many_nodes_are_seen_in_turn(tmp_path: Path) -> None:
    _, attempt = make_attempt(tmp_path)
    hosts = [f"n{number:02d}" for number in range(2 * MOST_NODES + 1)]
    for host in hosts:
        binding = Binding.of_rank(attempt, host, 0.0)
        shard_writer(attempt, "samples", attempt.samples_shard(host), binding=binding).close()
    heads = Heads(attempt, "n00")
    first, second = heads.look(MOST_NODES)[0], heads.look(MOST_NODES)[0]
    assert len(first) == len(second) == MOST_NODES
    assert {name.split("/")[1] for name in first | second} == {*hosts} - {"n00"}


@pytest.mark.parametrize("damage", [b"", b"\0\0\0\n", b"{}\n"])
def test_what_cannot_be_read_of_others_keeps_nobody_from_ending(
    tmp_path: Path, damage: bytes
) -> None:
    _, attempt = make_attempt(tmp_path)
    shard = attempt.samples_shard("n2")
    shard.mkdir(parents=True)
    chain_path(shard, 0).write_bytes(damage)
    reader = HeadReader(attempt, "n1", 60.0)
    assert reader.last() == ({}, True)


def test_a_pipe_in_place_of_a_chain_is_not_waited_for(tmp_path: Path) -> None:
    _, attempt = make_attempt(tmp_path)
    shard = attempt.samples_shard("n2")
    shard.mkdir(parents=True)
    os.mkfifo(chain_path(shard, 0))
    assert HeadReader(attempt, "n1", 60.0).last() == ({}, False)
