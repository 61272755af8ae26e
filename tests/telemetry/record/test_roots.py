"""A root is one hash of all seals, and tells what became of them."""

import hashlib
from pathlib import Path

import pytest

from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths
from telemetry.record.roots import Root, list_roots, merkle_root
from tests.support.records import Plan, build_run


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    return build_run(tmp_path / "results", Plan())


def _hash(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def test_the_tree_is_that_of_rfc_6962() -> None:
    a, b, c = (_hash(b"\0", leaf) for leaf in (b"a", b"b", b"c"))
    assert merkle_root([]) == _hash()
    assert merkle_root([b"a"]) == a
    assert merkle_root([b"a", b"b", b"c"]) == _hash(b"\1", _hash(b"\1", a, b), c)
    # Google's certificate-transparency test vectors: the root of eight leaves.
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    leaves.append("606162636465666768696a6b6c6d6e6f")
    assert merkle_root([bytes.fromhex(leaf) for leaf in leaves]).hex() == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )


def test_a_kept_root_is_read_again(run: RunPaths) -> None:
    root = Root.take(run.results)
    path = root.keep(run.results)
    assert list_roots(run.results) == [path]
    assert Root.read(path) == root
    assert root.faults(run.results) == []


def test_a_seal_that_was_made_again_is_told(run: RunPaths) -> None:
    root = Root.take(run.results)
    seal = run.attempt(1).seal
    write_json(seal, {**read_json(seal), "sealed_us": 1})
    assert root.faults(run.results) == [
        f"{run.run_id}/attempt-001/seal.json: changed since the root was taken"
    ]


def test_a_run_that_was_taken_away_is_told(run: RunPaths) -> None:
    root = Root.take(run.results)
    run.attempt(1).seal.unlink()
    assert [fault.rpartition(": ")[2] for fault in root.faults(run.results)] == [
        "missing since the root was taken"
    ]


def test_a_root_whose_seals_were_edited_is_none(run: RunPaths) -> None:
    path = Root.take(run.results).keep(run.results)
    content = read_json(path)
    content["seals"] = dict.fromkeys(content["seals"], "0" * 64)
    write_json(path, content)
    with pytest.raises(ValueError, match=r"`root_sha256` of .* must be"):
        Root.read(path)


def test_nothing_sealed_has_no_root(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`seals` must hold at least one seal"):
        Root.take(tmp_path)
