import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from telemetry.record.files import read_json, write_json
from telemetry.record.spec import RunSpec
from tests.support.attempts import make_attempt, make_spec
from tests.support.ranks import make_rank
from workers.session import placement as placement_module
from workers.session.placement import take_placement
from workers.session.software import code_sha256, describe_software


def test_threads_share_the_cores_that_the_process_may_use(spec: RunSpec, tmp_path: Path) -> None:
    pair = make_spec(spec, gpus=2, gpus_per_node=2)
    attempt, launch = make_attempt(tmp_path, pair, threads=None)
    taken = take_placement(pair, launch, attempt, make_rank(1, 2))
    assert taken.threads == max(1, len(os.sched_getaffinity(0)) // 2) == torch.get_num_threads()
    assert read_json(attempt.rank(1))["threads"] == taken.threads


def test_one_rank_of_each_node_tells_packages_container_and_code(
    spec: RunSpec, tmp_path: Path
) -> None:
    pair = make_spec(spec, gpus=2, gpus_per_node=2)
    attempt, launch = make_attempt(tmp_path, pair)
    for number in (0, 1):
        take_placement(pair, launch, attempt, make_rank(number, 2))
    told = read_json(attempt.rank(0))
    assert told["software"]["torch"] == torch.__version__
    assert told["code_sha256"] == code_sha256()
    assert "container" in told
    assert "software" not in read_json(attempt.rank(1))


def test_the_digest_of_the_code_moves_with_any_module(tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "one.py").write_text("a = 1")
    before = code_sha256(tmp_path)
    code_sha256.cache_clear()
    (tmp_path / "workers" / "one.py").write_text("a = 2")
    assert code_sha256(tmp_path) != before


def test_the_container_is_named_by_what_its_runtime_sets() -> None:
    told = describe_software({"APPTAINER_CONTAINER": "/images/one.sif"})
    assert told["container"] == "/images/one.sif"


def test_a_rank_of_a_run_on_cpu_has_no_gpu(spec: RunSpec, tmp_path: Path) -> None:
    on_cpu = make_spec(spec, gpu="cpu")
    attempt, launch = make_attempt(tmp_path, on_cpu, gpu_uuids=[])
    assert take_placement(on_cpu, launch, attempt, make_rank(0, 1)).gpu_uuid is None
    assert read_json(attempt.rank(0))["gpu_uuid"] is None


def test_ranks_stamp_with_the_clock_of_their_hosts_watcher(spec: RunSpec, tmp_path: Path) -> None:
    one = make_spec(spec)
    attempt, launch = make_attempt(tmp_path, one)
    host = read_json(attempt.host("here"))
    write_json(attempt.host("here"), {**host, "clock_offset_us": 42})
    assert take_placement(one, launch, attempt, make_rank(0, 1)).clock.offset_us == 42


def test_a_host_that_is_not_watched_is_named(
    spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placement_module, "_WATCHER_TIMEOUT_S", 0.1)
    one = make_spec(spec)
    attempt, launch = make_attempt(tmp_path, one)
    with pytest.raises(RuntimeError, match="must be written by the watcher of there"):
        take_placement(one, launch, attempt, make_rank(0, 1, host="there"))


def test_a_watchers_record_without_its_clock_is_refused(spec: RunSpec, tmp_path: Path) -> None:
    one = make_spec(spec)
    attempt, launch = make_attempt(tmp_path, one)
    write_json(attempt.host("here"), {"host": "here"})
    with pytest.raises(RuntimeError, match="must hold `clock_offset_us`, but does not"):
        take_placement(one, launch, attempt, make_rank(0, 1))


# No GPU is here: CUDA numbers GPUs in another order than the watcher, as CUDA_DEVICE_ORDER may.
@pytest.fixture
def cuda_in_reverse(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    taken: list[int] = []

    def properties(device: torch.device) -> Any:
        return SimpleNamespace(uuid=("bbbb", "aaaa")[device.index])

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    return taken


def test_a_gpu_is_found_by_its_uuid_and_not_by_its_number(
    spec: RunSpec, tmp_path: Path, cuda_in_reverse: list[int]
) -> None:
    pair = make_spec(spec, gpu="a100", gpus=2, gpus_per_node=2)
    attempt, launch = make_attempt(
        tmp_path, pair, gpu_uuids=["GPU-aaaa", "GPU-bbbb"], device="cuda"
    )
    taken = take_placement(pair, launch, attempt, make_rank(0, 2))
    assert cuda_in_reverse == [0]
    assert taken.gpu_uuid == "GPU-bbbb"


def test_a_gpu_that_nobody_watches_is_refused(
    spec: RunSpec, tmp_path: Path, cuda_in_reverse: list[int]
) -> None:
    one = make_spec(spec, gpu="a100")
    attempt, launch = make_attempt(tmp_path, one, gpu_uuids=["GPU-aaaa"], device="cuda")
    with pytest.raises(RuntimeError, match="is GPU-bbbb and the watcher sees GPU-aaaa instead"):
        take_placement(one, launch, attempt, make_rank(0, 1))


def test_a_single_visible_gpu_is_number_0_for_every_rank(
    spec: RunSpec,
    tmp_path: Path,
    cuda_in_reverse: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    pair = make_spec(spec, gpu="a100", gpus=2, gpus_per_node=2)
    attempt, launch = make_attempt(
        tmp_path, pair, gpu_uuids=["GPU-aaaa", "GPU-bbbb"], device="cuda"
    )
    take_placement(pair, launch, attempt, make_rank(1, 2))
    assert cuda_in_reverse == [0]


def test_more_ranks_than_gpus_are_refused(
    spec: RunSpec, tmp_path: Path, cuda_in_reverse: list[int]
) -> None:
    four = make_spec(spec, gpu="a100", gpus=4, gpus_per_node=4)
    attempt, launch = make_attempt(tmp_path, four, device="cuda")
    with pytest.raises(RuntimeError, match="must have GPU 3 of its node, but CUDA sees 2 instead"):
        take_placement(four, launch, attempt, make_rank(3, 4))
