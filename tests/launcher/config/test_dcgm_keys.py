"""What is asked of DCGM is refused at the door, and who may load its bindings."""

from pathlib import Path
from typing import Any

import pytest

from launcher.config.command_line import read_points
from launcher.config.errors import BadInputError
from launcher.plan.check import check
from telemetry.record.files import write_json
from telemetry.record.launch import LaunchConfig
from telemetry.sources.dcgm.bindings import DcgmMissingError, build_info, find_bindings
from telemetry.sources.dcgm.fields import dcgm_fields, is_profiling
from tests.support.watched_attempts import LAUNCH
from tests.test_architecture import MODULES, libraries


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("dcgm_bindings", "bindings", "`dcgm_bindings` must be an absolute path or null"),
        ("dcgm_bindings", "/a\0b", "`dcgm_bindings` must be an absolute path or null"),
        (
            "dcgm_address",
            "5555",
            "`dcgm_address` must be host:port, the path of a socket or null",
        ),
        ("dcgm_address", "$(id):1", "`dcgm_address` must be host:port"),
        ("dcgm_address", "host:5555\nx", "`dcgm_address` must be host:port"),
        ("dcgm_address", 5555, "`dcgm_address` must be host:port"),
        (
            "gpu_fields",
            ["energy"],
            "`gpu_fields` must be among .* but holds 'energy' instead",
        ),
        ("gpu_fields", ["cpu_utilization"], "`gpu_fields` must be among"),
        ("gpu_fields", "energy_j", "`gpu_fields` must be a list of GPU readings or null"),
        ("gpu_fields", [], "`gpu_fields` must be a list of GPU readings or null"),
    ],
)
def test_value_that_is_not_allowed_is_refused_by_name(name: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LaunchConfig(**{**LAUNCH, name: value})


@pytest.mark.parametrize(
    "address", ["127.0.0.1:5555", "node-7.cluster:5555", "[::1]:5555", "/run/nvidia/dcgm.sock"]
)
def test_every_way_to_name_an_engine_survives_the_order_s_file(
    tmp_path: Path, address: str
) -> None:
    launch = LaunchConfig(**{**LAUNCH, "dcgm_address": address, "gpu_fields": ["energy_j"]})
    write_json(tmp_path / "launch.json", launch.to_mapping())
    assert LaunchConfig.read(tmp_path / "launch.json") == launch


def test_period_below_the_power_sensor_s_is_refused_before_submission(tmp_path: Path) -> None:
    words = [f"results={tmp_path}", "cluster=h200", "telemetry=dcgm", "telemetry.period_ms=20"]
    with pytest.raises(BadInputError, match=r"`telemetry.period_ms` must be at least 100 for gpu"):
        check(read_points(words))


def test_what_is_asked_of_dcgm_stands_in_the_order(tmp_path: Path) -> None:
    words = [f"results={tmp_path}", "cluster=h200", "telemetry=dcgm"]
    words += ["telemetry.dcgm_address=node:5555", "telemetry.gpu_fields=[energy_j,sm_active]"]
    (entry,) = check(read_points(words)).points
    assert entry.launch.telemetry == "dcgm"
    assert entry.launch.dcgm_address == "node:5555"
    assert entry.launch.gpu_fields == ("energy_j", "sm_active")


def test_reading_that_dcgm_does_not_have_alone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`gpu_fields` must hold a reading that DCGM has"):
        dcgm_fields(["power_sample_w"])


def test_device_and_profiling_fields_are_told_apart_by_number() -> None:
    fields = dcgm_fields(None)
    profiling = [field.name for field in fields if is_profiling(field)]
    assert profiling[:2] == ["graphics_active", "sm_active"]
    assert [is_profiling(field) for field in fields] == sorted(map(is_profiling, fields))


def test_newer_package_s_bindings_are_found_first(tmp_path: Path) -> None:
    newer, older = tmp_path / "4", tmp_path / "3"
    for folder in (older, newer):
        folder.mkdir()
        (folder / "pydcgm.py").touch()
    assert find_bindings(None, (newer, older)) == newer
    (newer / "pydcgm.py").unlink()
    assert find_bindings(None, (newer, older)) == older


def test_node_without_bindings_says_where_they_were_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DcgmMissingError, match=r"are neither in .*/4 nor .*/3"):
        find_bindings(None, (tmp_path / "4", tmp_path / "3"))


def test_build_info_is_read_as_keys_and_values() -> None:
    assert build_info("version:4.4.2;arch:x86_64;")["version"] == "4.4.2"


def test_nvidia_s_bindings_are_loaded_by_one_module_of_the_watcher_alone() -> None:
    flat = {"pydcgm", "dcgm_agent", "dcgm_structs", "dcgm_fields", "DcgmHandle"}
    for module, path in MODULES.items():
        assert not libraries(path) & flat, path
        names_them = "import_module" in path.read_text() and module.startswith("telemetry.")
        assert not names_them or module == "telemetry.sources.dcgm.bindings", path
