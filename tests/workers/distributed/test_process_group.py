import contextlib
import io
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from fairscale.nn.model_parallel import initialize as fairscale_groups

from telemetry.record.files import read_json, write_json
from tests.support.ranks import make_rank, run_gang, values_of
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import ExitBarrier, Rendezvous, open_rendezvous

CPU = torch.device("cpu")


@contextlib.contextmanager
def _meet(rank: Rank, folder: Path) -> Iterator[Rendezvous]:
    with open_rendezvous(rank, folder / "rendezvous.json") as rendezvous:
        # Rank 0 must not raise and be gone before the others have come.
        assert rendezvous.exchange("number", str(rank.rank)) == [str(n) for n in range(rank.world)]
        yield rendezvous


def join(rank: Rank, folder: Path, degree: int) -> tuple[str, bool, bool, bool]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        with (
            _meet(rank, folder) as rendezvous,
            open_mesh(rendezvous, degree=degree, device=CPU) as mesh,
        ):
            mesh.barrier()
            agree = mesh.agree(7), mesh.agree(rank.rank)
        left = torch.distributed.is_initialized()
        left = left or fairscale_groups.model_parallel_is_initialized()
    return printed.getvalue(), *agree, left


def test_ranks_join_without_a_fixed_port_and_leave_nothing_behind(tmp_path: Path) -> None:
    for printed, same, different, left in values_of(run_gang(2, join, tmp_path, 2)):
        assert same
        assert not different
        assert not left
        assert printed == ""
    assert list(tmp_path.iterdir()) == []


def hear_the_first(rank: Rank, folder: Path) -> int:
    with (
        _meet(rank, folder) as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=CPU) as mesh,
    ):
        return mesh.first_says(40 + rank.rank)


def test_all_ranks_hold_to_what_rank_0_says(tmp_path: Path) -> None:
    assert values_of(run_gang(2, hear_the_first, tmp_path)) == [40, 40]


def test_two_runs_share_a_host(tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    with open_rendezvous(make_rank(0, 1), one), open_rendezvous(make_rank(0, 1), two):
        assert _port(one) != _port(two)


def test_a_degree_other_than_the_number_of_ranks_is_refused(tmp_path: Path) -> None:
    for outcome in run_gang(2, join, tmp_path, 4):
        assert "`gpus` must be the number of ranks, but is 4 with 2 ranks" in (outcome.error or "")


def join_clamped(rank: Rank, folder: Path) -> None:
    given = fairscale_groups.initialize_model_parallel

    def clamp(degree: int) -> None:
        given(degree // 2)

    fairscale_groups.initialize_model_parallel = clamp
    join(rank, folder, rank.world)


def test_a_degree_that_fairscale_silently_lowers_is_refused(tmp_path: Path) -> None:
    for outcome in run_gang(2, join_clamped, tmp_path):
        assert "must have 2 ranks, but has 1 instead" in (outcome.error or "")


def raise_inside(rank: Rank, folder: Path, failing: int) -> None:
    with (
        _meet(rank, folder) as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=CPU) as mesh,
    ):
        if rank.rank == failing:
            raise KeyError("only here")
        mesh.barrier()


@pytest.mark.parametrize("failing", [0, 2])
def test_a_failure_on_one_rank_fails_all_at_once_with_its_reason(
    tmp_path: Path, failing: int
) -> None:
    outcomes = run_gang(3, raise_inside, tmp_path, failing, timeout_s=30.0)
    failed = outcomes.pop(failing)
    assert "KeyError: 'only here'" in (failed.error or "")
    for peer in outcomes:
        reason = f"another rank failed first: rank {failing} on here: KeyError: 'only here'"
        assert reason in (peer.error or "")
        assert peer.seconds - failed.seconds < 5.0


def die_inside(rank: Rank, folder: Path) -> None:
    with (
        _meet(rank, folder) as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=CPU) as mesh,
    ):
        if rank.rank == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        mesh.barrier()


def test_a_killed_rank_0_fails_the_others_at_once(tmp_path: Path) -> None:
    killed, alive = run_gang(2, die_inside, tmp_path, timeout_s=30.0)
    assert killed.error == "exit code -9"
    assert "RuntimeError: rank 0 is gone without a word; then: " in (alive.error or "")
    assert alive.seconds - killed.seconds < 5.0


def test_a_missing_rank_0_is_named_after_the_deadline(tmp_path: Path) -> None:
    began_s = time.monotonic()
    with (
        pytest.raises(RuntimeError, match=r"rendezvous.json must lead to rank 0 within 0.3 s"),
        open_rendezvous(make_rank(1, 2), tmp_path / "rendezvous.json", timeout_s=0.3),
    ):
        pass
    assert time.monotonic() - began_s < 5.0


def test_nobody_waits_for_a_rank_0_whose_attempt_has_ended(tmp_path: Path) -> None:
    write_json(tmp_path / "ended.json", {"state": "failed", "reason": "rank 0: no watcher"})
    began_s = time.monotonic()
    with (
        pytest.raises(RuntimeError, match="but the attempt is failed: rank 0: no watcher"),
        open_rendezvous(make_rank(1, 2), tmp_path / "rendezvous.json", timeout_s=60.0),
    ):
        pass
    assert time.monotonic() - began_s < 10.0


def test_a_rank_that_says_nothing_is_named(tmp_path: Path) -> None:
    with (
        open_rendezvous(make_rank(0, 2), tmp_path / "rendezvous.json", timeout_s=0.3) as rendezvous,
        pytest.raises(RuntimeError, match="rank 1 must say its readiness to rank 0"),
    ):
        rendezvous.exchange("readiness", "ready")


@pytest.mark.parametrize("alive", [False, True])
def test_a_rendezvous_left_by_an_earlier_job_is_not_followed(tmp_path: Path, alive: bool) -> None:
    stale = {"host": "127.0.0.1", "port": 9, "token": "of another job"}
    with open_rendezvous(make_rank(0, 1), tmp_path / "other.json"):
        if alive:
            stale["port"] = _port(tmp_path / "other.json")
        write_json(tmp_path / "rendezvous.json", stale)
        with (
            pytest.raises(RuntimeError, match=r"belongs to another run|nobody answers"),
            open_rendezvous(make_rank(1, 2), tmp_path / "rendezvous.json", timeout_s=1.0),
        ):
            pass


def _port(rendezvous: Path) -> int:
    return int(read_json(rendezvous)["port"])


class SlowToHear:
    """A store that answers late, as a busy node's does."""

    def __init__(self, store: Any) -> None:
        self.set = store.set
        self._get = store.get

    def get(self, key: str) -> bytes:
        time.sleep(0.2)
        return cast(bytes, self._get(key))


def leave_after_hearing(rank: Rank, folder: Path) -> list[str]:
    with open_rendezvous(rank, folder / "rendezvous.json") as rendezvous:
        store = rendezvous.store if rank.rank == 0 else cast(Any, SlowToHear(rendezvous.store))
        late = Rendezvous(rank=rank, store=store)
        return late.exchange("news", f"from {rank.rank}")


def test_rank_0_stays_until_all_have_heard(tmp_path: Path) -> None:
    said = values_of(run_gang(2, leave_after_hearing, tmp_path))
    assert said == [["from 0", "from 1"]] * 2


def leave_after(rank: Rank, folder: Path, slow: int, failing: int) -> float:
    with open_rendezvous(rank, folder / "rendezvous.json") as rendezvous, ExitBarrier(rendezvous):
        if rank.rank == slow:
            time.sleep(1.0)
        if rank.rank == failing:
            raise OSError("its disk is full")
    return time.time()


@pytest.mark.parametrize("slow", [0, 1])
def test_no_rank_leaves_before_all_are_done(tmp_path: Path, slow: int) -> None:
    begun = time.time()
    left = values_of(run_gang(3, leave_after, tmp_path, slow, -1))
    assert max(left) - min(left) < 0.9
    assert min(left) - begun > 1.0


def test_a_rank_that_fails_on_its_way_out_fails_all_at_once_with_its_reason(
    tmp_path: Path,
) -> None:
    outcomes = run_gang(3, leave_after, tmp_path, 1, 2, timeout_s=30.0)
    assert "OSError: its disk is full" in (outcomes.pop().error or "")
    for peer in outcomes:
        assert "rank 2 on here: OSError: its disk is full" in (peer.error or "")
