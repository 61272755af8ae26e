"""On a login node `gpu=auto` is what Slurm says of the nodes; several or none are one line."""

import dataclasses
from collections.abc import Sequence

import pytest

from launcher.config.command_line import read_points
from launcher.plan.boards import BoardFinder
from launcher.plan.cluster import Cluster
from launcher.slurm.partitions import Partition, PartitionFinder
from launcher.slurm.queue import SlurmError
from telemetry.boards.agreement import board_fault
from telemetry.boards.board import GIB

LINE = "PartitionName={name} Default={default} MaxNodes=UNLIMITED MaxTime=UNLIMITED TotalNodes=4"
# `sinfo --Node --format=%G|%f` of centers, a node a line: types by hand, by AutoDetect=nvml, none.
ONE_KIND = ["gpu:a100:4|gpu,hbm80g"] * 10
SMALL = ["gpu:a100:4(S:0-1)|gpu,hbm40g"] * 3
DETECTED = ["gpu:nvidia_h100_80gb_hbm3:8(S:0-1)|(null)"] * 2
UNTYPED = ["gpu:2(S:0)|xeon-g6,tesla_v100,opa"] * 5
MIXED = ["gpu:a100:4|ib"] * 10 + ["gpu:tesla_v100:2|ib"] * 4
UNNAMED = ["gpu:4|ib,skylake"] * 2
NO_ROW = ["gpu:rtx_3090:8|ib"]
SLICES = ["gpu:a100_1g.5gb:7|mig"]
NONE = ["(null)|cpu"] * 20
UNEQUAL = ["gpu:a100:4|ib"] * 3 + ["gpu:a100:8|ib"]


class Recorded(PartitionFinder):
    """Partitions from recorded texts; the first is the default one."""

    def __init__(self, **nodes: Sequence[str]) -> None:
        super().__init__()
        for name, lines in nodes.items():
            line = LINE.format(name=name, default="NO")
            parts = [text.partition("|") for text in lines]
            partition = Partition.read(line, [part[0] for part in parts], [p[2] for p in parts])
            self._known.setdefault(None, (partition,))
            self._known[name] = (partition,)

    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self._known if name)


class Silent(PartitionFinder):
    def find(self, names: str | None) -> tuple[Partition, ...]:
        del names
        raise SlurmError("scontrol: Unable to contact slurm controller; and more")


def settle(partitions: PartitionFinder, *words: str) -> tuple[object, Cluster, tuple[str, ...]]:
    [point] = read_points(["cluster=slurm", *words])
    finder = BoardFinder(partitions=partitions)
    cluster = Cluster.from_mapping(point.config["cluster"])
    gpu, cluster = finder.settle(point.config["gpu"], cluster)
    return gpu, cluster, finder.notes


@pytest.mark.parametrize(
    ("nodes", "board", "per_node"),
    [
        (ONE_KIND, "a100", 4),
        (SMALL, "a100-40gb", 4),
        (DETECTED, "h100", 8),
        (UNTYPED, "v100", 2),
        (UNEQUAL, "a100", 4),
    ],
)
def test_a_center_with_one_kind_of_board_needs_no_word_of_it(
    nodes: list[str], board: str, per_node: int
) -> None:
    gpu, cluster, (note,) = settle(Recorded(gpu=nodes))
    assert (gpu, cluster.gpus_per_node, cluster.device) == (board, per_node, "cuda")
    assert note.startswith(f"gpu={board}, as Slurm says gpu")
    assert "the nodes' driver must name it" in note


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (MIXED, "gpu:a100:4 (a100) on 10 nodes of gpu; gpu:tesla_v100:2 (v100) on 4 nodes of gpu"),
        (UNNAMED, "gpu:4 on 2 nodes of gpu, features ib,skylake; boards are v100,"),
        (NO_ROW, "gpu:rtx_3090:8 on 1 node of gpu"),
        (SLICES, "gpu:a100_1g.5gb:7 on 1 node of gpu"),
    ],
)
def test_several_boards_or_none_by_name_are_one_line_that_lists_what_there_is(
    nodes: list[str], said: str
) -> None:
    with pytest.raises(ValueError, match="`gpu` must name the nodes' board") as caught:
        settle(Recorded(gpu=nodes))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_default_partition_without_gpus_is_told_with_those_that_have_some() -> None:
    with pytest.raises(ValueError, match="the default partition has none") as caught:
        settle(Recorded(cpu=NONE, gpu=ONE_KIND))
    assert "gpu:a100:4 (a100) on 10 nodes of gpu" in str(caught.value)
    gpu, _, _ = settle(Recorded(cpu=NONE, gpu=ONE_KIND), "cluster.slurm.partition=gpu")
    assert gpu == "a100"


def test_a_type_or_a_feature_that_is_asked_for_decides_between_boards() -> None:
    gpu, cluster, _ = settle(Recorded(gpu=MIXED), "cluster.slurm.gpu_type=tesla_v100")
    assert (gpu, cluster.gpus_per_node) == ("v100", 2)
    both = Recorded(gpu=[*ONE_KIND, *SMALL])
    gpu, _, _ = settle(both, "cluster.slurm.constraint=hbm40g")
    assert gpu == "a100-40gb"


def test_a_board_named_beside_others_is_asked_for_by_its_type() -> None:
    gpu, cluster, notes = settle(Recorded(gpu=MIXED), "gpu=v100")
    assert cluster.slurm is not None
    assert (gpu, cluster.slurm.gpu_type, cluster.gpus_per_node) == ("v100", "tesla_v100", 2)
    assert notes == ("cluster.slurm.gpu_type=tesla_v100 is asked for, as gpu=v100",)
    _, alone, _ = settle(Recorded(gpu=ONE_KIND), "gpu=a100")
    assert alone.slurm is not None
    assert alone.slurm.gpu_type is None


def test_gpus_of_a_node_that_are_given_are_not_asked_for() -> None:
    _, cluster, _ = settle(Recorded(gpu=ONE_KIND), "cluster.gpus_per_node=2")
    assert cluster.gpus_per_node == 2


def test_where_slurm_is_silent_a_named_board_goes_on_with_a_stated_count_and_auto_does_not() -> (
    None
):
    gpu, cluster, notes = settle(Silent(), "gpu=a100")
    assert (gpu, cluster.gpus_per_node) == ("a100", 8)
    assert "cluster.gpus_per_node=8 is taken, as Slurm does not tell" in notes[0]
    with pytest.raises(ValueError, match="as Slurm does not tell, but is auto instead: scontrol"):
        settle(Silent())


def test_a_cluster_that_computes_on_cpu_has_its_stand_in() -> None:
    gpu, cluster, _ = settle(Recorded(gpu=ONE_KIND), "cluster.device=cpu")
    assert (gpu, cluster.gpus_per_node) == ("simulated-a100", 4)
    assert dataclasses.asdict(cluster)["device"] == "cpu"


def test_what_the_node_s_driver_then_names_must_agree() -> None:
    gpu, _, _ = settle(Recorded(gpu=["gpu:a100:4|ib"]))
    entry = {"simulated": False, "uuid": "GPU-1", "memory_bytes": 40 * GIB}
    fault = board_fault(str(gpu), {**entry, "name": "NVIDIA A100-SXM4-40GB"})
    assert "that board is gpu=a100-40gb" in str(fault)
    entry["memory_bytes"] = 80 * GIB
    assert board_fault(str(gpu), {**entry, "name": "NVIDIA A100-SXM4-80GB"}) is None
