"""Broker, killed at any line or on a disk that is full: what stood on the boards comes back."""

import contextlib
import errno
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.power.bench import LIMIT_W, Bench, FailsAt, KilledAt

WISH = "joulegrid-power:cap_w=250,sm_mhz=1410"
KILLED = -signal.SIGKILL
# More lines than it has from there on: the loops end where the broker ends unharmed.
_MANY = 100_000
# Over a thousand kills: three minutes on a quiet machine, ten on a busy one.
EVERY = pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])


def _whole(bench: Bench) -> bool:
    return bench.untouched() and not bench.state.exists()


def _kill_everywhere(bench: Bench, since: str, step: int) -> Iterator[int]:
    """Kill a prolog before each `step`-th line, until one lives to its end."""
    for number in range(1, _MANY, step):
        bench.queue(7, WISH)
        code = bench.prolog(before=KilledAt(number, since))
        yield number
        if code == 0:
            assert bench.limits() == [LIMIT_W] * 2
            return
        assert code == KILLED
    raise AssertionError("the broker has no end")


@pytest.mark.parametrize("step", [53, EVERY])
def test_a_prolog_killed_before_any_line_leaves_what_the_epilog_puts_back(
    bench: Bench, step: int
) -> None:
    bench.boards.path.unlink(missing_ok=True)
    kills = 0
    for number in _kill_everywhere(bench, "main", step):
        bench.epilog()
        assert _whole(bench), number
        kills += 1
    assert kills * step > 300


@pytest.mark.parametrize("step", [31, EVERY])
def test_a_prolog_killed_while_it_sets_leaves_what_the_next_job_s_prolog_puts_back(
    bench: Bench, step: int
) -> None:
    for number in _kill_everywhere(bench, "_apply", step):
        bench.end(7)
        bench.queue(8, "")
        bench.prolog(8)
        assert _whole(bench), number


@pytest.mark.parametrize("step", [37, EVERY])
def test_an_epilog_killed_before_any_line_is_finished_by_the_next(bench: Bench, step: int) -> None:
    for number in range(1, _MANY, step):
        bench.queue(7, WISH)
        bench.prolog()
        assert bench.limits() == [250, 250]
        code = bench.epilog(before=KilledAt(number, "settle"))
        bench.end(7)
        bench.queue(8, "")
        bench.prolog(8)
        assert _whole(bench), number
        if code == 0:
            return
        assert code == KILLED
    raise AssertionError("the broker has no end")


@pytest.mark.parametrize("on", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("step", [5, EVERY])
def test_a_disk_that_fails_at_any_call_of_the_prolog_changes_nothing_for_good(
    bench: Bench, step: int, on: bool
) -> None:
    for number in range(1, 45, step):
        bench.queue(7, WISH)
        assert bench.prolog(before=FailsAt(number, errno.ENOSPC, on=on)) == 0
        # Either its wish stands and is remembered, or nothing is changed.
        set_all = bench.boards.path.exists() and bench.limits() == [250, 250]
        assert bench.untouched() or (set_all and bench.state.exists()), number
        bench.epilog()
        assert _whole(bench), number


@pytest.mark.parametrize("step", [4, EVERY])
def test_a_disk_that_fails_keeps_no_epilog_from_putting_back(bench: Bench, step: int) -> None:
    for number in range(1, 20, step):
        bench.queue(7, WISH)
        bench.prolog()
        bench.epilog(before=FailsAt(number, errno.EROFS, on=True))
        # The lock is a file, too: where it cannot even be opened the next one does it.
        bench.epilog()
        assert _whole(bench), number


def test_on_a_disk_that_is_truly_full_nothing_is_set_and_all_is_put_back(
    bench: Bench, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        bench.folder = disk
        bench.queue(7, WISH)
        bench.prolog()
        _fill(disk)
        bench.epilog()
        assert bench.untouched()
        # The log's last page has room for some lines: without it there is none.
        (disk / "log").unlink()
        _fill(disk)
        assert bench.prolog() == 0
        assert bench.untouched()
        assert "nothing can be remembered: No space left" in bench.errors.read_text()
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=False)


def _fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "fill").open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
