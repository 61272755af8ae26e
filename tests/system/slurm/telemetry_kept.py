"""Telemetry kept: how far what was watched reaches once a job has ended, however it did."""

from pathlib import Path

from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths
from tests.system.slurm.site import kept

# A watcher writes twice a second; the rest is a busy machine.
SECOND_US = 1_500_000


def last_sign_us(attempt: AttemptPaths) -> int:
    """When the attempt's end was recorded."""
    return int(read_json(attempt.ended)["t_us"])


def check_kept(attempt: AttemptPaths, scratch: Path, until_us: int) -> None:
    """Both hosts' telemetry is there and reaches to within a second or so of `until_us`."""
    found = kept(attempt, scratch)
    assert len(found) == 2, found
    for host, trace in found.items():
        assert trace.rows > 0
        assert until_us - trace.last_us < SECOND_US, (
            f"{host} ends {until_us - trace.last_us} us early"
        )
