"""By when a record was there, an auditor is told by an authority of his own choice alone."""

from pathlib import Path

import pytest

from analysis.audit import stamp_checks
from analysis.audit.campaign import Campaign, RunFacts
from analysis.audit.check import Case, Finding, Outcome
from analysis.audit.stamp_checks import roots_stamped, seal_stamped
from analysis.audit.trust import Trust
from telemetry.clock import US_PER_S, wall_us
from telemetry.evidence.lodged import read_lodgings
from telemetry.evidence.time_stamp import StampQuery
from telemetry.record.beside import QUERY, STAMP, beside
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths
from telemetry.record.roots import Root, list_roots
from telemetry.record.seal import verify_seal
from telemetry.sign.__main__ import main
from tests.support.authority import Authority, make_authority, served, serving
from tests.support.records import Plan, build_run

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority") / "tsa")


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    return build_run(tmp_path / "results", Plan())


def trust(authority: Authority | None) -> Trust:
    return Trust(tsa_certificates=None if authority is None else authority.root)


def of_root(run: RunPaths, authority: Authority | None) -> Finding:
    return roots_stamped(Campaign(results=run.results, trust=trust(authority), runs=()))


def of_seal(run: RunPaths, authority: Authority | None) -> Finding:
    return seal_stamped(Case(run, trust(authority)))


def stamp(authority: Authority, path: Path) -> None:
    beside(path, STAMP).write_bytes(authority.answer(StampQuery.of(path.read_bytes()).der))


def test_a_stamp_by_an_authority_of_the_auditor_s_stands(
    run: RunPaths, authority: Authority
) -> None:
    with serving(authority) as url:
        assert main([str(run.results), "--tsa", url, "--stamp-seals"]) == 0
    assert of_root(run, authority).outcome is Outcome.PASSED
    assert of_seal(run, authority).outcome is Outcome.PASSED
    assert of_seal(run, authority).evidence.startswith("time stamp of 20")
    assert "by CN=Test Time, 0.0 h after" in of_seal(run, authority).evidence
    (root,) = list_roots(run.results)
    assert [one.kept for one in read_lodgings(root)] == [True]
    # What vouches for a seal is no part of what it seals.
    assert verify_seal(run, run.attempt(1)) == []


def test_without_the_auditor_s_root_a_stamp_is_told_and_not_believed(
    run: RunPaths, authority: Authority
) -> None:
    stamp(authority, run.attempt(1).seal)
    told = of_seal(run, None)
    assert told.outcome is Outcome.UNSEEN
    assert told.evidence.endswith("by CN=Test Time, whose certificate --tsa-certificate tells")


def test_what_has_no_stamp_is_its_sealer_s_word(run: RunPaths, authority: Authority) -> None:
    assert of_seal(run, authority).outcome is Outcome.SKIPPED
    assert of_root(run, authority).outcome is Outcome.SKIPPED


def test_a_stamp_by_somebody_else_fails(
    run: RunPaths, authority: Authority, tmp_path: Path
) -> None:
    stamp(make_authority(tmp_path / "own", "Test Time"), run.attempt(1).seal)
    assert of_seal(run, authority).outcome is Outcome.FAILED


def test_a_seal_that_was_made_again_is_not_what_was_stamped(
    run: RunPaths, authority: Authority
) -> None:
    seal = run.attempt(1).seal
    stamp(authority, seal)
    write_json(seal, {**read_json(seal), "sealed_us": 1})
    for known in (authority, None):
        told = of_seal(run, known)
        assert told.outcome is Outcome.FAILED
        assert "the time stamp is of something else" in told.evidence


def test_the_stamp_of_another_run_is_none_of_this(run: RunPaths, authority: Authority) -> None:
    other = build_run(run.results, Plan(spec={"seed": 7}))
    stamp(authority, other.attempt(1).seal)
    beside(other.attempt(1).seal, STAMP).rename(beside(run.attempt(1).seal, STAMP))
    assert of_seal(run, authority).outcome is Outcome.FAILED


def test_a_seal_that_is_younger_than_its_stamp_fails(run: RunPaths, authority: Authority) -> None:
    seal = run.attempt(1).seal
    write_json(seal, {**read_json(seal), "sealed_us": wall_us() + 3600 * US_PER_S})
    stamp(authority, seal)
    told = of_seal(run, authority)
    assert told.outcome is Outcome.FAILED
    assert "s before what it is of says that it was made" in told.evidence


def test_a_stamp_that_is_yet_to_come_fails(
    run: RunPaths, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp(authority, run.attempt(1).seal)
    # The auditor's clock, an hour before the authority's.
    monkeypatch.setattr(stamp_checks, "wall_us", lambda: wall_us() - 3600 * US_PER_S)
    told = of_seal(run, authority)
    assert told.outcome is Outcome.FAILED
    assert "yet to come by this machine's clock" in told.evidence


def test_a_stamp_long_after_the_seal_tells_how_long(run: RunPaths, authority: Authority) -> None:
    seal = run.attempt(1).seal
    write_json(seal, {**read_json(seal), "sealed_us": wall_us() - 36 * 3600 * US_PER_S})
    stamp(authority, seal)
    assert "36.0 h after it was made by its own word" in of_seal(run, authority).evidence


def test_runs_that_are_younger_than_the_stamped_root_are_under_no_stamp(
    run: RunPaths, authority: Authority
) -> None:
    stamp(authority, Root.take(run.results).keep(run.results))
    later = build_run(run.results, Plan(spec={"seed": 7}))
    facts = tuple(RunFacts(run_id=one.run_id) for one in (run, later))
    campaign = Campaign(results=run.results, trust=trust(authority), runs=facts)
    told = roots_stamped(campaign)
    assert told.outcome is Outcome.UNSEEN
    assert f"1 run under no stamp, such as {later.run_id}" in told.evidence
    stamp(authority, later.attempt(1).seal)
    assert roots_stamped(campaign).outcome is Outcome.PASSED


@pytest.mark.parametrize("content", [b"", b"\x30\x03\x02\x01\x00", bytes(1 << 20)])
def test_a_file_that_is_no_stamp_fails(run: RunPaths, authority: Authority, content: bytes) -> None:
    root = Root.take(run.results).keep(run.results)
    beside(root, STAMP).write_bytes(content)
    assert of_root(run, authority).outcome is Outcome.FAILED
    assert of_root(run, None).outcome is Outcome.FAILED


def test_an_authority_that_does_not_answer_leaves_the_root_and_the_query(
    run: RunPaths, authority: Authority, capsys: Captured
) -> None:
    with served(lambda handler, _: handler.send_error(503)) as url:
        assert main([str(run.results), "--tsa", url, "--stamp-seals"]) == 1
    captured = capsys.readouterr()
    assert f"sign: no time stamp: {url} answers 503 (and 1 more)\n" in captured.err
    assert "the root is kept" in captured.out
    (root,) = list_roots(run.results)
    (lodging,) = read_lodgings(root)
    assert not lodging.kept
    # From elsewhere: what was written is asked there, and the answer brought back.
    brought = root.parent.parent / "brought.tsr"
    brought.write_bytes(authority.answer(beside(root, QUERY).read_bytes()))
    assert main([str(run.results), "--tsr", str(brought)]) == 0
    assert of_root(run, authority).outcome is Outcome.PASSED
    assert not beside(root, QUERY).exists()


def test_an_answer_to_nothing_here_is_refused_and_nothing_written(
    run: RunPaths, authority: Authority, tmp_path: Path, capsys: Captured
) -> None:
    assert main([str(run.results), "--tsa-query"]) == 0
    brought = tmp_path / "brought.tsr"
    brought.write_bytes(authority.answer(StampQuery.of(b"elsewhere").der))
    capsys.readouterr()
    assert main([str(run.results), "--tsr", str(brought)]) == 2
    assert "`--tsr` must be of one of the 2 roots and seals here" in capsys.readouterr().err
    (root,) = list_roots(run.results)
    assert not beside(root, STAMP).exists()


def test_an_answer_that_was_cut_is_refused(
    run: RunPaths, authority: Authority, tmp_path: Path, capsys: Captured
) -> None:
    root = Root.take(run.results).keep(run.results)
    brought = tmp_path / "brought.tsr"
    brought.write_bytes(authority.answer(StampQuery.of(root.read_bytes()).der)[:-40])
    assert main([str(run.results), "--tsr", str(brought)]) == 2
    assert "must be an answer by RFC 3161, but is not" in capsys.readouterr().err
