"""What the links of a run say, and who is found by them that changed it afterwards."""

import builtins
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from analysis.audit.check import Outcome
from analysis.audit.run import audit_results
from telemetry.record.files import file_sha256, read_json, write_json
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.schema import SAMPLES
from telemetry.record.seal import seal_attempt
from telemetry.shards.links import MOST_CHAIN_BYTES, chain_path, link_line, list_chains, read_chain
from telemetry.shards.writer import ShardWriter, list_parts, shard_metadata
from tests.analysis.audit.forging import close, copy, edit, look
from tests.support.chains import (
    built_binding,
    drop_links,
    edit_part,
    ranks_of,
    relink,
    remake,
    remake_node,
    without_word,
)
from tests.support.records import Plan, build_run

CHECKS = ("chain", "link-keys", "countersigned")
TWO_NODES = Plan(
    spec={"gpus": 2, "gpus_per_node": 1}, part_rows=60, prefill_s=0.2, decode_s=0.5, overhead_s=0.1
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """A run of two nodes of a rank each, its samples in several parts."""
    return build_run(tmp_path_factory.mktemp("built"), TWO_NODES)


@pytest.fixture
def run(original: RunPaths, tmp_path: Path) -> RunPaths:
    """A copy of it, to be changed."""
    return copy(original, tmp_path / "results")


def outcomes(run: RunPaths) -> dict[str, str]:
    return {name: look(run, name).outcome.value for name in CHECKS}


def evidence(run: RunPaths, name: str) -> str:
    finding = look(run, name)
    assert finding.outcome is Outcome.FAILED, finding
    return finding.evidence


def scaled(table: pa.Table) -> pa.Table:
    """Every reading times 0.8."""
    at = table.schema.get_field_index("value")
    return table.set_column(at, table.schema.field(at), pc.multiply(table["value"], 0.8))


def first_part(attempt: AttemptPaths, host: str) -> Path:
    return attempt.samples_shard(host) / "part-00000.parquet"


def test_a_run_as_it_was_written_passes(original: RunPaths) -> None:
    assert set(outcomes(original).values()) == {"passed"}
    assert "unbroken links of 6 writers" in look(original, "chain").evidence
    assert "2 nodes" in look(original, "countersigned").evidence


def test_a_part_that_was_changed_and_sealed_again_is_not_what_its_link_says(run: RunPaths) -> None:
    edit_part(first_part(run.attempt(1), "node0"), scaled)
    said = evidence(close(run), "chain")
    assert "samples/node0/part-00000.parquet was changed after it was closed" in said


def test_a_part_that_was_taken_away_with_its_links_leaves_a_hole(run: RunPaths) -> None:
    attempt = run.attempt(1)
    shard = attempt.samples_shard("node0")
    (shard / "part-00001.parquet").unlink()
    path = chain_path(shard, 0)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b'"part":1,' not in line))
    assert "link 3 of samples/node0/chain-00000.jsonl has the number 5" in evidence(
        close(run), "chain"
    )


def test_a_part_that_was_taken_away_and_the_links_closed_up_has_no_signature(run: RunPaths) -> None:
    shard = run.attempt(1).samples_shard("node0")
    last = sorted(shard.glob("part-*.parquet"))[-1]
    last.unlink()
    gone = int(last.stem[-5:])
    relink(shard, lambda links: [link for link in links if link.get("part") != gone])
    run = close(run)
    assert look(run, "chain").outcome is Outcome.PASSED
    assert look(run, "link-keys").outcome is Outcome.FAILED


def test_a_part_without_its_link_and_a_link_without_its_part_are_found(run: RunPaths) -> None:
    shard = run.attempt(1).samples_shard("node1")
    last = sorted(shard.glob("part-*.parquet"))[-1]
    shutil.copy(last, shard / "part-00099.parquet")
    assert "no link holds samples/node1/part-00099.parquet" in evidence(close(run), "chain")
    (shard / "part-00099.parquet").unlink()
    last.unlink()
    assert "is in a link, and is not there" in evidence(close(run), "chain")


def test_a_last_link_that_was_made_without_the_key_is_not_signed_by_it(run: RunPaths) -> None:
    shard = run.attempt(1).samples_shard("node0")
    path = chain_path(shard, 0)
    end = read_chain(path).links[-1]
    drop_links(shard, 1)
    with path.open("ab") as sink:
        sink.write(link_line({**end.said, "seen": {}}, "00" * 64))
    run = close(run)
    assert look(run, "chain").outcome is Outcome.PASSED
    said = evidence(run, "link-keys")
    assert f"link {end.number} of samples/node0/chain-00000.jsonl is not signed" in said


def test_a_chain_remade_by_our_own_code_has_a_key_that_the_node_never_told_of(
    tmp_path: Path,
) -> None:
    run = build_run(tmp_path, Plan(spec={"gpus": 1, "gpus_per_node": 1}))
    remake(run.attempt(1), "samples/node0", scaled)
    run = close(run)
    assert look(run, "chain").outcome is Outcome.PASSED
    assert look(run, "countersigned").outcome is Outcome.SKIPPED
    assert look(run, "link-keys").outcome is Outcome.FAILED


def test_a_whole_node_made_again_with_a_new_key_is_not_what_the_other_node_saw(
    run: RunPaths,
) -> None:
    remake_node(run.attempt(1), "node0", scaled)
    run = close(run)
    assert look(run, "chain").outcome is Outcome.PASSED
    for name in ("link-keys", "countersigned"):
        assert "link 1 of samples/node1 saw link" in evidence(run, name)
        assert "which is another one now" in evidence(run, name)


def test_parts_that_were_swapped_between_nodes_are_found_with_their_links_and_without(
    run: RunPaths,
) -> None:
    attempt = run.attempt(1)
    first, other = (first_part(attempt, host) for host in ("node0", "node1"))
    kept = first.read_bytes()
    first.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    assert "was changed after it was closed" in evidence(close(run), "chain")
    other.write_bytes(first.read_bytes())
    first.write_bytes(kept)
    aside = attempt.folder / "aside"
    attempt.samples_shard("node0").rename(aside)
    attempt.samples_shard("node1").rename(attempt.samples_shard("node0"))
    aside.rename(attempt.samples_shard("node1"))
    attempt.seal.unlink()
    seal_attempt(run, attempt)
    assert "is the chain of samples/node1" in evidence(run, "chain")


@pytest.mark.parametrize("count", [1, 4])
def test_links_that_one_node_lost_at_its_end_are_missed(run: RunPaths, count: int) -> None:
    drop_links(run.attempt(1).samples_shard("node1"), count)
    run = close(run)
    wanted = "has no last link" if count == 1 else "no link holds samples/node1/part-"
    assert wanted in evidence(run, "chain")
    assert "which ends with link" in evidence(run, "link-keys")


def test_links_that_another_node_saw_cannot_be_lost_by_saying_that_the_writer_died(
    run: RunPaths,
) -> None:
    attempt = run.attempt(1)
    drop_links(attempt.samples_shard("node1"), 1)
    edit(attempt.watchers / "node1.json", lambda said: said.update(end_reason=None))
    run = close(run)
    assert look(run, "chain").outcome is Outcome.UNSEEN
    assert "which ends with link" in evidence(run, "link-keys")


def test_a_rank_s_shard_made_again_is_not_what_its_watcher_held(run: RunPaths) -> None:
    attempt = run.attempt(1)
    (name, *_) = ranks_of(attempt, "node1")
    remake(attempt, name)
    run = close(run)
    assert look(run, "chain").outcome is Outcome.PASSED
    assert "which is another one now" in evidence(run, "link-keys")


def test_a_record_remade_whole_by_one_who_has_all_nodes_shows_nothing(
    original: RunPaths, tmp_path: Path
) -> None:
    # What docs/evidence.md says of it: a head that was lodged outside rules it out, no file does.
    remade = build_run(tmp_path, TWO_NODES)
    assert set(outcomes(remade).values()) == {"passed"}
    heads = [
        read_chain(list_chains(run.attempt(1).samples_shard("node0"))[0]).head
        for run in (original, remade)
    ]
    assert heads[0] != heads[1]


def test_links_of_another_day_are_not_of_the_attempt_s_life(run: RunPaths) -> None:
    day_us = 86_400_000_000

    def later(links: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**link, "wall_us": link["wall_us"] + day_us} for link in links]

    relink(run.attempt(1).samples_shard("node0"), later)
    assert "was not made in the attempt's life" in evidence(close(run), "chain")


def test_a_chain_on_another_order_than_the_one_that_lies_there_is_found(run: RunPaths) -> None:
    edit(run.attempt(1).launch, lambda launch: launch.update(idle_s=9.0))
    assert "stands on another launch.json" in evidence(close(run), "chain")


def test_rows_that_differ_from_a_mark_are_found_though_the_part_was_linked_anew(
    run: RunPaths,
) -> None:
    shard = run.attempt(1).samples_shard("node0")
    path = shard / "part-00000.parquet"
    edit_part(path, scaled)

    def with_digest(links: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for link in links:
            if link.get("file") == path.name:
                link["sha256"] = file_sha256(path)
        return links

    relink(shard, with_digest)
    assert "are not those written then" in evidence(close(run), "chain")


def die(attempt: AttemptPaths, *, followed: bool) -> None:
    """Let the watcher of node0 die in the middle of a part and a line, and another follow."""
    shard = attempt.samples_shard("node0")
    tables = [pq.read_table(part.path, partitioning=None) for part in list_parts(shard)]
    told = shard_metadata(tables[0].schema)
    metadata = {key: told[key] for key in told if key not in ("schema_version", "chained")}
    shutil.rmtree(shard)
    binding = built_binding(attempt, "node0", watcher=True)
    dying = ShardWriter(shard, SAMPLES, metadata, binding=binding)
    for table in tables[:2]:
        dying.write(table.to_pydict())
    with chain_path(shard, 0).open("ab") as torn:
        torn.write(b'{"link":{"file')
    edit(attempt.host("node0"), lambda ready: ready.update(link_key=binding.public_key))
    if not followed:
        edit(attempt.watchers / "node0.json", lambda said: said.update(end_reason=None))
        return
    write_json(attempt.watchers / "node0.exit.json", {"exit_code": 0, "deaths": [{"pid": 1}]})
    after = built_binding(attempt, "node0", watcher=True)
    with ShardWriter(shard, SAMPLES, metadata, binding=after) as writer:
        for table in tables[2:]:
            writer.write(table.to_pydict())


def test_a_watcher_that_died_and_was_followed_leaves_an_unbroken_chain(run: RunPaths) -> None:
    attempt = run.attempt(1)
    die(attempt, followed=True)
    found = look(run, "chain")
    assert found.outcome is Outcome.PASSED, found
    with (attempt.samples_shard("node0") / "part-00000.arrows").open("ab") as left:
        left.write(b"more")
    assert "part-00000.arrows was changed after it was closed" in evidence(run, "chain")


def test_a_watcher_that_died_and_was_not_followed_leaves_rows_that_no_link_holds(
    run: RunPaths,
) -> None:
    die(run.attempt(1), followed=False)
    found = look(run, "chain")
    assert found.outcome is Outcome.UNSEEN
    assert "the last rows of samples/node0/part-00000.arrows are in no link" in found.evidence


def test_a_follower_that_nobody_knows_of_is_found(run: RunPaths) -> None:
    shard = run.attempt(1).samples_shard("node1")
    first = read_chain(chain_path(shard, 0))
    drop_links(shard, 1)
    previous = first.links[-2].sha256
    begin = {**first.links[0].said, "previous": previous}
    chain_path(shard, 1).write_bytes(link_line(begin, None))
    assert "samples/node1 has 2 chains, and 0 writers followed one" in evidence(close(run), "chain")


def test_more_links_than_are_read_are_told_as_not_looked_at(run: RunPaths) -> None:
    with chain_path(run.attempt(1).samples_shard("node1"), 0).open("ab") as chain:
        chain.truncate(MOST_CHAIN_BYTES + 1)
    for name in CHECKS:
        assert look(run, name).outcome is Outcome.UNSEEN


def test_a_head_that_was_told_outside_and_is_no_link_any_more_is_found(run: RunPaths) -> None:
    attempt = run.attempt(1)
    head = read_chain(chain_path(attempt.samples_shard("node0"), 0)).links[2]
    told = {"chain": "samples/node0/0", "number": 2, "sha256": head.sha256}
    write_json(attempt.heads, {"heads": [told]})
    assert look(close(run), "chain").outcome is Outcome.PASSED
    write_json(attempt.heads, {"heads": [{**told, "sha256": "0" * 64}]})
    assert "link 2 of samples/node0/0 is another one than was told" in evidence(run, "chain")
    write_json(attempt.heads, {"heads": [{**told, "number": 99}]})
    assert "link 99 of samples/node0/0 was told outside" in evidence(run, "chain")


def _all(run: RunPaths) -> list[Path]:
    return sorted(run.attempt(1).folder.rglob("chain-*.jsonl"))


def test_chains_that_were_taken_away_are_missed_by_all_that_names_them(run: RunPaths) -> None:
    attempt = run.attempt(1)
    for path in _all(run):
        path.unlink()
    said = evidence(close(run), "chain")
    assert "launch.json names `link_s`" in said
    edit(attempt.launch, lambda launch: launch.pop("link_s"))
    assert "provenance.json names `planned`" in evidence(close(run), "chain")
    edit(attempt.provenance, lambda said: said.pop("planned"))
    assert "hosts/node0.json names the key" in evidence(close(run), "chain")
    for path in attempt.hosts.iterdir():
        edit(path, lambda ready: ready.pop("link_key"))
    assert "the writer of samples/node0 says" in evidence(close(run), "chain")
    without_word(attempt, "chained")
    write_json(attempt.heads, {"heads": []})
    assert "heads.json tells of their heads" in evidence(close(run), "chain")
    attempt.heads.unlink()
    assert set(outcomes(close(run)).values()) == {"not applicable"}


def test_one_shard_s_chain_that_was_taken_away_is_missed(run: RunPaths) -> None:
    chain_path(run.attempt(1).samples_shard("node1"), 0).unlink()
    assert "samples/node1 has no chain, and others have" in evidence(close(run), "chain")


def test_a_record_from_before_is_told_from_one_that_lost_its_chains(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan(chains=False))
    for name in CHECKS:
        finding = look(run, name)
        assert finding.outcome is Outcome.SKIPPED
        assert finding.evidence.startswith("written before chains")


@pytest.fixture
def without_cryptography(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes the library one that is not installed, from its call on."""
    real = builtins.__import__

    def refuse(name: str, *more: Any) -> Any:
        if name.startswith("cryptography"):
            raise ModuleNotFoundError(f"No module named {name!r}", name="cryptography")
        return real(name, *more)

    return lambda: monkeypatch.setattr(builtins, "__import__", refuse)


def test_without_the_library_links_are_not_signed_and_nobody_is_told_that_they_were(
    tmp_path: Path, without_cryptography: Callable[[], None]
) -> None:
    without_cryptography()
    run = build_run(tmp_path, TWO_NODES)
    assert read_json(run.attempt(1).host("node0"))["link_key"] is None
    assert look(run, "chain").outcome is Outcome.PASSED
    for name in ("link-keys", "countersigned"):
        finding = look(run, name)
        assert finding.outcome is Outcome.UNSEEN
        assert "is not signed: cryptography is not installed" in finding.evidence


def test_an_auditor_without_the_library_does_not_say_that_signatures_stand(
    original: RunPaths, without_cryptography: Callable[[], None]
) -> None:
    without_cryptography()
    finding = look(original, "link-keys")
    assert finding.outcome is Outcome.UNSEEN
    assert "cryptography must be installed" in finding.evidence


def test_what_is_no_link_fails_the_check_and_names_its_line(run: RunPaths) -> None:
    path = chain_path(run.attempt(1).samples_shard("node0"), 0)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"{}\n", *lines[1:]]))
    with pytest.raises(ValueError, match=r"line 2 of node0/chain-00000\.jsonl must be a link"):
        look(close(run), "chain")


def test_a_link_of_fewer_than_no_rows_is_no_link_and_no_traceback(run: RunPaths) -> None:
    def fewer(said: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**one, "rows": -5} if "rows" in one else one for one in said]

    relink(run.attempt(1).shards("spans") / "rank-00000", fewer)
    close(run)
    (found,) = [line for line in audit_results(run.results) if line.name == "chain"]
    assert found.outcome is Outcome.FAILED
    assert "rows" in found.evidence
