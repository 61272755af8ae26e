"""What a partition has and allows decides before a job would wait for ever."""

import pytest

from launcher.slurm.partitions import Partition, PartitionFinder
from launcher.slurm.queue import SlurmError

# What `scontrol --oneliner show partition` of Slurm 22.05 says, less the fields that do not matter.
LINE = (
    "PartitionName=gpu AllowGroups=ALL Default=YES QoS=N/A MaxNodes=UNLIMITED MaxTime=UNLIMITED "
    "MinNodes=0 Nodes=n[1-4] State=UP TotalCPUs=256 TotalNodes=4 "
    "TRES=cpu=256,mem=250G,node=4,billing=256,gres/gpu=8"
)
GRES = ["gpu:a100:2", "gpu:a100:2(S:0-1)", "gpu:a100:1,gpu:h100:4(S:0)", "(null)"]


def fault(line: str = LINE, **changes: object) -> str | None:
    asked = {"nodes": 1, "minutes": 60, "gpus": 0, "gpu_type": None, "qos": False, **changes}
    return Partition.read(line, GRES).fault(**asked)  # type: ignore[arg-type]


def test_a_job_that_fits_has_no_fault() -> None:
    assert fault(nodes=4, minutes=525_600) is None
    assert fault(nodes=3, gpus=1) is None
    assert fault(nodes=1, gpus=5) is None


def test_more_nodes_than_there_are_wait_for_ever_whatever_the_quality_of_service() -> None:
    for qos in (False, True):
        assert fault(nodes=8, qos=qos) == "needs 8 nodes, but partition gpu has 4"


def test_a_partition_whose_nodes_come_on_demand_is_left_to_slurm() -> None:
    assert fault(LINE.replace("TotalNodes=4", "TotalNodes=0"), nodes=8, gpus=8) is None


@pytest.mark.parametrize(
    ("change", "asked", "said"),
    [
        ("MaxNodes=2", {"nodes": 3}, "needs 3 nodes, but partition gpu lets a job have 2"),
        ("MaxTime=00:30:00", {"minutes": 31}, "must be at most 30, the time that partition gpu"),
        ("MaxTime=1-02:00:00", {"minutes": 1561}, "must be at most 1560"),
        ("MaxTime=2-00:00:59", {"minutes": 2881}, "must be at most 2880"),
    ],
)
def test_what_a_partition_allows_binds_but_where_a_quality_of_service_may_lift_it(
    change: str, asked: dict[str, int], said: str
) -> None:
    key = change.partition("=")[0]
    line = LINE.replace(f"{key}=UNLIMITED", change)
    assert said in str(fault(line, **asked))
    assert fault(line, **asked, qos=True) is None


def test_gpus_of_a_node_are_counted_by_type_where_one_is_named() -> None:
    assert fault(nodes=2, gpus=5) == (
        "needs 5 GPUs on each of 2 nodes, but 1 nodes of partition gpu have so many; the most is 5"
    )
    assert "have so many; the most is 4" in str(fault(gpus=5, gpu_type="h100"))
    assert "GPUs of type v100" in str(fault(gpus=1, gpu_type="v100"))
    assert fault(gpus=4, gpu_type="h100") is None


def test_a_slurm_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(command: list[str]) -> str:
        asked.append(command)
        raise SlurmError("scontrol: no controller")

    monkeypatch.setattr("launcher.slurm.partitions.ask_slurm", refuse)
    finder = PartitionFinder()
    for partition in (None, "gpu", None):
        with pytest.raises(SlurmError, match="no controller"):
            finder.fault(partition, nodes=1, minutes=1, gpus=0, gpu_type=None, qos=False)
    assert len(asked) == 1
