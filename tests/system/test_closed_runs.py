"""A run that its reader may not read stops nobody from reading the others, and is named."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from analysis.__main__ import main as report
from analysis.audit.__main__ import main as audit
from launcher.plan.originals import LeftOut, read_originals
from launcher.status import main as status
from telemetry.command import ExitCode
from telemetry.merge.__main__ import main as merge
from telemetry.record.files import read_json
from telemetry.record.paths import RunPaths, closed_runs, find_runs, list_runs
from telemetry.record.place import PlaceKind, place_of
from telemetry.record.roots import Root
from telemetry.sign.__main__ import main as sign
from tests.analysis.audit.test_plan_checks import write_plan
from tests.support.records import Plan, build_run, reseal
from tests.support.signing import make_key
from tests.support.told import complaints, unwrapped

NOBODY = 65534
Main = Callable[[Sequence[str]], int]
# Whose folder is closed, or whose attempt's.
PLACES = ("the run", "its attempt")
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become somebody else")


class Shared:
    """A results folder of two users, read by one to whom the other's run is closed."""

    def __init__(self, folder: Path) -> None:
        self.results = folder / "results"
        self.results.mkdir()
        self.open = build_run(self.results)
        self.closed = build_run(self.results, Plan(spec={"seed": 2}))
        # A disk's own folder, which is closed to all and no run.
        (self.results / "lost+found").mkdir(mode=0o700)
        folder.chmod(0o755)

    def close(self, place: str) -> None:
        folder = self.closed.folder if place == "the run" else self.closed.attempt(1).folder
        folder.chmod(0o700 if os.geteuid() == 0 else 0)

    def run(self, main: Main, *words: str) -> int:
        """What `main` ends with for a user who owns neither run."""
        words = (str(self.results), *words)
        if os.geteuid() != 0:
            return main(words)
        (self.results / "report").mkdir(exist_ok=True)
        for path in (self.results / "report", *(self.results / "report").rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            return main(words)
        finally:
            os.seteuid(0)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """All that the commands import while they go, which may be closed to another user."""
    results = tmp_path_factory.mktemp("results")
    build_run(results)
    for main in (report, audit, status, merge):
        main([str(results)])
    sign([str(results), "--key", str(make_key(results.parent / "key"))])


@pytest.fixture
def shared(loaded: None) -> Iterator[Shared]:
    # The tests' own temporary folders are closed to others.
    with tempfile.TemporaryDirectory() as folder:
        one = Shared(Path(folder))
        yield one
        for run in (one.closed.folder, one.closed.attempt(1).folder):
            run.chmod(0o755)


@pytest.mark.parametrize("place", PLACES)
def test_the_audit_looks_at_the_others_and_says_which_it_could_not_read(
    shared: Shared, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shared.close(place)
    capsys.readouterr()
    assert shared.run(audit) in (ExitCode.DONE, ExitCode.FAILED)
    out = unwrapped(capsys.readouterr().out)
    assert "checks of 1 sealed run: " in out
    assert "; 1 run could not be read" in out
    assert "[?] every run can be read: 1 of 2 runs; " in out
    assert f"{shared.closed.run_id}: its folder cannot be read: Permission denied: " in out
    written = read_json(shared.results / "report" / "audit.json")
    assert [run["run_id"] for run in written["runs_not_read"]] == [shared.closed.run_id]


def test_strictly_a_run_that_cannot_be_read_is_no_pass(shared: Shared) -> None:
    assert shared.run(audit, "--strict") == ExitCode.DONE
    shared.close("the run")
    assert shared.run(audit) == ExitCode.DONE
    assert shared.run(audit, "--strict") == ExitCode.UNSEEN


@pytest.mark.parametrize("place", PLACES)
def test_a_plan_a_root_and_a_report_of_what_one_may_not_read_are_no_failures(
    shared: Shared, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_plan(shared.results, "20261127T080000Z-login-1", [(shared.open, 1), (shared.closed, 1)])
    for run in (shared.open, shared.closed):
        reseal(run)
    root = Root.take(shared.results)
    root.keep(shared.results)
    assert report([str(shared.results)]) == ExitCode.DONE
    names = ("planned", "roots", "lodged", "report-tables", "report-page")

    def told() -> dict[str, tuple[str, str]]:
        capsys.readouterr()
        shared.run(audit, "--root", root.sha256, "--json")
        checks = json.loads(capsys.readouterr().out)["checks"]
        by_name = {one["name"]: (one["outcome"], one["evidence"]) for one in checks}
        return {name: by_name[name] for name in names}

    assert {outcome for outcome, _ in told().values()} == {"passed"}
    shared.close(place)
    for outcome, evidence in told().values():
        assert outcome == "could not be looked at", evidence
        assert shared.closed.run_id in evidence


@AS_ROOT
def test_an_audit_that_may_not_write_in_the_folder_writes_what_was_asked_for_elsewhere(
    shared: Shared, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = shared.results.parent / "mine"
    mine.mkdir()
    os.chown(mine, NOBODY, NOBODY)
    (shared.results / "report").mkdir()
    words = ("--html", str(mine / "verdict.html"), "--junit", str(mine / "audit.xml"))

    def audit_there(given: Sequence[str]) -> int:
        os.seteuid(0)
        os.chown(shared.results / "report", 0, 0)
        os.seteuid(NOBODY)
        return audit(given)

    capsys.readouterr()
    assert shared.run(audit_there, *words) == ExitCode.FAILED
    assert sorted(path.name for path in mine.iterdir()) == ["audit.xml", "verdict.html"]
    (told,) = complaints(capsys.readouterr().err)
    written = shared.results / "report" / "audit.json"
    assert told == (
        f"audit: the audit could not be written: {written}: Permission denied (and 1 more)"
    )


def test_a_seal_that_was_changed_fails_beside_one_that_cannot_be_read(
    shared: Shared, capsys: pytest.CaptureFixture[str]
) -> None:
    Root.take(shared.results).keep(shared.results)
    shared.close("the run")
    reseal(shared.open)
    capsys.readouterr()
    assert shared.run(audit, "--json") == ExitCode.FAILED
    checks = {one["name"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["roots"]["outcome"] == "failed"
    assert f"{shared.open.run_id}/attempt-001/seal.json: changed" in checks["roots"]["evidence"]


@AS_ROOT
def test_who_signs_or_makes_again_is_told_what_is_left_out(
    shared: Shared, capsys: pytest.CaptureFixture[str]
) -> None:
    shared.close("the run")
    key = make_key(shared.results.parent / "key")
    os.chown(key, NOBODY, NOBODY)
    for path in (shared.results, shared.open.attempt(1).folder):
        path.chmod(0o777)
    said = f"{shared.closed.run_id}: its folder cannot be read"
    capsys.readouterr()
    assert shared.run(sign, "--key", str(key)) == ExitCode.FAILED
    assert f"{said}, so it is under no root: Permission denied: " in capsys.readouterr().err
    left: list[LeftOut] = []

    def read(words: Sequence[str]) -> int:
        left.extend(read_originals(words[0], lambda _: None).left_out)
        return 0

    shared.run(read)
    assert [one.run_id for one in left] == [shared.closed.run_id]
    assert left[0].reason.startswith("its folder cannot be read: Permission denied: ")


@pytest.mark.parametrize("place", PLACES)
def test_the_report_has_the_others_and_names_it(
    shared: Shared, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shared.close(place)
    capsys.readouterr()
    shared.run(report, "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["runs"] == 1
    (row,) = document["tables"]["not_counted"]["rows"]
    assert (row["run_id"], row["state"]) == (shared.closed.run_id, "unreadable")
    assert "Permission denied" in row["reason"]


@pytest.mark.parametrize("place", PLACES)
def test_the_status_has_the_others_and_names_it(
    shared: Shared, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shared.close(place)
    capsys.readouterr()
    assert shared.run(status, "--json") == ExitCode.FAILED
    points = json.loads(capsys.readouterr().out)["points"]
    states = {point["run_id"]: point["state"] for point in points}
    assert states == {shared.open.run_id: "sealed", shared.closed.run_id: "unreadable"}


@pytest.mark.parametrize("place", PLACES)
def test_merging_goes_on_to_the_others_and_names_it(
    shared: Shared, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shared.close(place)
    capsys.readouterr()
    assert shared.run(merge) == ExitCode.DONE
    out = unwrapped(capsys.readouterr().out)
    assert "1 attempt looked at, 1 run could not be read" in out
    assert f"{shared.closed.run_id}: not looked at: Permission denied: " in out


@pytest.mark.parametrize("place", PLACES)
def test_what_is_closed_is_told_apart_from_what_is_no_run(shared: Shared, place: str) -> None:
    shared.close(place)
    listed: list[list[str]] = []

    def look(words: Sequence[str]) -> int:
        results = Path(words[0])
        found = (list_runs(results), find_runs(results), closed_runs(results))
        listed.extend([run.run_id for run in runs] for runs in found)
        return 0

    shared.run(look)
    assert listed == [[shared.open.run_id], [shared.open.run_id], [shared.closed.run_id]]


def test_a_folder_of_which_no_run_can_be_read_cannot_be_read(shared: Shared) -> None:
    shared.close("the run")
    shared.closed, shared.open = shared.open, shared.closed
    shared.close("the run")
    kinds: list[PlaceKind] = []

    def look(words: Sequence[str]) -> int:
        kinds.append(place_of(Path(words[0])).kind)
        return 0

    shared.run(look)
    assert kinds == [PlaceKind.UNREADABLE]
    RunPaths(results=shared.results, run_id=shared.closed.run_id).folder.chmod(0o755)
