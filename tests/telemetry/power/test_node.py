"""A node's GPUs are set as a run asks, all or none, read back, and given back what they had."""

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.power.book import Book, Entry, boot_id
from telemetry.power.leftovers import put_back_leftovers
from telemetry.power.node import NodeSettings
from telemetry.power.record import Knob, NodePower, Way
from telemetry.power.restoring import restore_left
from telemetry.record.files import read_json, write_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from telemetry.sources.nvml.library import Driver
from telemetry.sources.nvml.settings import Card, is_missing, is_refusal
from telemetry.sources.nvml.visible_gpus import read_visible_gpus
from tests.doubles.nvml.library import SharedBoards, World, uuid_of
from tests.support.watched_attempts import make_attempt

CAP = {"gpu": "h200", "power_cap_w": 350.0}
LIMIT = Knob.POWER_LIMIT
# The simulated library looks for changes of its world every 10 ms.
_NOTICED_S = 0.02
Boards = Callable[..., tuple[World, SharedBoards]]


class Node:
    """One attempt's settings on the simulated node, and what was told of them."""

    def __init__(self, folder: Path, spec: dict[str, Any], **launch: Any) -> None:
        run, self.attempt = make_attempt(
            folder, spec=spec, launch={"device": "cuda", "telemetry": "nvml", "period_ms": 100}
        )
        content = {**_launch(self.attempt), **launch}
        write_json(self.attempt.launch, content)
        self.told: list[str] = []
        self._driver = Driver()
        self._gpus = read_visible_gpus(self._driver, {}).gpus
        self._spec = RunSpec.read(run.spec)
        self.settings = self._fresh()

    def _fresh(self) -> NodeSettings:
        self.cards = [Card(gpu) for gpu in self._gpus]
        return NodeSettings(
            self.attempt,
            self._spec,
            LaunchConfig.read(self.attempt.launch),
            "n1",
            self.cards,
            is_permission=is_refusal,
            is_missing=is_missing,
            tell=self.told.append,
        )

    def die_and_be_followed(self) -> None:
        """As after a kill: what was held is free, nothing was put back, another begins."""
        self.settings._let_go()
        self.settings = self._fresh()

    def record(self) -> NodePower:
        """What is on the disk."""
        return NodePower.read(self.attempt.host_power("n1"))

    def close(self) -> None:
        self.settings.restore()
        self._driver.close()


def _launch(attempt: AttemptPaths) -> dict[str, Any]:
    return dict(LaunchConfig.read(attempt.launch).to_mapping())


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    with contextlib.ExitStack() as stack:

        def make(spec: dict[str, Any] = CAP, name: str = "results", **launch: Any) -> Node:
            made = Node(tmp_path / name, spec, **launch)
            stack.callback(made.close)
            return made

        yield make


def test_every_gpu_is_set_read_back_and_given_back_what_it_had(
    boards: Boards, node: Callable[..., Node]
) -> None:
    _, shared = boards(gpus=2)
    one = node()
    one.settings.settle()
    assert [shared.settings(index).limit_w for index in (0, 1)] == [350, 350]
    on_disk = one.record()
    assert (on_disk.way, on_disk.means, on_disk.fault) == (Way.WATCHER, "NVML", None)
    assert "reads 500" in on_disk.not_taken[Way.SITE]
    setting = on_disk.gpus[1].settings[LIMIT]
    assert (setting.before.value, setting.asked, setting.enforced.value) == (500, 350, 350)
    assert (setting.least.value, setting.most.value, setting.default.value) == (200, 700, 700)
    assert on_disk.unrestored
    one.settings.restore()
    assert [shared.settings(index).limit_w for index in (0, 1)] == [500, 500]
    ended = one.record()
    assert ended.unrestored == ()
    assert ended.gpus[0].settings[LIMIT].restored.value == 500
    assert ended.gpus[0].settings[LIMIT].restored_by == "watcher"
    assert Book().uuids() == ()


def test_a_cap_counts_as_set_once_it_is_in_force(boards: Boards, node: Callable[..., Node]) -> None:
    boards(delay_ms=150)
    one = node()
    one.settings.settle()
    setting = one.record().gpus[0].settings[LIMIT]
    assert setting.enforced.value == 350
    assert setting.took_us is not None
    assert setting.took_us >= 140_000
    assert one.cards[0].in_force(LIMIT) == (350, None)


def test_a_cap_that_is_told_and_never_in_force_is_not_taken_for_set(
    boards: Boards, node: Callable[..., Node]
) -> None:
    boards(delay_ms=60_000)
    one = node()
    with pytest.raises(RuntimeError, match=r"must be 350 on .*, but reads 500 instead"):
        one.settings.settle()


def test_a_clock_lock_is_set_and_taken_off_and_its_reading_is_null_with_the_reason(
    boards: Boards, node: Callable[..., Node]
) -> None:
    _, shared = boards()
    one = node({"gpu": "h200", "sm_clock_mhz": 1395, "memory_clock_mhz": 1593})
    one.settings.settle()
    assert (shared.settings(0).sm_mhz, shared.settings(0).memory_mhz) == (1395, 1593)
    enforced = one.record().gpus[0].settings[Knob.SM_CLOCK].enforced
    assert enforced.value is None
    assert "see the sampled clock" in str(enforced.reason)
    assert one.settings.requested()[uuid_of(0)] == {
        "sm_clock_requested_mhz": 1395,
        "memory_clock_requested_mhz": 1593,
    }
    one.settings.restore()
    assert (shared.settings(0).sm_mhz, shared.settings(0).memory_mhz) == (1980, 3201)


def test_a_site_s_own_clock_lock_is_put_back_where_it_is_named(
    boards: Boards, node: Callable[..., Node]
) -> None:
    _, shared = boards()
    one = node({"gpu": "h200", "sm_clock_mhz": 1395}, power_lock_before_mhz=1590)
    one.settings.settle()
    one.settings.restore()
    assert shared.settings(0).sm_mhz == 1590


def test_without_permission_nothing_is_set_and_administrators_get_the_commands(
    boards: Boards, node: Callable[..., Node]
) -> None:
    _, shared = boards(setters="none", gpus=2)
    one = node()
    with pytest.raises(RuntimeError) as refused:
        one.settings.settle()
    told = str(refused.value)
    assert "\n" not in told
    assert "NVML error 4" in told
    assert "nvidia-smi -pl 350" in told
    assert "power=site" in told
    assert shared.settings(0).limit_w == 500
    assert one.record().fault == told
    assert one.record().way is Way.NONE
    assert "NVML error 4" in str(one.record().gpus[0].settings[LIMIT].refusal)
    assert Book().uuids() == ()


def test_where_the_second_gpu_refuses_the_first_stands_as_before(
    boards: Boards, node: Callable[..., Node]
) -> None:
    world, shared = boards(gpus=2)
    world.fail("1.set_limit", 4)
    one = node()
    with pytest.raises(RuntimeError, match="cannot be set"):
        one.settings.settle()
    assert [shared.settings(index).limit_w for index in (0, 1)] == [500, 500]
    first = one.record().gpus[0].settings[LIMIT]
    assert (first.enforced.value, first.restored.value) == (350, 500)
    assert one.record().unrestored == ()
    assert Book().uuids() == ()


def test_a_board_that_is_split_by_mig_is_not_set(boards: Boards, node: Callable[..., Node]) -> None:
    _, shared = boards(mig=1)
    one = node()
    with pytest.raises(RuntimeError, match="split by MIG"):
        one.settings.settle()
    assert shared.settings(0).limit_w == 500
    assert Book().uuids() == ()


def test_a_gpu_that_is_lost_between_setting_and_giving_back_stays_remembered(
    boards: Boards, node: Callable[..., Node]
) -> None:
    world, shared = boards(gpus=2)
    one = node()
    one.settings.settle()
    world.set(lost=1)
    time.sleep(_NOTICED_S)
    one.settings.restore()
    # One of them is gone: the other has its old value, and what is due stays known.
    assert len(Book().uuids()) == 1
    (due,) = Book().uuids()
    assert due in one.told[-1]
    assert one.record().unrestored
    world.set(lost=-1)
    time.sleep(_NOTICED_S)
    assert restore_left(one.cards, Book(), by="restore").failed == 0
    assert [shared.settings(index).limit_w for index in (0, 1)] == [500, 500]


def test_a_book_of_ten_thousand_entries_is_gone_through_for_the_cards_that_are_there(
    boards: Boards, node: Callable[..., Node]
) -> None:
    _, shared = boards()
    one = node()
    _left_by_a_dead_run(shared)
    text = (Book().folder / f"{uuid_of(0)}.json").read_text()
    for number in range(10_000):
        other = f"GPU-{number:08x}-dead-4000-8000-000000000000"
        (Book().folder / f"{other}.json").write_text(text.replace(uuid_of(0), other))
    done = restore_left(one.cards, Book(), by="next run", only=[uuid_of(0)])
    assert (done.failed, len(done.lines)) == (0, 1)
    assert shared.settings(0).limit_w == 500
    assert len(Book().uuids()) == 10_000


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", "\0" * 64, '{"version": 1, "uuid": 7}'])
def test_an_entry_that_is_none_lets_its_gpu_alone_be_set_by_hand(
    boards: Boards, node: Callable[..., Node], text: str
) -> None:
    _, shared = boards(gpus=2)
    one = node()
    shared.set_limit(1, 250.0)
    (Book().folder / f"{uuid_of(0)}.json").write_text(text)
    with pytest.raises(RuntimeError, match="set the GPU by hand, then remove the file"):
        one.settings.settle()
    assert [shared.settings(index).limit_w for index in (0, 1)] == [500, 250]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"power_cap_w": 100.0}, "must be from 200 to 700"),
        ({"power_cap_w": 900.0}, "must be from 200 to 700"),
        ({"sm_clock_mhz": 1400}, "such as 1395 or 1410, but is 1400"),
        ({"sm_clock_mhz": 5000}, "must be from 345 to 1980"),
    ],
)
def test_what_the_card_does_not_take_is_refused_with_its_limits(
    boards: Boards, node: Callable[..., Node], asked: dict[str, Any], told: str
) -> None:
    _, shared = boards()
    one = node({"gpu": "h200", **asked})
    with pytest.raises(RuntimeError, match=told):
        one.settings.settle()
    assert (shared.settings(0).limit_w, shared.settings(0).sm_mhz) == (500, 1980)


def test_a_value_that_does_not_hold_on_reading_back_fails_with_both_values(
    boards: Boards, node: Callable[..., Node]
) -> None:
    world, _ = boards()
    world.wild("limit_requested", 400_000)
    one = node()
    with pytest.raises(RuntimeError, match=r"must be 350 on GPU-.*, but reads 400 instead"):
        one.settings.settle()
    assert one.record().fault is not None


def test_two_runs_never_set_one_gpu(boards: Boards, node: Callable[..., Node]) -> None:
    _, shared = boards()
    first, second = node(), node({**CAP, "power_cap_w": 250.0}, "others")
    first.settings.settle()
    with pytest.raises(RuntimeError, match="is held by the run in"):
        second.settings.settle()
    assert shared.settings(0).limit_w == 350
    first.settings.restore()
    assert shared.settings(0).limit_w == 500


def test_what_a_dead_run_left_is_put_back_before_the_next_one_remembers_anything(
    boards: Boards, node: Callable[..., Node]
) -> None:
    _, shared = boards()
    one = node()
    _left_by_a_dead_run(shared)
    one.settings.settle()
    assert one.record().gpus[0].settings[LIMIT].before.value == 500
    assert "left by the run in /gone: put back" in one.record().leftovers[0]
    one.settings.restore()
    assert shared.settings(0).limit_w == 500


def test_what_the_next_run_cannot_put_back_stays_on_the_dead_run_s_record(
    boards: Boards, node: Callable[..., Node]
) -> None:
    world, shared = boards()
    dead, following = node(), node({**CAP, "seed": 2}, "others")
    dead.settings.settle()
    entry = Book().find(uuid_of(0))
    assert entry is not None
    dead.settings.restore()
    Book().remember(entry)
    write_json(
        dead.attempt.host_power("n1"),
        {**read_json(dead.attempt.host_power("n1")), "ended_us": None},
    )
    shared.set_limit(0, 350.0)
    world.fail("set_limit", 4)
    time.sleep(_NOTICED_S)
    with pytest.raises(RuntimeError, match="cannot be set"):
        following.settings.settle()
    told = dead.record()
    assert "must be 500 again, but is 350 instead" in told.unrestored[0]
    assert "NVML error 4" in str(told.gpus[0].settings[LIMIT].refusal)
    assert told.ended_us is None


def test_a_card_that_was_started_anew_is_told_so_in_the_dead_run_s_record(
    boards: Boards, node: Callable[..., Node]
) -> None:
    _, shared = boards()
    dead = node()
    dead.settings.settle()
    entry = Book().find(uuid_of(0))
    assert entry is not None
    dead.settings.restore()
    shared.set_limit(0, 700.0)
    Book().remember(dataclasses.replace(entry, boot_id="another"))
    (line,) = restore_left(dead.cards, Book(), by="restore").lines
    assert "of an earlier boot" in line
    assert "must be 500 again, but is 700 instead" in dead.record().unrestored[0]
    assert dead.record().gpus[0].settings[LIMIT].restored_by == "boot"


def test_of_an_earlier_boot_nothing_is_put_back(boards: Boards, node: Callable[..., Node]) -> None:
    _, shared = boards()
    one = node()
    _left_by_a_dead_run(shared, boot="another")
    one.settings.settle()
    assert one.record().gpus[0].settings[LIMIT].before.value == 250
    assert "of an earlier boot" in one.record().leftovers[0]


def test_a_book_that_cannot_be_written_lets_nothing_be_set(
    boards: Boards, node: Callable[..., Node], tmp_path: Path
) -> None:
    _, shared = boards()
    one = node()
    (tmp_path / "book").mkdir(mode=0o700)
    (tmp_path / "book" / f"{uuid_of(0)}.json").mkdir()
    with pytest.raises(RuntimeError, match="must tell what"):
        one.settings.settle()
    assert shared.settings(0).limit_w == 500


def test_a_book_that_others_may_write_is_no_book(
    boards: Boards, node: Callable[..., Node], tmp_path: Path
) -> None:
    _, shared = boards()
    one = node()
    (tmp_path / "book").mkdir()
    (tmp_path / "book").chmod(0o777)
    with pytest.raises(RuntimeError, match="must be a folder of this user alone"):
        one.settings.settle()
    assert shared.settings(0).limit_w == 500


@pytest.mark.parametrize("trap", ["others may write", "a link", "no entry"])
def test_a_book_that_somebody_else_laid_there_ends_no_run_that_asks_for_nothing(
    boards: Boards, node: Callable[..., Node], tmp_path: Path, trap: str
) -> None:
    _, shared = boards()
    one = node({"gpu": "h200"})
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    place = tmp_path / "book"
    if trap == "a link":
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.mkdir(mode=0o700)
    (place / f"{uuid_of(0)}.json").write_text("{}")
    if trap == "others may write":
        place.chmod(0o777)
    told: list[str] = []
    put_back_leftovers(one.attempt, "auto", "n1", one.cards, told.append)
    (line,) = told
    assert "must be a folder of this user alone" in line or "must tell what" in line
    assert shared.settings(0).limit_w == 500


def test_what_the_site_has_set_is_read_back_and_nothing_is_set(
    boards: Boards, node: Callable[..., Node]
) -> None:
    boards(setters="none", gpus=2)
    one = node({**CAP, "power_cap_w": 500.0}, power="site")
    one.settings.settle()
    on_disk = one.record()
    assert (on_disk.way, on_disk.means) == (Way.SITE, None)
    assert on_disk.gpus[1].settings[LIMIT].enforced.value == 500
    assert on_disk.gpus[1].settings[LIMIT].set_us is None


@pytest.mark.parametrize("power", ["site", "broker"])
def test_what_the_site_has_not_set_so_fails_with_both_values(
    boards: Boards, node: Callable[..., Node], power: str
) -> None:
    _, shared = boards(gpus=2)
    one = node(power=power)
    with pytest.raises(RuntimeError, match=r"must be 350 on GPU-.*, but reads 500.*and 1 more"):
        one.settings.settle()
    assert shared.settings(0).limit_w == 500


def test_auto_takes_what_stands_so_already_and_sets_nothing(
    boards: Boards, node: Callable[..., Node]
) -> None:
    boards(setters="none")
    one = node({**CAP, "power_cap_w": 500.0})
    one.settings.settle()
    assert one.record().way is Way.SITE
    assert "stood so" in one.record().rule


def test_a_percentage_of_another_limit_than_the_card_s_fails_with_both_values(
    boards: Boards, node: Callable[..., Node]
) -> None:
    boards()
    one = node({**CAP, "power_cap_w": 280.0}, power_shares={"power_cap_w": 70.0})
    with pytest.raises(RuntimeError, match=r"70 % of the board's own 700.*made it 280"):
        one.settings.settle()
    node(
        {**CAP, "power_cap_w": 490.0}, "right", power_shares={"power_cap_w": 70.0}
    ).settings.settle()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("GpuFreq=control_disabled\n", "says GpuFreq=control_disabled instead"),
        ("", "must say `GpuFreq=`"),
    ],
)
def test_slurm_that_does_not_set_clocks_is_recognised(
    boards: Boards,
    node: Callable[..., Node],
    tmp_path: Path,
    said: str,
    told: str,
) -> None:
    boards()
    os.environ["SLURM_GPU_FREQ"] = "1395,verbose"
    one = node({"gpu": "h200", "sm_clock_mhz": 1395}, power="slurm")
    write_json(one.attempt.submitted, {"job_id": "7_1", "folder": str(tmp_path)})
    (tmp_path / "7_1_0_log.err").write_text(said)
    with pytest.raises(RuntimeError, match=told):
        one.settings.settle()


def test_what_cannot_be_put_back_is_told_recorded_and_stays_remembered(
    boards: Boards, node: Callable[..., Node]
) -> None:
    world, shared = boards()
    one = node()
    one.settings.settle()
    world.fail("set_limit", 4)
    time.sleep(_NOTICED_S)
    one.settings.restore()
    assert "must be 500 again, but is 350" in one.told[-1]
    assert one.record().unrestored
    assert "NVML error 4" in str(one.record().gpus[0].settings[LIMIT].refusal)
    assert Book().uuids() == (uuid_of(0),)
    assert shared.settings(0).limit_w == 350


def test_profiles_that_the_driver_has_not_are_told_so(
    boards: Boards, node: Callable[..., Node]
) -> None:
    boards()
    one = node()
    one.settings.settle()
    assert one.record().gpus[0].profiles is None
    assert one.record().gpus[0].profiles_reason == "not offered by this driver"


def test_profiles_that_the_driver_has_are_on_record_by_name(
    boards: Boards, node: Callable[..., Node]
) -> None:
    boards(profiles=f"{1 << 1 | 1 << 6 | 1 << 31} {1 << 6} {1 << 1}")
    one = node()
    one.settings.settle()
    gpu = one.record().gpus[0]
    assert gpu.profiles == ("max_q", "llm_inference", "profile 31")
    assert (gpu.profiles_asked, gpu.profiles_enforced) == (("llm_inference",), ("max_q",))
    assert gpu.profiles_reason is None


@pytest.mark.parametrize("refused", ["permission", "missing"])
def test_where_no_lock_may_be_set_application_clocks_stand_in_and_the_old_one_comes_back(
    boards: Boards, node: Callable[..., Node], refused: str
) -> None:
    world, shared = boards(application="open", setters="none")
    if refused == "missing":
        world.fail("set_clock", 3)
    shared.set_application(0, 1590.0)
    one = node({"gpu": "h200", "sm_clock_mhz": 1395})
    one.settings.settle()
    stands = shared.settings(0)
    assert (stands.application_sm_mhz, stands.sm_mhz) == (1395, 1980)
    on_disk = one.record()
    assert on_disk.means == "NVML's application clocks"
    assert f"NVML error {4 if refused == 'permission' else 3}" in on_disk.not_taken["clock lock"]
    assert "application clocks are" in on_disk.rule
    assert on_disk.gpus[0].settings[Knob.APPLICATION_SM_CLOCK].enforced.value == 1395
    assert on_disk.gpus[0].settings[Knob.SM_CLOCK].asked is None
    assert one.settings.requested()[uuid_of(0)] == {"sm_clock_requested_mhz": 1395}
    one.settings.restore()
    # The default, which a reset would have brought, is 1980.
    assert shared.settings(0).application_sm_mhz == 1590
    assert one.record().unrestored == ()


@pytest.mark.parametrize(
    ("spec", "settings", "told"),
    [
        ({"sm_clock_mhz": 1395}, {"application": "root"}, "nor by application clocks: .*error 4"),
        ({"sm_clock_mhz": 1395}, {"application": "none"}, "`sm_clock_mhz` of 1395 cannot be set"),
        (
            {"sm_clock_mhz": 1395, "memory_clock_mhz": 1593},
            {"application": "open"},
            "`sm_clock_mhz` of 1395 cannot be set",
        ),
        (
            {"sm_clock_mhz": 1395, "power_cap_w": 350.0},
            {"application": "open"},
            "`power_limit_w` of 350 cannot be set",
        ),
    ],
)
def test_application_clocks_stand_in_for_nothing_else(
    boards: Boards,
    node: Callable[..., Node],
    spec: dict[str, Any],
    settings: dict[str, str],
    told: str,
) -> None:
    _, shared = boards(setters="none", **settings)
    one = node({"gpu": "h200", **spec})
    with pytest.raises(RuntimeError, match=told):
        one.settings.settle()
    stands = shared.settings(0)
    assert (stands.application_sm_mhz, stands.sm_mhz, stands.limit_w) == (1980, 1980, 500)


def test_a_follower_goes_on_with_application_clocks_and_gives_the_first_value_back(
    boards: Boards, node: Callable[..., Node]
) -> None:
    _, shared = boards(application="open", setters="none")
    shared.set_application(0, 1590.0)
    one = node({"gpu": "h200", "sm_clock_mhz": 1395})
    one.settings.settle()
    one.die_and_be_followed()
    one.settings.settle()
    assert one.record().gpus[0].settings[Knob.APPLICATION_SM_CLOCK].before.value == 1590
    one.settings.restore()
    assert shared.settings(0).application_sm_mhz == 1590


def test_a_limit_that_an_administrator_sets_meanwhile_is_left_and_on_record(
    boards: Boards, node: Callable[..., Node]
) -> None:
    _, shared = boards(gpus=2)
    one = node()
    one.settings.settle()
    shared.set_limit(0, 420.0)
    one.settings.restore()
    assert [shared.settings(index).limit_w for index in (0, 1)] == [420, 500]
    setting = one.record().gpus[0].settings[LIMIT]
    assert (setting.restored.value, setting.restored_by) == (420, None)
    assert "stands at 420 and was neither found nor set so by this run (350, 500)" in one.told[-1]
    assert one.record().unrestored == ()
    assert one.record().left == (one.told[-1],)
    assert Book().uuids() == ()


def test_an_application_clock_that_an_administrator_sets_meanwhile_is_left(
    boards: Boards, node: Callable[..., Node]
) -> None:
    _, shared = boards(application="open", setters="none")
    one = node({"gpu": "h200", "sm_clock_mhz": 1395})
    one.settings.settle()
    shared.set_application(0, 1200.0)
    one.settings.restore()
    assert shared.settings(0).application_sm_mhz == 1200
    assert one.record().gpus[0].settings[Knob.APPLICATION_SM_CLOCK].is_left


@pytest.mark.parametrize("by", ["next run", "restore", "nothing asked"])
def test_of_a_dead_run_too_an_administrator_s_limit_is_left(
    boards: Boards, node: Callable[..., Node], by: str
) -> None:
    _, shared = boards()
    dead = node(name="dead")
    dead.settings.settle()
    dead.settings._let_go()
    shared.set_limit(0, 420.0)
    other = node({**CAP, "power_cap_w": 300.0}, name="other")
    if by == "next run":
        other.settings.settle()
        assert other.record().gpus[0].settings[LIMIT].before.value == 420
        other.settings.restore()
    elif by == "restore":
        done = restore_left(other.cards, Book(), by="restore")
        assert (done.failed, "somebody else's, and is left" in done.lines[0]) == (0, True)
    else:
        put_back_leftovers(other.attempt, "auto", "n1", other.cards, other.told.append)
        assert "somebody else's, and is left" in other.told[0]
    assert shared.settings(0).limit_w == 420
    assert dead.record().left
    assert dead.record().unrestored == ()
    assert dead.record().ended_us is not None


def test_a_follower_does_not_set_over_an_administrator_s_limit(
    boards: Boards, node: Callable[..., Node]
) -> None:
    _, shared = boards()
    one = node()
    one.settings.settle()
    one.die_and_be_followed()
    shared.set_limit(0, 420.0)
    with pytest.raises(RuntimeError, match=r"stands at 420 .* somebody else's, and is left"):
        one.settings.settle()
    assert shared.settings(0).limit_w == 420
    assert Book().uuids() == ()


def test_what_an_entry_of_an_earlier_release_says_is_put_back_whatever_stands(
    boards: Boards, node: Callable[..., Node]
) -> None:
    _, shared = boards()
    _left_by_a_dead_run(shared)
    shared.set_limit(0, 420.0)
    assert restore_left(node().cards, Book(), by="restore").failed == 0
    assert shared.settings(0).limit_w == 500


def _left_by_a_dead_run(shared: SharedBoards, boot: str | None = None) -> None:
    shared.set_limit(0, 250.0)
    Book().remember(
        Entry(
            uuid=uuid_of(0),
            boot_id=boot or boot_id(),
            attempt="/gone",
            host="n1",
            t_us=1,
            before={LIMIT: 500.0},
            asked={LIMIT: 250.0},
        )
    )
