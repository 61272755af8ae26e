"""The power broker as a center installs it: on a real Slurm, for jobs of users who are not root."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from analysis.audit.check import Outcome
from telemetry.power.record import Knob, NodePower, Way
from telemetry.record.files import read_json
from telemetry.record.paths import list_runs
from telemetry.record.spec import RunSpec
from tests.analysis.audit.forging import look
from tests.conftest import REPOSITORY
from tests.doubles.nvml.library import SharedBoards, World, build
from tests.support.capped_nodes import CUDA, STOOD_W, WAVE, CappedNodes
from tests.support.words import last_words
from tests.system.slurm.site import POINT, REAL, Site

WISH = "joulegrid-power:cap_w=250,sm_mhz=1410"
BEFORE_W, CLOCK_MHZ = 700.0, 1980.0
NO_PERMISSION = 4
# The boards as a job sees them, and what the driver says to a user who would change them.
_LOOK = """\
import ctypes, os, sys
n = ctypes.CDLL(sys.argv[1] + "/" + os.environ["SLURMD_NODENAME"] + "/libnvidia-ml.so.1")
h, w = ctypes.c_void_p(), ctypes.c_uint()
assert n.nvmlInit_v2() == 0 and n.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(h)) == 0
assert n.nvmlDeviceGetPowerManagementLimit(h, ctypes.byref(w)) == 0
print(os.environ["SLURMD_NODENAME"], w.value, n.nvmlDeviceSetPowerManagementLimit(h, 700000))
"""


@dataclass(frozen=True, kw_only=True)
class Center:
    """A cluster whose nodes have the broker as prolog and epilog."""

    site: Site
    """The cluster."""
    folder: Path
    """A folder of each node: its boards, its library, the broker's own folder."""

    def submit(self, *words: str, wrap: str = "sleep 60", comment: str = WISH) -> str:
        """Queue a job as a user who is not root, where there is one; its number."""
        person = self.site.people[0].words if self.site.people else []
        command = [*person, "sbatch", "--parsable", "--no-requeue", "--output=/dev/null"]
        done = subprocess.run(
            [*command, *words, f"--comment={comment}", f"--wrap={wrap}"],
            capture_output=True,
            text=True,
            check=False,
            env=self.site.environment,
            cwd="/",
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def launch(self, *words: str) -> Path:
        """Launch a campaign of that user and wait for its end; the results."""
        person = self.site.people[0] if self.site.people else None
        home = person.home if person else self.folder
        results = home / "capped"
        library = f"{self.folder}/$SLURMD_NODENAME"
        setup = f'cluster.slurm.setup=["export LD_LIBRARY_PATH={library}:$LD_LIBRARY_PATH",'
        setup += f'"export PYTHONPATH={CUDA}"]'
        all_words = last_words(*POINT, *REAL, "gpus=2", "cluster.gpus_per_node=2", *words)
        given = (f"results={results}", setup, "wait=true", "-m", *all_words)
        if person is None:
            self.site.launch(results, *given[1:])
        else:
            self.site.run_as(person, "launcher", *given)
        return results

    def limits(self, *nodes: str) -> list[float]:
        """The caps of both boards of each node."""
        boards = [SharedBoards(self.folder / node / "boards") for node in nodes]
        return [one.settings(index).limit_w for one in boards for index in (0, 1)]

    def untouched(self, *nodes: str) -> bool:
        """Whether the boards stand as nobody set them, and nothing is remembered."""
        boards = [SharedBoards(self.folder / node / "boards") for node in nodes]
        return (
            self.limits(*nodes) == [BEFORE_W] * 2 * len(nodes)
            and all(one.settings(index).sm_mhz == CLOCK_MHZ for one in boards for index in (0, 1))
            and not any((self.folder / node / "vault" / "state.json").exists() for node in nodes)
        )

    def log(self, node: str) -> str:
        path = self.folder / node / "vault" / "log"
        return path.read_text() if path.exists() else ""

    def wait(self, what: str, *, node: str = "n1", limit_w: float | None = None) -> None:
        """Wait until a node's boards have a cap, or stand as nobody set them."""
        self.site.wait(
            what,
            lambda: self.untouched(node) if limit_w is None else self.limits(node) == [limit_w] * 2,
            60,
        )

    def state(self, job: str) -> str:
        return self.site.slurm("squeue", "-h", "-j", job, "-t", "all", "-o", "%T")


@pytest.fixture(scope="module")
def installed(site: Site) -> Iterator[Center]:
    with tempfile.TemporaryDirectory(prefix="jg-power-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "look.py").write_text(_LOOK)
        for number, node in enumerate(("n1", "n2", "n3", "n4")):
            (folder / node / "vault").mkdir(parents=True, mode=0o700)
            (folder / node).chmod(0o755)
            (folder / node / "vault").chmod(0o700)
            setters = "root" if os.geteuid() == 0 else "all"
            boards = folder / node / "boards"
            world = {**WAVE, "gpus": 2, "first_board": 2 * number, "setters": setters}
            World(folder / node / "world", shared=boards, **world)
            library = build(folder / node, world=folder / node / "world")
            load = f"import ctypes; assert ctypes.CDLL({str(library)!r}).nvmlInit_v2() == 0"
            subprocess.run(["/usr/bin/python3", "-c", load], check=True)
            boards.chmod(0o644)
        for verb in ("prolog", "epilog"):
            # As the installation's: the script, and what root says to it.
            (folder / verb).write_text(
                f"#!/bin/sh\nexec {REPOSITORY}/slurm/power/{verb}.sh --clocks=reset "
                f'--folder="{folder}/$SLURMD_NODENAME/vault" '
                f'--library="{folder}/$SLURMD_NODENAME/libnvidia-ml.so.1" '
                f"--slurm-conf={site.environment['SLURM_CONF']}\n"
            )
            (folder / verb).chmod(0o755)
        path = Path(site.environment["SLURM_CONF"])
        before = path.read_text()
        path.write_text(f"{before}Prolog={folder}/prolog\nEpilog={folder}/epilog\n")
        site.slurm("scontrol", "reconfigure")
        try:
            yield Center(site=site, folder=folder)
        finally:
            path.write_text(before)
            site.slurm("scontrol", "reconfigure")


@pytest.fixture
def center(installed: Center, cluster: Site) -> Center:
    return installed


def test_without_a_broker_a_point_ends_with_the_administrators_text_and_nothing_is_set(
    cluster: Site, tmp_path: Path
) -> None:
    with tempfile.TemporaryDirectory(prefix="jg-bare-") as name:
        nodes = CappedNodes.make(Path(name), "n1")
        with pytest.MonkeyPatch.context() as patch:
            for key, value in nodes.environment().items():
                patch.setenv(key, value)
            words = (*POINT, *REAL, nodes.setup, "power=broker", "power_cap_w=350")
            attempt = cluster.queue(tmp_path / "results", *words)
        end = cluster.wait_ended(attempt)
        assert "must be 350 on GPU-" in end["reason"]
        assert "but reads 500 instead" in end["reason"]
        assert "no broker is installed on this node, or it refused" in end["reason"]
        assert "nvidia-smi -pl 350" in end["reason"]
        assert nodes.stand_as_before("n1")
        cap = NodePower.read(attempt.host_power("n1")).gpus[0].settings[Knob.POWER_LIMIT]
        assert (cap.before.value, cap.set_us) == (500, None)


def test_a_run_by_the_broker_is_capped_on_record_and_audited_and_one_that_it_refuses_is_not_run(
    center: Center,
) -> None:
    nodes = ("n1", "n2", "n3", "n4")
    boards = [SharedBoards(center.folder / node / "boards") for node in nodes]
    for one in boards:
        for index in (0, 1):
            one.set_limit(index, STOOD_W)
    try:
        results = center.launch("power=broker", "power_cap_w=350,600")
        asked = {RunSpec.read(run.spec).power_cap_w: run for run in list_runs(results)}
        refused, met = asked[600.0].attempt(1), asked[350.0].sealed()
        assert met is not None
        host = str(read_json(met.started)["host"])
        record = NodePower.read(met.host_power(host))
        cap = record.gpus[0].settings[Knob.POWER_LIMIT]
        assert (record.way, record.fault, len(record.gpus)) == (Way.BROKER, None, 2)
        assert (cap.asked, cap.enforced.value, cap.set_us) == (350, 350, None)
        checks = {
            name: look(asked[350.0], name).outcome
            for name in ("settings-enforced", "cap-kept", "settings-restored")
        }
        assert checks == {
            "settings-enforced": Outcome.PASSED,
            "cap-kept": Outcome.PASSED,
            "settings-restored": Outcome.UNSEEN,
        }
        assert center.log(host).count(" restored cap_mw before=350000 asked=500000") == 2
        # Above what the center keeps them at, which no wish may lift.
        assert "`power_limit_w` must be 600 on GPU-" in read_json(refused.ended)["reason"]
        assert "For administrators" in read_json(refused.ended)["reason"]
        where = str(read_json(refused.started)["host"])
        assert "`cap_w` must be from 200 to 500, but is 600 instead" in center.log(where)
        center.site.wait("the old values", lambda: center.limits(*nodes) == [STOOD_W] * 8, 60)
        assert not any((center.folder / node / "vault" / "state.json").exists() for node in nodes)
    finally:
        for one in boards:
            for index in (0, 1):
                one.set_limit(index, BEFORE_W)


def test_a_user_s_job_has_its_caps_on_every_node_and_cannot_set_them_itself(
    center: Center, tmp_path: Path
) -> None:
    told = Path(tempfile.mkdtemp(prefix="told-", dir=center.folder))
    told.chmod(0o777)
    look = f"/usr/bin/python3 -I {center.folder}/look.py {center.folder}"
    job = center.submit(
        "--exclusive", "--nodes=2", "--nodelist=n1,n2", "--gpus-per-node=1",
        wrap=f"srun --ntasks-per-node=1 {look} > {told}/seen",
    )  # fmt: skip
    center.site.wait("its end", lambda: center.state(job) == "COMPLETED", 60)
    refused = NO_PERMISSION if center.site.people else 0
    if center.site.people:
        assert sorted((told / "seen").read_text().splitlines()) == [
            f"n1 250000 {refused}",
            f"n2 250000 {refused}",
        ]
    center.wait("n1's old values", node="n1")
    center.wait("n2's old values", node="n2")
    assert center.log("n1").count(" set cap_mw before=700000 asked=250000 now=250000") == 2
    assert center.log("n2").count(" restored cap_mw before=250000 asked=700000 now=700000") == 2


@pytest.mark.parametrize("death", ["scancel", "scancel --signal=KILL", "time limit"])
def test_however_a_job_ends_what_stood_there_comes_back(center: Center, death: str) -> None:
    limit = ["--time=1"] if death == "time limit" else []
    job = center.submit(
        "--exclusive", "--nodelist=n1", "--gpus-per-node=2", *limit, wrap="sleep 300"
    )
    center.wait("the caps", limit_w=250)
    if death == "time limit":
        # Slurm looks at limits twice a minute; the job's own minute need not pass as well.
        center.site.slurm("scontrol", "update", f"jobid={job}", "endtime=now")
    else:
        center.site.slurm(*death.split(), job)
    center.wait("the old values")
    assert center.site.slurm("sinfo", "-h", "-n", "n1", "-o", "%T") in ("idle", "completing")


def test_an_element_of_an_array_is_told_by_its_own_number(center: Center) -> None:
    job = center.submit("--exclusive", "--nodelist=n1", "--gpus-per-node=2", "--array=3")
    center.wait("the caps", limit_w=250)
    center.site.slurm("scancel", job)
    center.wait("the old values")


def test_after_a_node_s_crash_the_next_job_finds_what_stood_there(center: Center) -> None:
    center.submit("--exclusive", "--nodelist=n3", "--gpus-per-node=2")
    center.wait("the caps", node="n3", limit_w=250)
    center.site.control("crash", "n3")
    assert center.limits("n3") == [250, 250]
    center.site.control("start", "n3")
    center.site.slurm("scancel", "--nodelist=n3")
    job = center.submit("--nodelist=n3", comment="", wrap="true")
    center.site.wait("the next job", lambda: center.state(job) == "COMPLETED", 60)
    assert center.untouched("n3")


@pytest.mark.parametrize(
    ("words", "comment"),
    [
        (["--gpus-per-node=1"], WISH),
        (["--gpus-per-node=1", "--job-name=x OverSubscribe=NO y|NO|R|"], WISH),
        (["--gpus-per-node=1"], f"{WISH}\n1|1|N/A|0|NO|R|2026-11-28T00:53:35"),
        (["--exclusive", "--gpus-per-node=2"], f"{WISH}\nx"),
        (["--exclusive", "--gpus-per-node=2"], "joulegrid-power:cap_w=-250"),
    ],
    ids=["shared", "forged name", "forged row", "newline", "negative"],
)
def test_a_wish_that_may_not_be_met_is_refused_and_the_job_runs_all_the_same(
    center: Center, words: list[str], comment: str
) -> None:
    before = center.log("n2").count(" refused: ")
    job = center.submit("--nodelist=n2", *words, comment=comment, wrap="true")
    center.site.wait("its end", lambda: center.state(job) == "COMPLETED", 60)
    assert center.untouched("n2")
    assert center.log("n2").count(" refused: ") == before + 1
    assert "1410" not in center.log("n2").splitlines()[-1]


def test_two_jobs_of_one_node_that_both_wish_get_nothing(center: Center) -> None:
    jobs = [
        center.submit("--nodelist=n4", "--gpus-per-node=1", wrap="sleep 1", comment=f"{WISH} {one}")
        for one in (1, 2)
    ]
    both = ["COMPLETED"] * 2
    center.site.wait("their end", lambda: [center.state(job) for job in jobs] == both, 60)
    assert center.untouched("n4")
    assert center.log("n4").count("must run and have its node whole") == 2
