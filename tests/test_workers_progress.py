import logging
from pathlib import Path

import pytest

from telemetry.clock import HostClock
from telemetry.record import read_json
from telemetry.schema import Phase
from workers.progress import Progress


def test_a_batch_logs_prompts_speed_and_time_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    progress = Progress(tmp_path / "progress.json", HostClock.set_now(), 64)
    progress.begin_batches()
    with caplog.at_level(logging.INFO, logger="workers.progress"):
        progress.count_batch(8, 100)
    (line,) = caplog.messages
    assert line.startswith("prompts 8/64, ")
    assert line.endswith(" s left")


def test_the_file_is_written_at_most_twice_a_second_but_always_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    progress = Progress(path, HostClock.set_now(), 3)
    progress.enter(Phase.LOAD)
    progress.begin_batches()
    progress.count_batch(1, 5)
    progress.count_batch(1, 5)
    assert read_json(path)["phase"] == "load"
    progress.count_batch(1, 5)
    last = read_json(path)
    assert (last["prompts_done"], last["generated_tokens"], last["eta_s"]) == (3, 15, 0.0)


def test_a_batch_cannot_be_counted_before_batches_begin(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "progress.json", HostClock.set_now(), 3)
    with pytest.raises(RuntimeError, match="batches must begin"):
        progress.count_batch(1, 5)
