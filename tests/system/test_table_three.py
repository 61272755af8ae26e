"""Table III out of a whole campaign of both engines on simulated boards that have a driver.

Launcher, watcher, ranks, merge, seal, report and audit are the real ones; caps are set, read back,
sampled and given back by NVML, of the double whose power, clock and speed answer to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from analysis.audit.check import Outcome
from analysis.energy.run_energy import RunEnergy
from analysis.energy.run_labels import labels_of
from analysis.runs.labels import Label
from analysis.runs.sealed_runs import load
from telemetry.power.record import Knob, NodePower, Way
from telemetry.record.paths import RunPaths, list_runs
from telemetry.record.spec import RunSpec
from tests.analysis.audit.forging import look
from tests.benchmarks.clock_model import fit_table_three
from tests.benchmarks.table_three import CAPS_W, ENGINES, DrivenBoard, cells
from tests.doubles.nvml.pace import SHARES

pytestmark = pytest.mark.chain

# What the board stands at before, its own limit; what a step of its clock is of the highest.
STOOD_W, STEP = 300.0, 15.0 / 1410.0
TOKENS = 64


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """What became of all points, and of the board."""

    board: DrivenBoard
    results: Path
    launched: CompletedProcess[str]
    audited: CompletedProcess[str]

    def runs(self) -> list[tuple[RunPaths, RunSpec, NodePower]]:
        """Each run with what it asked and what its node says of its board."""
        found = []
        for run in list_runs(self.results):
            (path,) = run.attempts()[0].power.glob("*.json")
            found.append((run, RunSpec.read(run.spec), NodePower.read(path)))
        return found

    def table(self, name: str, **having: object) -> list[dict[str, Any]]:
        """Rows of a table of the report."""
        rows: list[dict[str, Any]] = pyarrow.csv.read_csv(
            self.results / "report" / "tables" / f"{name}.csv"
        ).to_pylist()
        return [row for row in rows if all(row[key] == one for key, one in having.items())]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    folder = tmp_path_factory.mktemp("table-three")
    board = DrivenBoard.make(folder / "board")
    results = folder / "results"
    launched = board.launch(
        results, f"engine={','.join(ENGINES)}", f"power_cap_w={','.join(map(str, CAPS_W))}"
    )
    audited = board.run("analysis.audit", str(results))
    return Campaign(board=board, results=results, launched=launched, audited=audited)


def clock_share(cap_w: float) -> float:
    """The share of its highest clock at which a board that draws 250 W there keeps a cap."""
    still = fit_table_three().still_share
    return (cap_w / 250.0 - still) / (1.0 - still)


def expected_change(engine: str, cap_w: float) -> tuple[float, float]:
    """What the model says of time and energy, in per cent: one prefill, then decode's steps."""
    clock, share = clock_share(cap_w), SHARES[engine]
    longer = ((TOKENS - 1) * (1.0 - share + share / clock) + 1.0 / clock) / TOKENS
    return (longer - 1.0) * 100.0, (cap_w / 250.0 * longer - 1.0) * 100.0


def test_every_point_is_sealed_and_no_check_of_the_audit_fails(campaign: Campaign) -> None:
    assert campaign.launched.returncode == 0, campaign.launched.stdout[-2000:]
    assert "6 sealed" in campaign.launched.stdout
    assert campaign.audited.returncode == 0, campaign.audited.stdout
    assert "none failed" in campaign.audited.stdout


def test_each_cap_was_set_by_the_driver_before_the_work_and_given_back_after(
    campaign: Campaign,
) -> None:
    runs = campaign.runs()
    assert len(runs) == len(CAPS_W) * len(ENGINES)
    for run, spec, power in runs:
        one = power.gpus[0].settings[Knob.POWER_LIMIT]
        assert (power.way, power.means) == (Way.WATCHER, "NVML")
        told = one.before.value, one.asked, one.enforced.value, one.restored.value
        assert told == (STOOD_W, spec.power_cap_w, spec.power_cap_w, STOOD_W)
        for check in ("settings-enforced", "cap-kept", "settings-restored"):
            assert look(run, check).outcome is Outcome.PASSED
    assert campaign.board.limit_w == STOOD_W


def test_the_watcher_s_samples_have_the_cap_and_the_clock_that_it_leaves(
    campaign: Campaign,
) -> None:
    for row in campaign.table("cap_changes"):
        cap_w = float(str(row["power_cap_w"]))
        assert row["sm_clock_mean_mhz"] / 1410.0 == pytest.approx(clock_share(cap_w), abs=STEP)
        assert row["cap_bound_share"] == (0.0 if cap_w == CAPS_W[0] else 1.0)
        assert "cap never bound" not in str(row["labels"])


@pytest.mark.parametrize("engine", ENGINES)
def test_table_three_has_paper_ours_and_ratio_of_each_engine_and_says_that_it_is_simulated(
    campaign: Campaign, engine: str
) -> None:
    rows = cells(campaign.results, engine=engine)
    # The paper's number, which is a mean over three lengths, and ours of one.
    published: Mapping[str, float] = {
        "duration_s, change in % at 175 W": 6.7,
        "energy_j, change in % at 175 W": -23.21,
        "duration_s, change in % at 150 W": 19.49,
    }
    means = {row["metric"]: row for row in rows if "," in str(row["max_gen_len"])}
    assert {metric: row["paper_value"] for metric, row in means.items()} == published
    for row in rows:
        assert row["simulated"] is True
        assert "simulated" in str(row["labels"])
        assert f"model nano; batch 4; {TOKENS} tokens" in str(row["differs"])
        assert row["ratio"] == pytest.approx(row["our_value"] / row["paper_value"])
    for cap_w in CAPS_W[1:]:
        ours = {
            metric: next(
                row["our_value"] for row in rows if row["metric"].startswith(metric) and
                row["power_cap_w"] == cap_w
            )
            for metric in ("duration_s", "energy_j")
        }  # fmt: skip
        time, energy = expected_change(engine, cap_w)
        # A busy machine is late with steps, by some of a whole run.
        assert ours["duration_s"] == pytest.approx(time, abs=4.0)
        assert ours["energy_j"] == pytest.approx(energy, abs=4.0)


def test_each_phase_of_each_engine_has_time_energy_and_their_product_at_each_cap(
    campaign: Campaign,
) -> None:
    for engine in ENGINES:
        for phase in ("whole", "prefill", "decode"):
            rows = campaign.table("cap_curves", engine=engine, phase=phase)
            assert [row["power_cap_w"] for row in rows] == list(map(float, CAPS_W))
            numbers = ("time_per_token_s", "energy_per_token_j", "energy_delay_per_token_js")
            assert all(row[name] is not None for row in rows for name in numbers)
            times = [row["time_per_token_s"] for row in rows]
            if phase == "prefill":
                # Reading is arithmetic, which follows the clock.
                assert times[2] / times[0] == pytest.approx(1.0 / clock_share(150.0), rel=0.1)


def test_a_run_whose_board_says_yes_and_does_not_heed_its_cap_and_lock_is_found(
    campaign: Campaign, tmp_path: Path
) -> None:
    # Pace, power and clock are those of no cap; limit and lock are told and read back as asked.
    campaign.board.world.set(heeds=0)
    launched = campaign.board.launch(
        tmp_path, "engine=reference", "power_cap_w=175", "sm_clock_mhz=750"
    )
    campaign.board.world.set(heeds=1)
    assert "1 sealed" in launched.stdout, launched.stdout
    (run,) = list_runs(tmp_path)
    assert look(run, "settings-enforced").outcome is not Outcome.FAILED
    for check in ("cap-kept", "sm-clock"):
        assert look(run, check).outcome is Outcome.FAILED
    (sealed,) = load(tmp_path).runs
    assert {Label.CAP_NEVER_BOUND, Label.CLOCK_NOT_HELD} <= set(labels_of(RunEnergy(sealed)))
    # It claims what no run under such a cap takes: the time of none.
    seconds = pq.read_table(run.attempts()[0].table("steps"))["t_us"].to_numpy()
    assert (seconds.max() - seconds.min()) / 1e6 == pytest.approx((TOKENS - 1) * 0.1, rel=0.05)
