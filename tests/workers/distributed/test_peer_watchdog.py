import contextlib
import time
from pathlib import Path

from tests.support.ranks import run_gang, values_of
from workers.distributed.peer_watchdog import EXIT_CODE, PeerWatchdog
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import SharedFailure, open_rendezvous

GRACE_S = 1.0


def wait_in_vain(rank: Rank, folder: Path) -> None:
    """Rank 1 fails; rank 0 waits as in a kernel, where no exception reaches it."""
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        PeerWatchdog(rendezvous, grace_s=GRACE_S),
        SharedFailure(rendezvous),
    ):
        rendezvous.exchange("number", "")
        if rank.rank == 1:
            raise KeyError("only here")
        time.sleep(60.0)


def notice(rank: Rank, folder: Path) -> str:
    """Rank 1 fails; rank 0 leaves its block within the grace and works on for longer."""
    with open_rendezvous(rank, folder / "rendezvous.json") as rendezvous:
        with (
            contextlib.suppress(KeyError, RuntimeError),
            PeerWatchdog(rendezvous, grace_s=2.0),
            SharedFailure(rendezvous),
        ):
            rendezvous.exchange("number", "")
            if rank.rank == 1:
                raise KeyError("only here")
            time.sleep(1.5)
            raise RuntimeError("noticed")
        time.sleep(2.5)
    return "ended by itself"


def work_long(rank: Rank, folder: Path) -> str:
    """Nobody fails, and one rank waits long for a word of the other through the store."""
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        PeerWatchdog(rendezvous, grace_s=0.1),
        SharedFailure(rendezvous),
    ):
        if rank.rank == 1:
            time.sleep(2.5)
        rendezvous.exchange("number", "")
    return "ended by itself"


def test_a_rank_that_waits_in_vain_for_one_that_failed_ends(tmp_path: Path) -> None:
    waiting, failed = run_gang(2, wait_in_vain, tmp_path, timeout_s=30.0)
    assert "KeyError: 'only here'" in (failed.error or "")
    assert waiting.error == f"exit code {EXIT_CODE}"
    # A second until the thread looks, the grace, and what two busy cores add.
    assert waiting.seconds - failed.seconds < GRACE_S + 5.0


def test_a_rank_that_leaves_its_block_in_time_ends_by_itself(tmp_path: Path) -> None:
    assert values_of(run_gang(2, notice, tmp_path, timeout_s=30.0)) == ["ended by itself"] * 2


def test_while_nobody_failed_nobody_is_ended(tmp_path: Path) -> None:
    assert values_of(run_gang(2, work_long, tmp_path, timeout_s=30.0)) == ["ended by itself"] * 2
