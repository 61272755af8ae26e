"""What Slurm's clients say, by doubles on PATH in the words of the real ones, which may hang."""

import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.doctor import slurm_books, slurm_site
from launcher.doctor.examination import examine
from launcher.doctor.observation import Observation, Standing
from launcher.doctor.situation import GpuPlace, Situation, settle
from launcher.slurm.queue import SlurmError

PARTITION = (
    "PartitionName=gpu AllowGroups=ALL Default=YES MaxNodes=UNLIMITED MaxTime=2-00:00:00 "
    "OverSubscribe=NO State=UP TotalNodes=3\n"
    "PartitionName=debug AllowGroups=ALL Default=NO MaxNodes=1 MaxTime=00:30:00 "
    "OverSubscribe=NO State=UP TotalNodes=1\n"
)
CONFIG = (
    "MaxArraySize            = 1001\nMaxJobCount             = 10000\n"
    "SelectType              = select/cons_tres\nKillWait                = 30 sec\n"
    "JobRequeue              = 1\nPrologFlags             = Alloc,Contain\n"
    "Prolog                  = (null)\nEpilog                  = (null)\n"
    "AccountingStorageEnforce = associations,limits\n"
)
DEFAULTS = {
    "version": "slurm 23.11.4",
    "ping": "Slurmctld(primary) at head is UP\nSlurmctld(backup) at head2 is UP",
    "partition": PARTITION,
    "config": CONFIG,
    "states": "idle|2\nmixed|1",
    "gres": "gpu:a100:8(S:0-1)\ngpu:a100:8\ngpu:a100:8",
    "sacct": "12\n13",
    "assoc": "project||normal,gpu|normal|||||500|2-00:00:00|",
    "qos": "normal|||||\ngpu|1-00:00:00||||gres/gpu=16",
}
SCRIPTS = {
    "scontrol": """case "$*" in
 *--version*) say version ;; *ping*) say ping ;; *config*) say config ;;
 *partition*) say partition ;; *) exit 1 ;; esac""",
    "sinfo": """case "$*" in *%T*) say states ;; *) say gres ;; esac""",
    "sacct": "say sacct",
    "sacctmgr": """case "$*" in *assoc*) say assoc ;; *) say qos ;; esac""",
    **dict.fromkeys(("sbatch", "srun", "squeue", "scancel"), "exit 0"),
}
# A word that begins with `fail ` is an error, with `hang` a client that does not answer.
HEAD = """#!/bin/sh
say() {{
  case "$(cat {folder}/$1)" in
    "fail "*) sed 's/^fail //' {folder}/$1 >&2; exit 1 ;;
    hang) exec sleep 600 ;;
    *) cat {folder}/$1 ;;
  esac
}}
"""

Says = Callable[..., None]


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Says:
    """Clients on PATH; what one says is changed by its word."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name, body in SCRIPTS.items():
        script = bin_folder / name
        script.write_text(HEAD.format(folder=tmp_path) + body + "\n")
        script.chmod(0o755)
    # A real Slurm of this machine's must not answer in place of a double that is not there.
    for name in ("sh", "cat", "sed", "sleep"):
        found = shutil.which(name)
        assert found is not None
        (bin_folder / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(bin_folder))

    def say(**texts: str) -> None:
        for word, text in texts.items():
            (tmp_path / word).write_text(text)

    say(**DEFAULTS)
    return say


@pytest.fixture
def login(tmp_path: Path) -> Situation:
    return settle("slurm", "results", {"PATH": ""}, tmp_path)


def by_name(found: object) -> dict[str, Observation]:
    assert isinstance(found, list)
    return {one.name: one for one in found}


def everything(situation: Situation) -> dict[str, Observation]:
    probes = [*slurm_site.probes(situation), *slurm_books.probes(situation)]
    return by_name(examine([dataclasses.replace(one, patience_s=8.0) for one in probes]))


def test_a_site_that_answers_is_there_with_its_numbers(says: Says, login: Situation) -> None:
    found = everything(login)
    assert {one.standing for one in found.values()} == {Standing.THERE}
    assert "slurm 23.11.4" in found["slurm-clients"].found
    assert "at head is UP; Slurmctld(backup) at head2 is UP" in found["slurm-controller"].found
    room = found["slurm-partition"].found
    assert "gpu: 3 nodes (2 idle, 1 mixed), at most 2880 min, any number" in room
    assert "debug (1 nodes, 30 min, gpu:a100:8, OverSubscribe NO, UP)" in (
        found["slurm-partitions"].found
    )
    assert found["slurm-gres"].found == "3 nodes of gpu:a100:8"
    assert "MaxArraySize 1001, MaxJobCount 10000" in found["slurm-arrays"].found
    assert "PrologFlags Alloc,Contain" in found["slurm-prolog"].found
    assert "2 jobs of" in found["slurm-accounting"].found
    assert found["slurm-association"].found == (
        "project: QOS normal,gpu, DefaultQOS normal, MaxSubmitJobs 500, MaxWall 2-00:00:00"
    )
    assert found["slurm-qos"].found == (
        "normal: no limit; gpu: MaxWall 1-00:00:00, MaxTRESPerUser gres/gpu=16"
    )


def test_without_any_client_slurm_does_not_apply_where_the_cluster_asks_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    local = settle("local", "results", {"PATH": ""}, tmp_path)
    (one,) = everything(local).values()
    assert one.standing is Standing.ELSEWHERE


def test_without_any_client_a_slurm_cluster_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: Situation
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = everything(login)
    assert found["slurm-clients"].stops
    assert "sbatch, srun, scontrol, sinfo, squeue" in found["slurm-clients"].found
    assert found["slurm-partition"].standing is not Standing.THERE


def test_a_dead_controller_stops_and_what_it_would_tell_is_not_called_there(
    says: Says, login: Situation
) -> None:
    dead = "fail slurm_load_partitions: Unable to contact slurm controller (connect failure)"
    says(ping=dead, config=dead, partition=dead, states=dead, gres=dead)
    found = everything(login)
    assert [name for name, one in found.items() if one.stops] == ["slurm-controller"]
    assert "Unable to contact slurm controller" in found["slurm-controller"].found
    for name in ("slurm-settings", "slurm-partition", "slurm-association"):
        assert found[name].standing is Standing.UNSEEN, name


def test_a_controller_that_hangs_is_given_up_and_stops(says: Says, login: Situation) -> None:
    says(**dict.fromkeys(DEFAULTS, "hang"))
    before_s = time.monotonic()
    probes = [*slurm_site.probes(login), *slurm_books.probes(login)]
    found = by_name(examine([dataclasses.replace(one, patience_s=1.0) for one in probes]))
    assert time.monotonic() - before_s < 10
    assert found["slurm-controller"].stops
    assert {one.standing for one in found.values()} <= {Standing.MISSING, Standing.UNSEEN}


@pytest.mark.parametrize(
    ("old", "new", "faulty"),
    [
        ("MaxArraySize            = 1001", "MaxArraySize = 1", ("slurm-arrays", True)),
        ("select/cons_tres", "select/linear", ("slurm-select", True)),
        ("30 sec", "2 sec", ("slurm-end", False)),
    ],
)
def test_a_setting_that_no_campaign_can_live_with_is_told(
    old: str, new: str, faulty: tuple[str, bool], says: Says, login: Situation
) -> None:
    says(config=CONFIG.replace(old, new))
    found = slurm_site.settings(login)
    assert [(one.name, one.stops) for one in found if one.standing is Standing.MISSING] == [faulty]


def test_old_clients_and_few_of_them_are_told(says: Says, tmp_path: Path, login: Situation) -> None:
    says(version="slurm 18.08.8")
    assert slurm_site.clients()[0].stops
    says(version="slurm 24.05.1")
    (tmp_path / "bin/sacct").unlink()
    (one,) = slurm_site.clients()
    assert (one.standing, one.stops) == (Standing.MISSING, False)
    assert "sacct" in one.found


@pytest.mark.parametrize(
    ("told", "name", "words"),
    [
        (
            {"partition": PARTITION.replace("=YES", "=NO")},
            "slurm-partition",
            "there is no default partition",
        ),
        ({"partition": PARTITION.replace("=UP", "=DRAIN")}, "slurm-partition", "is DRAIN"),
        ({"states": "drained|2\ndown*|1"}, "slurm-partition", "2 drained, 1 down"),
        (
            {"partition": PARTITION.replace("2-00:00:00", "01:00:00")},
            "slurm-partition",
            "must be at most 60",
        ),
        ({"gres": "(null)\n(null)\n(null)"}, "slurm-gres", "no GPU that Slurm knows"),
    ],
)
def test_a_partition_where_no_job_can_run_stops(
    told: dict[str, str], name: str, words: str, says: Says, login: Situation
) -> None:
    says(**told)
    one = by_name(list(slurm_site.partition(login)))[name]
    assert one.stops
    assert words in one.found


def test_a_partition_that_is_named_and_not_there_stops_with_those_that_are(
    says: Says, login: Situation
) -> None:
    (one,) = slurm_site.partition(dataclasses.replace(login, partition="gpus"))
    assert one.stops
    assert "there is no partition gpus; Slurm tells of gpu, debug" in one.found


def test_nodes_that_are_shared_by_force_cost_the_host_s_energy(
    says: Says, login: Situation
) -> None:
    says(partition=PARTITION.replace("OverSubscribe=NO", "OverSubscribe=FORCE:2"))
    one = by_name(list(slurm_site.partition(login)))["slurm-exclusive"]
    assert (one.standing, one.stops) == (Standing.MISSING, False)
    assert "--exclusive is not heeded" in one.found


def test_fewer_gpus_than_the_cluster_s_file_says_are_told(says: Says, login: Situation) -> None:
    says(gres="gpu:a100:4\ngpu:a100:4\ngpu:a100:4")
    named = dataclasses.replace(login, gpus_per_node=8)
    one = by_name(list(slurm_site.partition(named)))["slurm-gres"]
    assert (one.standing, one.stops) == (Standing.MISSING, False)
    assert "the most is 4" in one.found
    left_open = dataclasses.replace(login, gpus_per_node=None)
    assert by_name(list(slurm_site.partition(left_open)))["slurm-gres"].found == (
        "3 nodes of gpu:a100:4"
    )


def test_where_the_gpu_is_simulated_no_gres_is_asked_for(says: Says, login: Situation) -> None:
    says(gres="(null)\n(null)\n(null)", config=CONFIG.replace("cons_tres", "linear"))
    simulated = dataclasses.replace(login, gpu=GpuPlace.SIMULATED)
    found = by_name([*slurm_site.partition(simulated), *slurm_site.settings(simulated)])
    assert not [one for one in found.values() if one.stops]


def test_accounting_that_is_not_there_differs_from_one_that_does_not_answer(
    says: Says, login: Situation
) -> None:
    says(sacct="fail Slurm accounting storage is disabled")
    assert slurm_books.accounting()[0].standing is Standing.MISSING
    says(sacct="fail sacct: error: Sending PersistInit msg: Connection refused")
    assert slurm_books.accounting()[0].standing is Standing.UNSEEN


def test_a_user_without_an_association_is_stopped_where_slurm_asks_for_one(
    says: Says, login: Situation
) -> None:
    says(assoc="")
    assert slurm_books.association(login)[0].stops
    says(config=CONFIG.replace("associations,limits", "none"))
    assert slurm_books.association(login)[0].standing is Standing.THERE


def test_an_account_or_a_quality_of_service_that_is_not_the_user_s_is_told(
    says: Says, login: Situation
) -> None:
    (one,) = slurm_books.association(dataclasses.replace(login, account="others"))
    assert one.stops
    assert "to account others" in one.found
    one = by_name(list(slurm_books.association(dataclasses.replace(login, qos="long"))))[
        "slurm-qos"
    ]
    assert one.stops
    assert "names long" in one.found


def test_a_limit_that_leaves_no_place_for_the_closing_job_is_told(
    says: Says, login: Situation
) -> None:
    says(assoc="project||normal|normal|||||1||")
    one = slurm_books.association(login)[0]
    assert (one.standing, one.stops) == (Standing.MISSING, False)
    assert "MaxSubmitJobs 1" in one.found


def test_books_that_do_not_answer_are_not_called_open(says: Says, login: Situation) -> None:
    says(assoc="fail sacctmgr: error: slurmdbd: Connection refused")
    with pytest.raises(SlurmError):
        slurm_books.association(login)
