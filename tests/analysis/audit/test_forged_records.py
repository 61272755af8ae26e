"""Falsified records of their own kinds: simulated as real, nodes, checkpoints, repeats."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.audit.check import Outcome
from analysis.audit.run import audit_results
from telemetry.record.files import read_json
from telemetry.record.paths import RunPaths
from tests.analysis.audit.forging import (
    BASE,
    Columns,
    Forge,
    Json,
    close,
    copy,
    edit,
    edit_inventory,
    edit_shards,
    look,
    recompose,
    respec,
    saying,
    without,
)
from tests.support.records import Plan, build_run


def relabel_simulated(run: RunPaths) -> RunPaths:
    """A modelled A100 becomes a real one wherever a label says so."""
    moved = respec(run, gpu="a100")
    recompose(moved, gpu="a100")
    edit_inventory(moved, lambda gpu: gpu.update(simulated=False, name="NVIDIA A100 80GB PCIe"))
    edit_shards(moved, "*", metadata=lambda said: said.update(simulated=False))
    for path in moved.attempt(1).hosts.glob("*.json"):
        edit(path, lambda host: host.update(simulated=False))
    return close(moved)


def test_a_simulated_run_relabelled_as_a_real_board_fails(tmp_path: Path) -> None:
    run = relabel_simulated(build_run(tmp_path))
    assert look(run, "inventory").outcome is Outcome.FAILED
    assert "a power model gave the readings" in look(run, "inventory").evidence


NODES = Plan(
    spec={
        **{"gpu": "h200", "dtype": "fp16", "gpus": 4, "gpus_per_node": 2},
        "power_cap_w": 500.0,
    },
    gpu={"name": "NVIDIA H200", "kind": "h200"},
)


def drifted(clock: Json) -> None:
    if clock["host"] == "node1":
        clock["end"].update(offset_us=300_000)


def offset(**changes: int) -> Callable[[Json], object]:
    def change(clock: Json) -> None:
        if clock["host"] == "node1":
            for moment in ("start", "end"):
                clock[moment].update(changes)

    return change


@pytest.mark.parametrize(
    ("forge", "evidence"),
    [
        (saying("clocks/*.json", offset(offset_us=300_000)), "0.300 s off"),
        (saying("clocks/*.json", offset(error_us=10_000_000)), "known to 10.000 s"),
        (saying("clocks/*.json", offset(error_us=1)), "known to 1 us by a round trip of 20 us"),
        (
            saying("clocks/*.json", lambda clock: clock.update(reference_host="node1")),
            "not against rank 0's node0",
        ),
        (without("clocks/*.json"), "its clock is not on record"),
        (
            saying("clocks/node1.json", lambda clock: clock.update(host="node0")),
            "the clock on record as its own is of node0",
        ),
        (saying("clocks/*.json", drifted), "its clock moved by 0.3000 s"),
    ],
)
def test_clocks_that_cannot_be_fail(tmp_path: Path, forge: Forge, evidence: str) -> None:
    run = build_run(tmp_path, NODES)
    assert look(run, "host-clocks").outcome is Outcome.PASSED
    finding = look(forge(run), "host-clocks")
    assert finding.outcome is Outcome.FAILED
    assert evidence in finding.evidence


FILES = [{"name": "model.safetensors", "sha256": "ab" * 32}]
DIGEST = "sha256-" + hashlib.sha256(f"{'ab' * 32}  model.safetensors\n".encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("weights", "outcome"),
    [
        ({"digest": DIGEST, "files": FILES}, Outcome.PASSED),
        ({"digest": DIGEST}, Outcome.PASSED),
        ({"digest": "sha256-0123456789abcdef"}, Outcome.FAILED),
        ({"digest": DIGEST, "files": [{**FILES[0], "sha256": "cd" * 32}]}, Outcome.FAILED),
    ],
)
def test_a_checkpoint_is_the_one_that_its_files_digests_name(
    tmp_path: Path, weights: Json, outcome: Outcome
) -> None:
    plan = Plan(
        spec={"weights": DIGEST},
        model={"weights": {"kind": "checkpoint", **weights}},
        launch={"weights_path": "/checkpoints/nano"},
    )
    assert look(build_run(tmp_path, plan), "model").outcome is outcome


def noisy(row: Json) -> Json:
    """Every reading of power has noise of its own, as a sensor's has."""
    if row["field"] != "power_instant_w":
        return row
    drawn_of = hashlib.sha256(f"{row['t_us']} {row['device']}".encode()).digest()
    return {**row, "value": row["value"] + int.from_bytes(drawn_of[:2], "little") / 10_000}


def test_a_node_that_is_a_copy_of_another_fails(tmp_path: Path) -> None:
    run = build_run(tmp_path, replace(NODES, sample=noisy))
    assert look(run, "copies").outcome is Outcome.PASSED
    values: dict[tuple[int, str], float] = {}

    def keep_or_take(columns: Columns) -> None:
        rows = list(zip(columns["t_us"], columns["device"], columns["field"], strict=True))
        for at, (t_us, device, field) in enumerate(rows):
            if field != "power_instant_w":
                continue
            if columns["host"][at] == "node0":
                values[t_us, device.rpartition("-")[2]] = columns["value"][at]
            else:
                local = device.rpartition("-")[2]
                columns["value"][at] = values[t_us, local]

    edit_shards(run, "samples", keep_or_take)
    finding = look(close(run), "copies")
    assert finding.outcome is Outcome.FAILED
    assert "on node1 is a copy of" in finding.evidence


def test_a_repeat_that_is_a_copy_fails(base: RunPaths, tmp_path: Path) -> None:
    copy(base, tmp_path)
    close(respec(copy(base, tmp_path / "aside"), repeat=1)).folder.rename(tmp_path / "moved")
    run_id = read_json(tmp_path / "moved" / "attempt-001" / "seal.json")["run_id"]
    (tmp_path / "moved").rename(tmp_path / run_id)
    (line,) = [line for line in audit_results(tmp_path) if line.name == "copies"]
    assert line.outcome is Outcome.FAILED
    assert f"in {BASE}" in line.evidence
