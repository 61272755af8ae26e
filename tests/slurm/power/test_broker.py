"""Broker: sets a job's wish on its boards, puts back what stood there, and refuses the rest."""

import json
import os
import re
import uuid

import pytest

from tests.doubles.nvml.library import uuid_of
from tests.slurm.power.bench import CLOCK_MHZ, LIMIT_W, Bench

ALL = "joulegrid-power:cap_w=250,sm_mhz=1410,mem_mhz=1593"


def test_a_wish_is_set_and_the_epilog_puts_back_what_stood_there(bench: Bench) -> None:
    bench.queue(7, ALL)
    assert bench.prolog() == 0
    assert bench.limits() == [250, 250]
    assert bench.clocks() == [1410, 1410]
    assert bench.boards.settings(0).memory_mhz == 1593
    assert bench.epilog() == 0
    assert bench.untouched()
    assert bench.boards.settings(0).memory_mhz == 3201
    assert not bench.state.exists()


def test_only_the_job_s_own_boards_are_set(bench: Bench) -> None:
    bench.queue(7)
    bench.prolog(gpus="1")
    assert bench.limits() == [LIMIT_W, 250]


def test_boards_are_found_by_minor_number_not_by_order(bench: Bench) -> None:
    bench.world.set(gpus=1).wild("minor", 5)
    bench.queue(7)
    bench.prolog(gpus="0")
    assert bench.untouched()
    bench.prolog(gpus="5")
    assert bench.limits() == [250, LIMIT_W]


def test_what_was_found_comes_back_and_not_the_default(bench: Bench) -> None:
    bench.queue(7)
    bench.prolog()
    bench.epilog()
    bench.boards.set_limit(0, 500)
    bench.prolog()
    assert bench.limits() == [250, 250]
    bench.epilog()
    assert bench.limits() == [500, LIMIT_W]


def test_a_center_s_own_cap_is_never_raised(bench: Bench) -> None:
    bench.queue(7)
    bench.prolog()
    bench.epilog()
    bench.boards.set_limit(1, 400)
    bench.queue(8, "joulegrid-power:cap_w=450")
    bench.prolog(8)
    assert bench.limits() == [LIMIT_W, 400]
    assert "`cap_w` must be from 200 to 400, but is 450 instead" in bench.log


def test_every_change_has_a_line_that_says_whose_what_and_how_much(bench: Bench) -> None:
    bench.queue(7)
    bench.prolog()
    bench.epilog()
    whose = f"node=n1 job=7 uid=1000 gpu={uuid_of(1)}"
    assert f"{whose} set cap_mw before=700000 asked=250000 now=250000\n" in bench.log
    assert f"{whose} restored cap_mw before=250000 asked=700000 now=700000\n" in bench.log
    assert re.fullmatch(
        r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ node=\S+ job=\d+ uid=\d+ .+\n)+", bench.log
    )
    assert bench.log.count("\n") == 5


def test_the_old_values_are_remembered_for_root_alone(bench: Bench) -> None:
    bench.queue(7)
    bench.prolog()
    assert bench.state.stat().st_mode & 0o777 == 0o600
    told = json.loads(bench.state.read_text())
    assert told["job_id"] == 7
    assert told["gpus"][0]["cap_before_mw"] == 700_000
    assert told["gpus"][0]["sm_set_mhz"] is None


def test_a_job_without_a_wish_touches_nothing_and_asks_no_driver(bench: Bench) -> None:
    bench.queue(7, "joulegrid:samples/n1:3:abc")
    assert bench.prolog() == 0
    assert not bench.boards.path.exists()
    assert bench.log == ""


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ("share", "have its node whole"),
        ("pending", "have its node whole"),
        ("unknown", "must be Slurm's and have this node"),
        ("silent", "squeue must end with 0"),
        ("mig", "must not be split by MIG"),
        ("forgets", "persistence mode must be on"),
        ("clocks", "must have `--clocks`"),
        ("lost", "must be boards of this node, but [1] is none"),
    ],
)
def test_a_job_that_may_not_is_refused_and_changes_nothing(
    bench: Bench, cause: str, said: str
) -> None:
    bench.queue(7, ALL, share="OK" if cause == "share" else "NO",
                state="PD" if cause == "pending" else "R")  # fmt: skip
    if cause == "unknown":
        bench.end(7)
    if cause == "silent":
        bench.squeue.with_name("squeue.down").touch()
    if cause == "mig":
        bench.world.set(mig=1)
    if cause == "forgets":
        bench.world.wild("persistence", 0)
    if cause == "clocks":
        bench.options.remove("--clocks=reset")
    if cause == "lost":
        bench.world.set(lost=1)
    assert bench.prolog() == 0
    assert bench.untouched()
    assert not bench.state.exists()
    assert said in bench.log


@pytest.mark.parametrize(
    "gpus", ["", "2", "0,1,9", "0-1", "-1", "0;1", "GPU-a", "0," * 99, "\u0660"]
)
def test_boards_that_are_not_the_job_s_to_name_are_refused(bench: Bench, gpus: str) -> None:
    bench.queue(7)
    assert bench.prolog(gpus=gpus) == 0
    assert bench.untouched()
    assert "refused" in bench.log


@pytest.mark.parametrize(
    "wish", ["cap_w=199", "cap_w=701", "sm_mhz=1411", "sm_mhz=2000", "mem_mhz=1594", "cap_w=99999"]
)
def test_what_the_board_does_not_offer_is_refused(bench: Bench, wish: str) -> None:
    bench.queue(7, f"joulegrid-power:{wish}")
    bench.prolog()
    assert bench.untouched()
    assert "refused" in bench.log


@pytest.mark.parametrize(
    "call", ["1.set_limit", "1.set_clock", "1.limit_requested", "1.limit_bounds"]
)
def test_a_driver_that_refuses_in_the_middle_leaves_no_board_set(bench: Bench, call: str) -> None:
    bench.queue(7, ALL)
    bench.world.fail(call, 4)
    assert bench.prolog() == 0
    assert "refused" in bench.log
    bench.world.heal()
    bench.epilog()
    assert bench.untouched()
    assert not bench.state.exists()


def test_a_cap_that_reads_back_otherwise_is_taken_back(bench: Bench) -> None:
    bench.queue(7)
    bench.world.wild("limit_requested", 700_000)
    bench.prolog()
    assert "must read back as 250000 mW, but is 700000 instead" in bench.log
    assert "not every board took it" in bench.log


def test_what_an_administrator_set_meanwhile_stays_and_is_told(bench: Bench) -> None:
    bench.queue(7)
    bench.prolog()
    bench.boards.set_limit(0, 300)
    bench.epilog()
    assert bench.limits() == [300, LIMIT_W]
    assert f"gpu={uuid_of(0)} left cap_mw before=700000 set=250000 now=300000" in bench.log
    assert not bench.state.exists()


def test_the_next_prolog_puts_back_what_a_job_that_is_gone_left(bench: Bench) -> None:
    bench.queue(7)
    bench.prolog()
    bench.end(7)
    bench.queue(8, "")
    bench.prolog(8)
    assert bench.untouched()


def test_a_number_that_is_given_out_again_is_another_job(bench: Bench) -> None:
    bench.queue(7)
    bench.prolog()
    bench.queue(7, "", start="2026-11-28T09:00:00")
    bench.queue(8, "joulegrid-power:cap_w=300", start="2026-11-28T09:00:01")
    bench.prolog(8)
    assert bench.limits() == [300, 300]
    assert json.loads(bench.state.read_text())["gpus"][0]["cap_before_mw"] == 700_000


def test_a_requeued_job_begins_from_what_stood_before_its_first_run(bench: Bench) -> None:
    bench.queue(7)
    bench.prolog()
    bench.queue(7, start="2026-11-28T09:00:00")
    bench.prolog()
    assert json.loads(bench.state.read_text())["gpus"][0]["cap_before_mw"] == 700_000
    bench.epilog()
    assert bench.untouched()


def test_two_jobs_of_one_node_do_not_get_into_each_other_s_way(bench: Bench) -> None:
    bench.queue(7)
    bench.prolog(gpus="0")
    bench.queue(8, "joulegrid-power:cap_w=300")
    bench.prolog(8, gpus="0,1")
    assert bench.limits() == [250, LIMIT_W]
    assert "job 7 has values here and still has the node" in bench.log
    bench.epilog(8)
    assert bench.limits() == [250, LIMIT_W]
    bench.epilog(7)
    assert bench.untouched()


def test_while_slurm_is_silent_another_job_s_values_stay(bench: Bench) -> None:
    bench.queue(7)
    bench.prolog()
    bench.squeue.with_name("squeue.down").touch()
    bench.epilog(8)
    assert bench.limits() == [250, 250]
    bench.epilog(7)
    assert bench.untouched()


def test_a_board_that_is_lost_stays_remembered_until_it_is_back(bench: Bench) -> None:
    bench.queue(7)
    bench.prolog()
    bench.world.set(lost=0)
    bench.epilog()
    assert bench.limits() == [250, LIMIT_W]
    assert [gpu["uuid"] for gpu in json.loads(bench.state.read_text())["gpus"]] == [uuid_of(0)]
    bench.end(7)
    bench.queue(8)
    bench.prolog(8, gpus="1")
    assert "must be put back first" in bench.log
    bench.world.set(lost=-1)
    assert bench.run("restore") == 0
    assert bench.untouched()


def test_values_of_another_boot_are_forgotten_and_not_put_back(bench: Bench) -> None:
    bench.queue(7)
    bench.prolog()
    told = json.loads(bench.state.read_text())
    told["boot_id"] = str(uuid.uuid4())
    bench.state.write_text(json.dumps(told))
    bench.boards.set_limit(0, 600)
    bench.epilog()
    assert bench.limits() == [600, 250]
    assert "lost values of another boot" in bench.log
    assert not bench.state.exists()


def test_by_hand_nothing_is_put_back_under_a_job_unless_forced(bench: Bench) -> None:
    bench.queue(7)
    bench.prolog()
    assert bench.run("restore") == 1
    assert bench.limits() == [250, 250]
    assert bench.run("restore", "--force") == 0
    assert bench.untouched()


def test_a_site_s_own_lock_is_put_back_and_bounds_the_wish(bench: Bench) -> None:
    bench.options[-1] = "--clocks=345-1500"
    bench.queue(7, "joulegrid-power:sm_mhz=1410")
    bench.prolog()
    # The prolog's word is remembered: an epilog that is called otherwise puts back the same.
    del bench.options[-1]
    bench.epilog()
    bench.options.append("--clocks=345-1500")
    assert bench.clocks() == [1500, 1500]
    bench.queue(8, "joulegrid-power:sm_mhz=1980")
    bench.prolog(8)
    assert bench.clocks() == [1500, 1500]
    assert CLOCK_MHZ not in bench.clocks()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_whoever_is_not_root_gets_nothing_from_the_driver(bench: Bench) -> None:
    """The folder is theirs here, so that the driver is what stops them."""
    bench.queue(7)
    bench.world.set(setters="none")
    bench.prolog()
    assert bench.untouched()
    assert "the driver answers 4 instead" in bench.log
