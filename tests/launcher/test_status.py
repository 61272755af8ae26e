"""A watch tells where points stand and how long they take, and leaves when the last has ended."""

import io
import re
from pathlib import Path
from typing import Any

import pytest

from launcher.campaign.point_status import PointStatus
from launcher.campaign.time_left import work_of
from launcher.status import CampaignStanding, began_us, main, watch
from telemetry.clock import US_PER_S
from telemetry.output import Output
from telemetry.record.attempt_state import record_end
from telemetry.record.files import write_json
from telemetry.record.paths import campaigns_folder
from telemetry.record.schema import EndState
from tests.support.records import Plan, build_run
from tests.support.told import unwrapped
from tests.support.watched_attempts import make_attempt

WORK = work_of({"model": "nano"}, {})


def point(state: str, **more: Any) -> PointStatus:
    known: dict[str, Any] = {"engine": "reference", "attempt": 1, "detail": "", "log": None}
    return PointStatus(run_id=f"nano-{state}", state=state, work=WORK, **{**known, **more})


def test_the_time_left_is_that_of_sealed_runs_of_the_same_work() -> None:
    now_us = 100 * US_PER_S
    found = [
        point("sealed", took_s=60.0, began_us=10 * US_PER_S),
        point("running", began_us=80 * US_PER_S),
        point("queued"),
        point("failed", took_s=1.0),
    ]
    standing = CampaignStanding(found, now_us, 10 * US_PER_S)
    assert (standing.done, standing.total, standing.elapsed_s) == (2, 4, 90.0)
    assert standing.left.known_s == 40.0 + 60.0
    assert standing.words == "; 90 s so far; about 1.7 min left, queues not counted"


def test_without_a_run_that_was_alike_it_is_unknown_and_at_the_end_nothing_is_said() -> None:
    assert CampaignStanding([point("queued")], 1).words == (
        "; time left unknown yet, queues not counted"
    )
    assert CampaignStanding([point("sealed", took_s=1.0)], 1).words == ""


def test_the_time_gone_is_that_of_the_last_campaign_of_open_points(tmp_path: Path) -> None:
    for name, run_id, t_us in (("a", "nano-sealed", 1), ("b", "nano-queued", 5), ("c", "x", 9)):
        folder = campaigns_folder(tmp_path) / name
        folder.mkdir(parents=True)
        write_json(folder / "campaign.json", {"points": [{"run_id": run_id}], "t_us": t_us})
    assert began_us(tmp_path, None, [point("sealed"), point("queued")]) == 5
    assert began_us(tmp_path, None, [point("sealed")]) is None
    (campaigns_folder(tmp_path) / "b" / "campaign.json").write_text("[")
    assert began_us(tmp_path, None, [point("queued")]) is None


def test_a_watch_in_a_log_ends_with_the_last_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("launcher.status._WATCH_S", 0.4)
    build_run(tmp_path)
    _, attempt = make_attempt(tmp_path, spec={"seed": 8})
    looks = iter([None, None, EndState.FAILED])
    real = watch.__globals__["_look"]

    def look(*given: Any) -> Any:
        if (end := next(looks, None)) is not None:
            record_end(attempt, end, "its rank died", "rank 0")
        return real(*given)

    monkeypatch.setitem(watch.__globals__, "_look", look)
    log = io.StringIO()
    assert watch(tmp_path, None, Output(log)) == 1
    told = unwrapped(log.getvalue())
    assert re.match(r"2 points: 1 queued, 1 sealed; time left unknown yet", told)
    assert told.count("1 queued") == 1
    assert "2 points: 1 failed, 1 sealed" in told
    assert "\x1b" not in told


def test_of_points_that_all_failed_nothing_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path, Plan(end="failed"))
    assert main([str(tmp_path)]) == 1
    assert "next:" not in capsys.readouterr().out
