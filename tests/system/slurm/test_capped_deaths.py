"""Whoever dies on a real Slurm, the GPUs of a capped run stand as before, and its record says so.

Five runs of ten minutes under a cap and a clock lock die, each in its own way, on one cluster, one
after its watcher was killed; four points of a campaign over caps and clocks follow on the same
nodes and end sealed.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from telemetry.power.record import Knob, NodePower, Setting
from telemetry.power.wish import Wish
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths, RunPaths, list_runs
from telemetry.record.schema import EndState
from telemetry.record.spec import RunSpec
from tests.conftest import REPOSITORY
from tests.support.capped_nodes import STOOD_W, CappedNodes
from tests.system.slurm.launching import run_module
from tests.system.slurm.site import LONG_POINT, POINT, REAL, Site, job_id

CAP_W, LOCK_MHZ = 350.0, 1200
DEATHS = ("crash", "time limit", "both", "owner")
"""Who dies on n1 to n4."""


@dataclass(frozen=True, kw_only=True)
class Deaths:
    """What became of each, and of the campaign after them."""

    nodes: CappedNodes
    """The boards, as they stand at the end."""
    dead: dict[str, tuple[str, AttemptPaths]]
    """By death its node and its attempt."""
    left: dict[str, float]
    """By death the cap that stood once it was dead, before anybody came."""
    by_hand: subprocess.CompletedProcess[str]
    """`python -m telemetry.power restore` on the node where owner and watcher died."""
    results: Path
    """Where the campaign's sealed runs are."""


def of_death(deaths: Deaths, death: str) -> dict[Knob, Setting]:
    """What the record of a dead run says of its board."""
    node, attempt = deaths.dead[death]
    record = NodePower.read(attempt.host_power(node))
    assert record.ended_us is not None
    assert record.unrestored == ()
    return dict(record.gpus[0].settings)


def restored(deaths: Deaths, death: str) -> tuple[float | None, str | None, str | None]:
    """The cap that stands again by a dead run's record, and who put it and the lock back."""
    told = of_death(deaths, death)
    cap, lock = told[Knob.POWER_LIMIT], told[Knob.SM_CLOCK]
    assert (cap.before.value, cap.asked, cap.enforced.value) == (STOOD_W, CAP_W, CAP_W)
    assert "tells of none" in str(lock.restored.reason)
    return cap.restored.value, cap.restored_by, lock.restored_by


@pytest.fixture(scope="module")
def deaths(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deaths]:
    with (
        tempfile.TemporaryDirectory(prefix="jg-caps-") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        nodes = CappedNodes.make(Path(folder), "n1", "n2", "n3", "n4")
        for name, value in nodes.environment().items():
            patch.setenv(name, value)
        try:
            yield _die(site, nodes, tmp_path_factory.mktemp("deaths"))
        finally:
            site.recover()


def _die(site: Site, nodes: CappedNodes, folder: Path) -> Deaths:
    long = (*LONG_POINT, *REAL, nodes.setup, f"power_cap_w={CAP_W:g}", f"sm_clock_mhz={LOCK_MHZ}")
    queued = site.launch(folder / "dead", *long, "-m", "seed=1,2,3,4,5")
    assert queued.returncode == 0, queued.stdout + queued.stderr
    # It is queued behind the first, which have all nodes.
    campaign = _campaign(site, nodes, folder / "results")
    site.wait("four runs at work", lambda: len(_at_work(folder / "dead")) == len(DEATHS))
    # Nothing follows on a node before what was left there has been seen.
    site.hold()
    running = _at_work(folder / "dead")
    dead = {death: (f"n{at}", running[f"n{at}"]) for at, death in enumerate(DEATHS, start=1)}
    site.slurm("scontrol", "update", f"jobid={job_id(dead['time limit'][1])}", "endtime=now")
    site.control("crash", "n1")
    owner = psutil.Process(read_json(dead["owner"][1].rank(0))["pid"])
    owner.kill()
    _kill_both("n3", dead["both"][1])
    site.wait("the owner's watcher", lambda: nodes.stand_as_before("n4"))
    left = {death: nodes.boards(node).settings(0).limit_w for death, (node, _) in dead.items()}
    by_hand = subprocess.run(
        [sys.executable, "-m", "telemetry.power", "restore"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **nodes.environment("n3")},
        cwd=REPOSITORY,
    )
    site.control("start", "n1")
    site.wait("n1 again", lambda: site.slurm("sinfo", "-h", "-n", "n1", "-o", "%T") == "idle")
    # Whatever starts first starts where everything died.
    site.slurm("scontrol", "update", "partitionname=main", "state=up", "nodes=n1")
    site.wait("the fifth run", lambda: bool(_fifth(folder / "dead", dead)))
    site.slurm("scontrol", "update", "partitionname=main", "nodes=ALL")
    ((node, attempt),) = _fifth(folder / "dead", dead).items()
    dead["scancel"] = (node, attempt)
    watcher = read_json(attempt.host(node))["pid"]
    os.kill(watcher, signal.SIGKILL)
    site.wait("its follower", lambda: read_json(attempt.host(node))["pid"] != watcher)
    site.slurm("scancel", job_id(attempt))
    site.wait("the seals", lambda: len(_sealed(folder / "results")) == campaign)
    site.wait("all ends", lambda: all(one.ended.is_file() for _, one in dead.values()))
    names = [node for node, _ in dead.values()]
    site.wait("the old values", lambda: all(map(nodes.stand_as_before, names)))
    return Deaths(nodes=nodes, dead=dead, left=left, by_hand=by_hand, results=folder / "results")


def _campaign(site: Site, nodes: CappedNodes, results: Path) -> int:
    """Queue a small campaign over caps and clocks, one GPU a job; how many points it has."""
    done = site.launch(
        results, *POINT, *REAL, nodes.setup, "min_window_s=5", "telemetry.idle_s=1",
        "cluster.slurm.exclusive=false", "telemetry.lodge_heads=true",
        "-m", "power_cap_w=null,350", "sm_clock_mhz=null,1200",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return len(list(list_runs(results)))


def _at_work(results: Path) -> dict[str, AttemptPaths]:
    """By node the attempts that answer prompts."""
    found = {}
    for run in list_runs(results):
        for attempt in run.attempts():
            assert not attempt.ended.is_file(), attempt.ended.read_text()
            if attempt.progress.is_file() and read_json(attempt.progress)["phase"] == "decode":
                found[str(read_json(attempt.started)["host"])] = attempt
    return found


def _fifth(results: Path, dead: dict[str, tuple[str, AttemptPaths]]) -> dict[str, AttemptPaths]:
    """The run that answers prompts and is none of the four."""
    known = {attempt.folder for _, attempt in dead.values()}
    return {
        str(read_json(attempt.started)["host"]): attempt
        for run in list_runs(results)
        for attempt in run.attempts()
        if attempt.folder not in known
        and attempt.progress.is_file()
        and read_json(attempt.progress)["phase"] == "decode"
    }


def _kill_both(node: str, attempt: AttemptPaths) -> None:
    """kill -9 of owner and watcher, neither of which sees the other die."""
    owner = read_json(attempt.rank(0))["pid"]
    os.kill(owner, signal.SIGSTOP)
    os.kill(read_json(attempt.host(node))["pid"], signal.SIGKILL)
    os.kill(owner, signal.SIGKILL)


def _sealed(results: Path) -> list[RunPaths]:
    return [run for run in list_runs(results) if run.sealed() is not None]


def test_after_all_of_a_node_died_the_next_run_there_puts_it_back(deaths: Deaths) -> None:
    assert deaths.left["crash"] == CAP_W
    assert restored(deaths, "crash") == (STOOD_W, "next run", "next run")
    assert read_json(deaths.dead["crash"][1].ended)["state"] == EndState.LOST


def test_after_kill_9_of_owner_and_watcher_it_comes_back_by_hand(deaths: Deaths) -> None:
    assert deaths.left["both"] == CAP_W
    assert deaths.by_hand.returncode == 0, deaths.by_hand.stderr
    assert "as before the run in" in " ".join(deaths.by_hand.stdout.split())
    assert restored(deaths, "both") == (STOOD_W, "restore", "restore")


@pytest.mark.parametrize("death", ["owner", "time limit", "scancel"])
def test_a_watcher_that_lives_gives_it_back_however_its_run_ends(
    deaths: Deaths, death: str
) -> None:
    assert restored(deaths, death) == (STOOD_W, "watcher", "watcher")
    states = {
        "owner": {EndState.FAILED},
        "time limit": {EndState.TIMEOUT},
        "scancel": {EndState.CANCELLED},
    }
    assert read_json(deaths.dead[death][1].ended)["state"] in states[death]


def test_after_kill_9_of_a_watcher_its_follower_goes_on_and_gives_it_back(deaths: Deaths) -> None:
    node, attempt = deaths.dead["scancel"]
    assert len(read_json(attempt.watchers / f"{node}.exit.json")["deaths"]) == 1
    assert "gone on with" in NodePower.read(attempt.host_power(node)).leftovers[-1]
    assert restored(deaths, "scancel") == (STOOD_W, "watcher", "watcher")


@pytest.mark.parametrize("node", ["n1", "n2", "n3", "n4"])
def test_at_the_end_every_board_stands_as_the_center_keeps_it(deaths: Deaths, node: str) -> None:
    assert deaths.nodes.stand_as_before(node)


def test_a_head_that_is_lodged_in_a_job_s_comment_stands_beside_its_wish(
    site: Site, deaths: Deaths
) -> None:
    for run in _sealed(deaths.results):
        attempt = run.attempt(1)
        wish = Wish.of(RunSpec.read(run.spec)).comment
        heads = read_json(attempt.heads)["heads"]
        assert [set(one["slurm"]) for one in heads] == [{"job", "comment"}] * 2
        shown = site.slurm("scontrol", "show", "job", job_id(attempt))
        last = heads[-1]["slurm"]["comment"]
        assert f"Comment={last if wish is None else f'{wish} {last}'}" in shown


def test_the_campaign_that_followed_is_reported_and_audited(site: Site, deaths: Deaths) -> None:
    report = run_module(site, "analysis", deaths.results)
    assert report.returncode == 0, report.stdout + report.stderr
    tables = deaths.results / "report" / "tables"
    changes = (tables / "cap_changes.csv").read_text()
    assert {f",{cap},{lock},," in changes for cap in ("", "350.0") for lock in ("", "1200")} == {
        True
    }
    page = (deaths.results / "report" / "index.html").read_text()
    assert "Table III" in page
    assert "Observed, not set" in (tables / "observed_clock.csv").read_text()
    audit = run_module(site, "analysis.audit", deaths.results)
    assert audit.returncode == 0, audit.stdout
    assert "[ ]" not in audit.stdout
