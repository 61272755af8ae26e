"""A sensor source is one file and one registration: planned, watched and merged like our own."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from launcher.config.command_line import read_points
from launcher.plan.check import check
from launcher.plan.grid import Verdict
from telemetry.merge.attempt import merge_attempt
from telemetry.record.fields import FIELDS
from telemetry.record.files import read_json
from telemetry.record.source_registry import _installed, load_opener, source_names
from telemetry.watcher.process import WatcherProcess
from tests.conftest import REPOSITORY
from tests.support.watched_attempts import end_attempt, make_attempt

# As `pip install` leaves a package: a module, and beside it what the package registers.
PACKAGE = REPOSITORY / "tests" / "doubles" / "sensor_source"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(PACKAGE)
    inherited = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PACKAGE), *filter(None, [inherited])]))
    _installed.cache_clear()
    yield
    _installed.cache_clear()
    FIELDS.pop("rack_power_w", None)


def test_a_source_that_nobody_has_installed_is_refused() -> None:
    with pytest.raises(ValueError, match="one of auto, dcgm, host, nvml, simulated, but is 'toy'"):
        load_opener("toy")


@pytest.mark.usefixtures("installed")
def test_a_source_of_somebody_else_s_is_known_by_name() -> None:
    assert source_names() == ("auto", "dcgm", "host", "nvml", "simulated", "toy")


@pytest.mark.usefixtures("installed")
def test_a_plan_takes_it(tmp_path: Path) -> None:
    words = [f"results={tmp_path}", "cluster=local", "gpu=cpu", "telemetry.source=toy"]
    (point,) = check(read_points(words)).points
    assert (point.verdict, point.launch.telemetry) == (Verdict.RUN, "toy")


@pytest.mark.usefixtures("installed")
def test_the_watcher_s_process_samples_it_and_the_merge_tables_it(tmp_path: Path) -> None:
    run, attempt = make_attempt(tmp_path, spec={"gpu": "cpu"}, launch={"telemetry": "toy"})
    with WatcherProcess(tmp_path, run.run_id, 1, "n1") as watch:
        ready = watch.wait_ready(60)
        time.sleep(0.5)
    assert ready["source"] == {"name": "toy", "simulated": False}
    end_attempt(attempt)
    manifest = merge_attempt(run, attempt)
    rows = pq.read_table(attempt.table("samples")).to_pylist()
    powers_w = [row["value"] for row in rows if row["field"] == "rack_power_w"]
    assert powers_w == [1_001.0 + look for look in range(len(powers_w))]
    assert len(powers_w) > 2
    (covered,) = manifest["coverage"]
    assert (covered["device"], covered["field"]) == ("host", "rack_power_w")
    assert (covered["got"], covered["period_us"]) == (len(powers_w), 50_000)
    assert read_json(attempt.manifest) == manifest


@pytest.mark.usefixtures("installed")
def test_a_package_that_takes_one_of_our_own_names_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = tmp_path / "thief-1.0.dist-info"
    entry.mkdir()
    (entry / "METADATA").write_text("Metadata-Version: 2.1\nName: thief\nVersion: 1.0\n")
    (entry / "entry_points.txt").write_text("[joulegrid.sources]\nhost = thief:Host\n")
    monkeypatch.syspath_prepend(tmp_path)
    _installed.cache_clear()
    assert load_opener("host").__module__ == "telemetry.sources.host.source"


@pytest.mark.usefixtures("installed")
def test_a_source_that_cannot_be_imported_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = tmp_path / "broken-1.0.dist-info"
    entry.mkdir()
    (entry / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (entry / "entry_points.txt").write_text("[joulegrid.sources]\nbroken = no_such:Source\n")
    monkeypatch.syspath_prepend(tmp_path)
    _installed.cache_clear()
    with pytest.raises(RuntimeError, match="source broken must be importable as no_such:Source"):
        load_opener("broken")
