"""What is known of a board's sensor, and what stands in where nothing is."""

import pytest

from telemetry.boards.board import Board
from telemetry.boards.lookup import sensor_of
from telemetry.boards.sensor_timing import COUNTER, POWER_FIELDS, Timing
from telemetry.boards.table import BOARDS, board_of
from telemetry.clock import US_PER_MS
from tests.conftest import REPOSITORY


def resolution_ms(field: str, **gpu: object) -> float:
    return sensor_of(gpu).timings[field].resolution_us / US_PER_MS


@pytest.mark.parametrize(
    ("name", "instant_ms"),
    [
        ("Tesla V100-SXM2-32GB", (20, 10)),
        ("Tesla T4", (100, 100)),
        ("NVIDIA A100-SXM4-80GB", (100, 25)),
        ("A100-SXM4-80GB", (100, 25)),
        ("NVIDIA A40", (100, 100)),
        ("NVIDIA L40S", (100, 100)),
        ("NVIDIA H100 80GB HBM3", (100, 25)),
        ("NVIDIA H200", (100, 25)),
    ],
)
def test_a_board_is_found_by_the_exact_name_of_its_driver(
    name: str, instant_ms: tuple[int, int]
) -> None:
    update_ms, window_ms = instant_ms
    sensor = sensor_of({"name": name})
    assert sensor.known
    assert sensor.timings["power_instant_w"] == Timing(
        update_us=update_ms * US_PER_MS, window_us=window_ms * US_PER_MS
    )


def test_the_one_second_average_tells_nothing_shorter_than_a_second() -> None:
    assert resolution_ms("power_average_w", name="NVIDIA H200") == 1000
    assert resolution_ms("power_average_w", name="NVIDIA A100-SXM4-80GB") == 100


def test_what_the_average_means_depends_on_the_driver() -> None:
    for driver, expected_ms in (("525.85.12", 1000), ("530.30.02", 100), ("580.159.04", 1000)):
        assert resolution_ms("power_average_w", name="NVIDIA A40", driver=driver) == expected_ms


def test_the_drivers_buffer_is_50_hz_only_where_that_was_measured() -> None:
    assert resolution_ms("power_sample_w", name="NVIDIA H200") == 20
    assert resolution_ms("power_sample_w", name="NVIDIA H100 80GB HBM3") == 100


@pytest.mark.parametrize("name", ["NVIDIA B200", "NVIDIA H200 but longer", "h200", "", None])
def test_an_unknown_board_is_as_slow_as_the_slowest_and_says_so(name: str | None) -> None:
    sensor = sensor_of({"name": name})
    assert not sensor.known
    assert "is in no table" in sensor.source
    slowest = {
        field: max(
            resolution_ms(field, name=known)
            for known in ("Tesla V100-SXM2-32GB", "Tesla T4", "NVIDIA A40", "NVIDIA H200")
        )
        for field in (*POWER_FIELDS, COUNTER)
    }
    for field, least_ms in slowest.items():
        assert sensor.timings[field].resolution_us / US_PER_MS >= least_ms


def test_a_simulated_board_has_the_timing_of_its_kind_and_no_error_of_gain() -> None:
    gpu = {"name": "SIMULATED A100 80 GB", "kind": "a100", "simulated": True}
    sensor = sensor_of(gpu)
    assert sensor.gain_share == 0
    assert sensor.timings["power_instant_w"] == Timing(
        update_us=100 * US_PER_MS, window_us=25 * US_PER_MS
    )
    assert sensor_of({"name": "NVIDIA A100-SXM4-80GB"}).gain_share == 0.05


@pytest.mark.parametrize("kind", BOARDS.values(), ids=lambda kind: kind.name)
def test_a_kinds_own_figures_are_those_of_the_table(kind: Board) -> None:
    for name in kind.driver_names:
        assert sensor_of({"name": name}).timings["power_instant_w"] == Timing(
            update_us=kind.sensor_period_ms * US_PER_MS, window_us=kind.sensor_window_ms * US_PER_MS
        )
        assert board_of(name) is kind


def test_a_board_of_no_kind_has_none() -> None:
    assert board_of("NVIDIA A100-SXM4-39GB") is None


def test_the_documented_table_is_the_one_in_use() -> None:
    text = (REPOSITORY / "docs" / "energy.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in text[text.index("## Sensors by architecture") :].splitlines()
        if line.startswith("|") and "/" in line
    ]
    documented = {name: (instant, average, source) for name, instant, average, source in rows}
    for name, product in {
        "Pascal": "Tesla P100-SXM2-16GB",
        "Volta": "Tesla V100-SXM2-32GB",
        "Turing": "Tesla T4",
        "Ampere GA100": "NVIDIA A100-SXM4-80GB",
        "Ampere": "NVIDIA A40",
        "Ada": "NVIDIA L40S",
        "Hopper GH100": "NVIDIA H200",
        "Grace Hopper": "NVIDIA GH200 480GB",
    }.items():
        sensor = sensor_of({"name": product})
        assert sensor.architecture == name
        timings = [sensor.timings[field] for field in ("power_instant_w", "power_average_w")]
        said = [f"{one.update_us // US_PER_MS} / {one.window_us // US_PER_MS}" for one in timings]
        assert documented.pop(name) == (*said, sensor.source)
    assert not documented
