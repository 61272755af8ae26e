"""What is known of a GPU's sensor and peaks, and what stands in where nothing is."""

from typing import Any

import pytest

from telemetry.boards.lookup import UPDATE_PERIODS, peaks_of, seen_board, sensor_of
from telemetry.boards.peaks import Peaks
from telemetry.boards.sensor_timing import COUNTER, POWER_FIELDS, Timing
from telemetry.boards.table import BOARDS

MS = 1_000
UNLISTED = "NVIDIA B300 SXM6 AC"


def timings_ms(field: str, **gpu: object) -> tuple[float, float]:
    timing = sensor_of(gpu).timings[field]
    return timing.update_us / MS, timing.window_us / MS


@pytest.mark.parametrize(
    ("name", "architecture", "instant_ms", "average_ms"),
    [
        ("Tesla P100-SXM2-16GB", "Pascal", (20, 10), (20, 10)),
        ("Tesla V100-SXM2-16GB", "Volta", (20, 10), (20, 10)),
        ("TITAN V", "Volta", (20, 10), (20, 10)),
        ("Tesla T4", "Turing", (100, 100), (100, 100)),
        ("NVIDIA TITAN RTX", "Turing", (100, 100), (100, 100)),
        ("A100-SXM4-80GB", "Ampere GA100", (100, 25), (100, 25)),
        ("NVIDIA A800 80GB PCIe", "Ampere GA100", (100, 25), (100, 25)),
        ("NVIDIA A30", "Ampere GA100", (100, 25), (100, 25)),
        ("NVIDIA A10", "Ampere", (100, 100), (100, 1000)),
        ("NVIDIA A16", "Ampere", (100, 100), (100, 1000)),
        ("NVIDIA GeForce RTX 3090", "Ampere", (100, 100), (100, 1000)),
        ("NVIDIA L40", "Ada", (100, 100), (100, 1000)),
        ("NVIDIA GeForce RTX 4090", "Ada", (100, 100), (100, 1000)),
        ("NVIDIA H100 NVL", "Hopper GH100", (100, 25), (100, 1000)),
        ("NVIDIA H200 NVL", "Hopper GH100", (100, 25), (100, 1000)),
        ("NVIDIA GH200 144G HBM3e", "Grace Hopper", (100, 20), (100, 1000)),
    ],
)
def test_a_sensor_is_found_with_and_without_a_row(
    name: str, architecture: str, instant_ms: tuple[int, int], average_ms: tuple[int, int]
) -> None:
    sensor = sensor_of({"name": name})
    assert sensor.known
    assert sensor.architecture == architecture
    assert sensor.source.startswith("arXiv 2312.02741")
    assert timings_ms("power_instant_w", name=name) == instant_ms
    assert timings_ms("power_average_w", name=name) == average_ms
    assert timings_ms(COUNTER, name=name) == (100, 0)


def test_the_drivers_buffer_is_50_hz_on_an_h200_alone() -> None:
    assert timings_ms("power_sample_w", name="NVIDIA H200") == (20, 20)
    for name in ("NVIDIA H200 NVL", "NVIDIA H100 80GB HBM3"):
        assert timings_ms("power_sample_w", name=name) == (100, 25)


def test_branch_530_alone_gave_a_short_average_on_ampere() -> None:
    for driver, window_ms in (("525.85.12", 1000), ("530.30.02", 100), ("580.159.04", 1000)):
        assert timings_ms("power_average_w", name="NVIDIA A40", driver=driver) == (100, window_ms)
    assert timings_ms("power_average_w", name="NVIDIA H200", driver="530.30.02") == (100, 1000)


@pytest.mark.parametrize("name", [UNLISTED, "NVIDIA H200 but longer", "h200", "", None])
def test_a_board_in_no_table_is_as_slow_as_the_slowest_and_says_so(name: str | None) -> None:
    sensor = sensor_of({"name": name})
    assert not sensor.known
    assert sensor.architecture == "unknown"
    said = name or "a board without a name"
    assert sensor.source == f"{said} is in no table: taken as slow as the slowest"
    assert sensor.timings == {
        "power_sample_w": Timing(update_us=100 * MS, window_us=100 * MS),
        "power_instant_w": Timing(update_us=100 * MS, window_us=100 * MS),
        "power_average_w": Timing(update_us=100 * MS, window_us=1000 * MS),
        "energy_j": Timing(update_us=100 * MS, window_us=0),
    }


@pytest.mark.parametrize("name", ["NVIDIA B200", "NVIDIA GeForce RTX 5090"])
def test_a_row_whose_sensor_nobody_measured_says_so(name: str) -> None:
    sensor = sensor_of({"name": name})
    assert not sensor.known
    assert sensor.source == f"{name} is in no table of sensors: taken as slow as the slowest"


def test_periods_that_were_measured_on_an_unknown_board_count_and_are_said_to_be_so() -> None:
    measured = {"power_instant_w": 25_018, "power_sample_w": 300_000, "energy_j": 20_001}
    sensor = sensor_of({"name": UNLISTED, UPDATE_PERIODS: measured})
    assert not sensor.known
    assert sensor.source == (
        f"{UNLISTED} is in no table: update periods of power_sample_w, power_instant_w, energy_j "
        "measured on the spot, all else taken as slow as the slowest"
    )
    assert sensor.timings["power_instant_w"] == Timing(update_us=25_018, window_us=100 * MS)
    # What a value averages over is not measured: no shorter than its own period.
    assert sensor.timings["power_sample_w"] == Timing(update_us=300_000, window_us=300_000)
    assert sensor.timings["power_average_w"] == Timing(update_us=100 * MS, window_us=1000 * MS)
    assert sensor.timings["energy_j"] == Timing(update_us=20_001, window_us=0)


def test_periods_that_were_measured_on_a_known_board_change_nothing() -> None:
    for name in ("NVIDIA H200", "Tesla T4"):
        measured = {"name": name, UPDATE_PERIODS: {"power_instant_w": 7}}
        assert sensor_of(measured) == sensor_of({"name": name})


@pytest.mark.parametrize(
    "content",
    [None, [], "power_instant_w", {"power_instant_w": None}, {"energy_j": 0}, {"energy_j": True}],
)
def test_what_is_no_period_in_a_record_is_none(content: object) -> None:
    assert sensor_of({"name": UNLISTED, UPDATE_PERIODS: content}) == sensor_of({"name": UNLISTED})


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_a_simulated_board_has_its_rows_timing_and_no_error_of_gain(name: str) -> None:
    board = BOARDS[name]
    gpu = {"name": f"SIMULATED {board.product}", "kind": name, "simulated": True}
    sensor = sensor_of(gpu)
    assert sensor.known
    assert sensor.gain_share == 0
    assert sensor.source == "the simulation's own constants"
    assert timings_ms("power_instant_w", **gpu) == (board.sensor_period_ms, board.sensor_window_ms)
    assert timings_ms("power_sample_w", **gpu) == timings_ms("power_instant_w", **gpu)
    assert timings_ms(COUNTER, **gpu) == (board.sensor_period_ms, 0)


def test_a_simulated_board_without_a_row_is_unknown() -> None:
    assert not sensor_of({"name": "SIMULATED X", "kind": "x", "simulated": True}).known


@pytest.mark.parametrize("name", [*BOARDS["h200"].driver_names, UNLISTED])
def test_every_timed_field_has_a_timing(name: str) -> None:
    assert tuple(sensor_of({"name": name}).timings) == (*POWER_FIELDS, COUNTER)


@pytest.mark.parametrize(
    ("name", "gigabytes_per_s", "fp16", "fp32"),
    [
        ("Tesla V100-PCIE-16GB", 900, 112, 14),
        ("Tesla V100S-PCIE-32GB", 1134, 130, 16.4),
        ("Tesla V100-SXM2-32GB", 900, 125, 15.7),
        ("NVIDIA A100-SXM4-40GB", 1555, 312, 19.5),
        ("NVIDIA A100-SXM4-80GB", 2039, 312, 19.5),
        ("NVIDIA A100 80GB PCIe", 1935, 312, 19.5),
        ("NVIDIA A30", 933, 165, 10.3),
        ("NVIDIA A40", 696, 149.7, 37.4),
        ("NVIDIA A10", 600, 125, 31.2),
        ("NVIDIA L4", 300, 121, 30.3),
        ("NVIDIA L40S", 864, 362.05, 91.6),
        ("NVIDIA GeForce RTX 4090", 1008, 165.2, 82.6),
        ("NVIDIA RTX 6000 Ada Generation", 960, 364.2, 91.1),
        ("NVIDIA H100 PCIe", 2000, 756, 51),
        ("NVIDIA H100 80GB HBM3", 3350, 989, 67),
        ("NVIDIA H100 NVL", 3900, 835.5, 60),
        ("NVIDIA GH200 480GB", 4000, 990, 67),
        ("NVIDIA H200", 4800, 989, 67),
        ("NVIDIA B200", 7700, 2250, 75),
        ("NVIDIA GeForce RTX 5090", 1792, 209.5, 104.8),
    ],
)
def test_a_board_has_the_peaks_of_its_datasheet(
    name: str, gigabytes_per_s: float, fp16: float, fp32: float
) -> None:
    peaks = peaks_of({"name": name})
    assert isinstance(peaks, Peaks)
    assert peaks.stated_bytes_per_s == gigabytes_per_s * 1e9
    assert peaks.stated_flop_per_s["fp16"] == fp16 * 1e12
    assert peaks.stated_flop_per_s["fp32"] == fp32 * 1e12
    volta = "V100" in name
    assert peaks.stated_flop_per_s.get("bf16") == (None if volta else fp16 * 1e12)
    assert (peaks.stated_int8_op_per_s is None) == volta


def test_fp8_came_with_ada_and_hopper() -> None:
    for board in BOARDS.values():
        for form in board.forms:
            has = form.peaks is not None and "fp8" in form.peaks.stated_flop_per_s
            assert has == (board.architecture in {"Ada", "Hopper", "Blackwell"})


def test_an_h200_alone_was_measured() -> None:
    measured = {
        name: form.peaks
        for name, board in BOARDS.items()
        for form in board.forms
        if form.peaks is not None and form.peaks.measured_source is not None
    }
    assert list(measured) == ["h200"]
    assert measured["h200"].measured_bytes_per_s == 4270e9
    assert measured["h200"].measured_flop_per_s == {"bf16": 788e12}
    assert measured["h200"].measured_source == "one H200: a large copy, a large bf16 matrix product"
    assert measured["h200"].source == "NVIDIA H200 datasheet, without sparsity"


@pytest.mark.parametrize("name", [UNLISTED, "Tesla V100-SXM3-32GB", "Tesla T4"])
def test_a_board_without_peaks_has_a_reason(name: str) -> None:
    assert peaks_of({"name": name}) == f"no peak is on file for {name}"


def test_the_work_of_a_simulated_board_has_no_peak() -> None:
    said = "the work of a simulated GPU is done on CPU"
    assert peaks_of({"name": "NVIDIA H200", "simulated": True}) == said


def test_peaks_are_above_0() -> None:
    with pytest.raises(ValueError, match="`Peaks` must be above 0"):
        Peaks(stated_bytes_per_s=1.0, stated_flop_per_s={}, source="", stated_int8_op_per_s=0.0)


def test_a_gpu_in_the_table_is_seen_as_its_row() -> None:
    assert seen_board({"name": "NVIDIA H200", "memory_bytes": 1}) is BOARDS["h200"]


def test_a_gpu_in_no_table_is_seen_as_its_driver_told() -> None:
    entry: dict[str, Any] = {
        "name": UNLISTED,
        "memory_bytes": 275_040 << 20,
        "compute_capability": "10.3",
        "power_limit_default_w": 1400.0,
        "power_limit_min_w": 200.0,
        "power_limit_max_w": 1400.0,
        "max_sm_clock_mhz": 2032,
        "max_memory_clock_mhz": None,
        UPDATE_PERIODS: {"power_instant_w": 50_000},
    }
    board = seen_board(entry)
    assert board.name == "nvidia-b300-sxm6-ac"
    assert board.memory_bytes == 275_040 << 20
    assert (board.min_power_limit_w, board.max_power_limit_w) == (200.0, 1400.0)
    assert (board.max_sm_clock_mhz, board.max_memory_clock_mhz) == (2032, None)
    assert board.timings() == dict(sensor_of(entry).timings)


def test_a_gpu_of_which_only_the_sensor_is_known_keeps_it() -> None:
    entry = {"name": "NVIDIA A10G", "memory_bytes": 23_028 << 20}
    assert seen_board(entry).timings() == dict(sensor_of(entry).timings)
    assert seen_board(entry).sensor is not None


@pytest.mark.parametrize("gpu", [{"name": UNLISTED}, {"memory_bytes": 1}])
def test_a_gpu_that_nobody_can_place_is_refused(gpu: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be on record"):
        seen_board(gpu)
