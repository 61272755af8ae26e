"""Texts are their ids', nodes and repeats are alike, and every batch is its own."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from analysis.audit.check import Outcome
from analysis.audit.pieces import Pieces
from telemetry.record.paths import RunPaths
from tests.analysis.audit.forging import (
    Columns,
    Json,
    close,
    copy,
    edit,
    edit_inventory,
    edit_shards,
    look,
    look_at_all,
    recompose,
    respec,
)
from tests.support.records import Plan, build_run
from workers.tokenizers.tokenizer import BUNDLED_MODEL


def test_ids_read_back_as_sentencepiece_reads_them() -> None:
    model = BUNDLED_MODEL.read_bytes()
    pieces = Pieces.parse(model)
    processor = sentencepiece.SentencePieceProcessor()
    processor.LoadFromSerializedProto(model)
    rng = np.random.default_rng(1)
    # Control pieces and bytes are the first ids; the last is a space alone.
    space = len(pieces.texts) - 98
    for count in (1, 2, 3, 8, 40):
        for _ in range(100):
            ids = [int(one) for one in rng.integers(0, 32_000, count)]
            low = rng.integers(0, 300, count)
            ids = [int(a) if rng.random() < 0.4 else b for a, b in zip(low, ids, strict=True)]
            ids = [space, *ids] if rng.random() < 0.2 else ids
            assert pieces.text(ids) == processor.decode(ids), ids


def test_a_million_broken_bytes_take_no_longer_than_they_must() -> None:
    pieces = Pieces.parse(BUNDLED_MODEL.read_bytes())
    byte = pieces.texts.index("<0xFF>")
    assert pieces.text([byte] * 1_000_000) == "\ufffd" * 1_000_000
    space = pieces.texts.index("\u2581")
    assert pieces.text([space] * 1_000_000) == " " * 999_999


def exchanged(columns: Columns) -> None:
    columns["text"][3], columns["text"][4] = columns["text"][4], columns["text"][3]
    columns["words"][3], columns["words"][4] = columns["words"][4], columns["words"][3]


def far_id(columns: Columns) -> None:
    columns["generated_ids"][2][5] = 10**9


def negative_id(columns: Columns) -> None:
    columns["generated_ids"][2][5] = -1


def another_id(columns: Columns) -> None:
    ids = columns["generated_ids"][2]
    ids[5] = 400 if ids[5] != 400 else 401


@pytest.mark.parametrize("change", [exchanged, far_id, negative_id, another_id])
def test_a_text_that_is_not_its_ids_is_caught(
    change: Callable[[Columns], None], base: RunPaths, tmp_path: Path
) -> None:
    run = copy(base, tmp_path)
    edit_shards(run, "responses", columns=change)
    assert look(close(run), "texts").outcome is Outcome.FAILED


def test_a_tokenizer_that_is_not_at_hand_is_no_pass(base: RunPaths, tmp_path: Path) -> None:
    assert look(base, "texts").outcome is Outcome.PASSED
    run = copy(base, tmp_path)
    edit_shards(run, "responses", metadata=lambda said: said["tokenizer"].update(sha256="0" * 64))
    assert look(close(run), "texts").outcome is Outcome.UNSEEN


def test_a_run_on_two_drivers_is_caught(base: RunPaths, tmp_path: Path) -> None:
    assert look(base, "nodes-alike").outcome is Outcome.PASSED
    run = copy(base, tmp_path)

    def older(gpu: Json) -> None:
        if gpu["index"] == 2:
            gpu["vbios"] = "96.00.A5.00.02"

    edit_inventory(run, older)
    found = look(close(run), "nodes-alike")
    assert found.outcome is Outcome.FAILED
    assert "GPU's vbios differs" in found.evidence


NODES = Plan(spec={"gpus": 4, "gpus_per_node": 2})


@pytest.mark.parametrize(
    ("file", "change", "told"),
    [
        ("hosts/node1.json", lambda host: host["platform"].update(kernel="6.9"), "kernel"),
        ("ranks/rank-00002.json", lambda rank: rank.update(code_sha256="1"), "code_sha256"),
        ("ranks/rank-00002.json", lambda rank: rank.update(software={"torch": "2.0"}), "torch"),
        ("ranks/rank-00002.json", lambda rank: rank.update(container="other.sif"), "container"),
    ],
)
def test_a_node_with_other_code_or_packages_is_caught(
    file: str, change: Callable[[Json], None], told: str, tmp_path: Path
) -> None:
    run = build_run(tmp_path, NODES)
    same = {"code_sha256": "0", "software": {"torch": "2.13"}, "container": "one.sif"}
    for path in run.attempt(1).ranks.glob("*.json"):
        edit(path, lambda rank: rank.update(same))
    assert look(close(run), "nodes-alike").outcome is Outcome.PASSED
    edit(run.attempt(1).folder / file, change)
    found = look(close(run), "nodes-alike")
    assert found.outcome is Outcome.FAILED
    assert told in found.evidence


def test_a_repeat_from_another_commit_is_caught_and_another_point_s_told(tmp_path: Path) -> None:
    other = {"git": {"commit": "f" * 40, "dirty": False}}
    build_run(tmp_path, Plan())
    build_run(tmp_path, Plan(spec={"repeat": 1}))
    build_run(tmp_path, Plan(spec={"seed": 2}, provenance=other))
    found = look_at_all(tmp_path, "repeats-alike")[""]
    assert found.outcome is Outcome.PASSED
    assert "commit differs" in found.evidence
    build_run(tmp_path, Plan(spec={"repeat": 2}, provenance=other))
    assert look_at_all(tmp_path, "repeats-alike")[""].outcome is Outcome.FAILED


def twin(base: RunPaths, tmp_path: Path, **changes: int) -> tuple[RunPaths, RunPaths]:
    """The run, and beside it another of the same bytes under a changed spec; not closed yet."""
    run = copy(base, tmp_path)
    other = respec(copy(base, tmp_path / "other"), **changes)
    recompose(other, **{name: value for name, value in changes.items() if name != "repeat"})
    shutil.move(other.folder, tmp_path / other.run_id)
    shutil.rmtree(other.results)
    return run, RunPaths(results=tmp_path, run_id=other.run_id)


def test_batches_told_again_are_caught_wherever_they_are_moved(
    base: RunPaths, tmp_path: Path
) -> None:
    _, other = twin(base, tmp_path, repeat=1)

    def later(columns: Columns) -> None:
        columns["t_us"] = [t_us + 3_600_000_000 for t_us in columns["t_us"]]

    edit_shards(other, "steps", columns=later)
    close(other)
    found = look_at_all(tmp_path, "own-batches")
    assert found[base.run_id].outcome is Outcome.PASSED
    assert found[other.run_id].outcome is Outcome.FAILED
    assert "has the times of batch" in found[other.run_id].evidence


def test_one_batch_told_twice_in_a_run_is_caught(base: RunPaths, tmp_path: Path) -> None:
    run = copy(base, tmp_path)

    def doubled(columns: Columns) -> None:
        first = [
            t for t, batch in zip(columns["t_us"], columns["batch"], strict=True) if batch == 1
        ]
        places = [at for at, batch in enumerate(columns["batch"]) if batch == 2]
        by_us = columns["t_us"][places[0]] - first[0]
        for at, t_us in zip(places, first, strict=True):
            columns["t_us"][at] = t_us + by_us

    edit_shards(run, "steps", columns=doubled)
    assert look(close(run), "own-batches").outcome is Outcome.FAILED


def test_draws_of_another_seed_are_caught(base: RunPaths, tmp_path: Path) -> None:
    _, other = twin(base, tmp_path, seed=9)

    def jittered(columns: Columns) -> None:
        columns["t_us"] = [t_us + at % 7 for at, t_us in enumerate(columns["t_us"])]

    edit_shards(other, "steps", columns=jittered)
    close(other)
    found = look_at_all(tmp_path, "own-batches")
    failed = [one for one in found.values() if one.outcome is Outcome.FAILED]
    assert len(failed) == 1
    assert "tokens are those of" in failed[0].evidence
