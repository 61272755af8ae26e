"""Ranks of several nodes: each tells the library its place on its node, and where it is reached."""

import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from telemetry.record.spec import RunSpec
from tests.support.engines import open_context
from tests.support.ranks import make_rank, run_gang, values_of
from tests.support.served import DOUBLE
from tests.workers.engines.vllm.test_engine import CPU, PROMPTS, work
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.engines.base.node_address import node_address
from workers.engines.registry import open_engine
from workers.engines.vllm.library import ADDRESS
from workers.models.random_weights import RandomWeights
from workers.planning.families import find_shape

NAMES = ("localhost", "127.0.0.1")
TOLD = ("RANK", "LOCAL_RANK", ADDRESS)


def on_its_node(rank: Rank, names: tuple[str, str]) -> Rank:
    """The rank as the only one of a node of its own."""
    place = {"local_rank": 0, "local_world": 1, "node": rank.rank, "nodes": 2}
    return dataclasses.replace(rank, **place, host=names[rank.rank])


def served(
    rank: Rank, spec: RunSpec, folder: Path, own: str | None
) -> tuple[list[list[int]], dict[str, str], int]:
    """What a rank answers, what it told the library, and the tensor parallelism it asked for."""
    sys.path.insert(0, str(DOUBLE))
    # Whatever this machine's name means.
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    os.environ.pop(ADDRESS, None)
    if own is not None:
        os.environ[ADDRESS] = own
    mine = on_its_node(rank, NAMES)
    with (
        open_rendezvous(mine, folder / "meeting.json") as rendezvous,
        open_mesh(rendezvous, degree=spec.gpus, device=CPU) as mesh,
    ):
        # Every rank is handed all of each parameter; the library takes its part.
        whole = RandomWeights(find_shape(spec.model), spec.seed, rank=0, degree=1)
        context = open_context(spec, CPU, rank=rank.rank, weights=whole)
        engine: Any = open_engine(dataclasses.replace(context, rank=mine))
        answers = engine.serve(PROMPTS, 3, [0, 1_000, 30_000], mesh.first_says)
        told = {name: os.environ[name] for name in TOLD}
        asked: int = engine.describe()["tensor_parallel_size"]
        engine.close()
        return answers.ids, told, asked


@pytest.mark.ranks
@pytest.mark.parametrize("own", [None, "10.9.8.7"])
def test_two_nodes_of_one_rank_each_answer_alike_and_know_their_places(
    spec: RunSpec, tmp_path: Path, own: str | None
) -> None:
    shared = work(spec, gpus=2, gpus_per_node=1)
    first, second = values_of(run_gang(2, served, shared, tmp_path, own))
    assert first[0] == second[0]
    assert all(len(ids) == 5 for ids in first[0])
    address = own or "127.0.0.1"
    assert [first[1][name] for name in TOLD] == ["0", "0", address]
    assert [second[1][name] for name in TOLD] == ["1", "0", address]
    assert first[2] == second[2] == 2


def lost(rank: Rank, folder: Path) -> str:
    """What a rank says whose neighbour's name means nothing to it."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    mine = on_its_node(rank, ("localhost", "no-such-node.invalid"))
    with (
        open_rendezvous(mine, folder / "meeting.json") as rendezvous,
        open_mesh(rendezvous, degree=2, device=CPU),
    ):
        try:
            return node_address(mine, ADDRESS)
        except RuntimeError as error:
            return str(error)


@pytest.mark.ranks
def test_a_node_whose_name_means_nothing_is_told_in_one_line(tmp_path: Path) -> None:
    first, second = values_of(run_gang(2, lost, tmp_path))
    assert first.startswith("localhost must have a way to no-such-node.invalid, but:")
    assert first.endswith(f"set {ADDRESS} on each")
    assert "\n" not in first
    assert second == "127.0.0.1"


def test_a_node_alone_asks_nobody() -> None:
    assert node_address(make_rank(1, 2), ADDRESS) == "127.0.0.1"
