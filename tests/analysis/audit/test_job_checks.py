"""The job had its GPUs and nodes to itself, and all that it was lent was watched."""

from pathlib import Path
from typing import Any

import pytest

from analysis.audit.check import Finding, Outcome
from telemetry.record.files import write_json
from tests.analysis.audit.forging import close, edit, edit_inventory, look
from tests.support.records import Plan, build_run

REAL = {"gpu": "a100", "gpus": 2, "gpus_per_node": 2}
# As Slurm 22.05 tells it, but for what names somebody.
SHOWN = (
    "JobId=6 ArrayJobId=4 ArrayTaskId=0\n   Priority=4294901757 Nice=0 Account=(null)\n"
    "   NodeList=node0\n   NumNodes=1 NumCPUs=64 NumTasks=1 CPUs/Task=1 ReqB:S:C:T=0:0:*:*\n"
    "   {resources}\n   Socks/Node=* NtasksPerN:B:S:C=1:0:*:*\n"
    "     Nodes=node0 CPU_IDs=0-63 Mem=64000 GRES=gpu:a100:2(IDX:0-1)\n"
    "   OverSubscribe={shared} Contiguous=0 Licenses=(null)\n"
)
RESOURCES = "TRES=cpu=64,mem=62.50G,node=1,billing=64,gres/gpu=2"


def looked(
    results: Path,
    name: str,
    *,
    shared: str = "NO",
    resources: str = RESOURCES,
    nodes: int = 1,
    books: str | None = None,
    plan: Plan | None = None,
) -> Finding:
    """What a check finds in a run under Slurm, as Slurm tells of it."""
    run = build_run(results, plan or Plan(spec=REAL))
    folder = run.attempt(1).folder
    shown = SHOWN.format(resources=resources, shared=shared)
    names = [f"node{number}" for number in range(nodes)]
    write_json(folder / "slurm.json", {"nodes": names, "scontrol_show_job": shown})
    if books is not None:
        rows = [{"JobID": "4_0", "AllocTRES": books}, {"JobID": "4_0.batch", "AllocTRES": "cpu=1"}]
        write_json(folder / "slurm_accounting.json", {"rows": rows})
    whole: dict[str, Any] = {"slurm": {"exclusive": True}}
    edit(run.attempt(1).provenance, lambda said: said["config"].update(cluster=whole))
    return look(close(run), name)


def test_whole_nodes_and_all_gpus_pass(tmp_path: Path) -> None:
    exclusive = looked(tmp_path / "a", "exclusive")
    assert exclusive.outcome is Outcome.PASSED
    assert exclusive.evidence == "no other process on 2 GPUs, whole nodes"
    allocation = looked(tmp_path / "b", "allocation")
    assert (allocation.outcome, allocation.evidence) == (Outcome.PASSED, "2 GPUs of 1 node")


def test_nodes_that_were_to_be_whole_and_were_shared_are_caught(tmp_path: Path) -> None:
    assert looked(tmp_path, "exclusive", shared="OK").outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("resources", "nodes", "books"),
    [
        (RESOURCES.replace("gpu=2", "gpu=8"), 1, None),
        (RESOURCES.replace("gpu=2", "gpu=1"), 1, None),
        ("AllocTRES=cpu=64,gres/gpu:a100=4,gres/gpu:h100=4", 1, None),
        (RESOURCES, 2, None),
        ("", 1, "cpu=64,gres/gpu:a100=4,gres/gpu=4,node=1"),
    ],
)
def test_what_was_lent_and_not_watched_is_missed(
    resources: str, nodes: int, books: str | None, tmp_path: Path
) -> None:
    found = looked(tmp_path, "allocation", resources=resources, nodes=nodes, books=books)
    assert found.outcome is Outcome.FAILED
    assert "Slurm lent" in found.evidence


def test_idle_gpus_of_the_allocation_are_counted_and_told(tmp_path: Path) -> None:
    plan = Plan(spec=REAL, idle_gpus=2)
    found = looked(tmp_path, "allocation", resources=RESOURCES.replace("=2", "=4"), plan=plan)
    assert found.outcome is Outcome.PASSED, found
    assert found.evidence == "4 GPUs of 1 node, 2 of them idle"


def test_slurm_that_tells_no_gpus_is_no_pass(tmp_path: Path) -> None:
    assert looked(tmp_path, "allocation", resources="TRES=cpu=64").outcome is Outcome.UNSEEN


def test_a_process_before_the_ranks_is_caught(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan(spec=REAL))
    edit_inventory(run, lambda gpu: gpu.update(compute_processes=1))
    found = look(close(run), "exclusive")
    assert found.outcome is Outcome.FAILED
    assert "before the ranks did" in found.evidence


def test_a_process_that_came_meanwhile_is_caught(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan(spec=REAL))
    event = {"what": "foreign_processes", "t_us": 1, "device": "GPU-1", "processes": 2}
    edit(run.attempt(1).watchers / "node0.json", lambda log: log.update(events=[event]))
    assert look(close(run), "exclusive").outcome is Outcome.FAILED


def test_processes_that_nobody_counted_are_no_pass(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan(spec=REAL))
    edit_inventory(run, lambda gpu: gpu.pop("compute_processes"))
    assert look(close(run), "exclusive").outcome is Outcome.UNSEEN


def test_outside_of_a_batch_system_nothing_was_lent(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan(spec=REAL))
    assert look(run, "allocation").outcome is Outcome.SKIPPED
    assert look(run, "exclusive").outcome is Outcome.PASSED
