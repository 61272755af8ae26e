"""Whether the hub can be reached is asked once, and only for what it alone has."""

import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from launcher.config.command_line import read_points
from launcher.plan.check import check
from launcher.plan.hub_reach import HubReach, hub_notes
from workers.prompts.source import PromptSource, identify


def source(cache: Path, kind: str = "hub") -> PromptSource:
    return identify("gsm8k", source=kind, path=None, columns=None, cache=cache, local=False)


class Network:
    def __init__(self, *, there: bool) -> None:
        self.asked: list[tuple[str, int]] = []
        self._there = there

    def connects(self, host: str, port: int) -> bool:
        self.asked.append((host, port))
        return self._there


def reach(network: Network, environment: Mapping[str, str] | None = None) -> HubReach:
    return HubReach(network.connects, environment or {})


def test_a_hub_that_answers_is_no_fault_and_asked_once(tmp_path: Path) -> None:
    network = Network(there=True)
    hub = reach(network)
    assert hub.fault(source(tmp_path)) is hub.fault(source(tmp_path)) is None
    assert network.asked == [("huggingface.co", 443)]


def test_a_hub_out_of_reach_is_told_with_both_ways_to_stage(tmp_path: Path) -> None:
    said = str(reach(Network(there=False)).fault(source(tmp_path)))
    assert "python -m launcher.stage gsm8k where there is internet" in said
    assert "--from FILE" in said


def test_what_lies_here_asks_nobody(tmp_path: Path) -> None:
    network = Network(there=False)
    assert reach(network).fault(source(tmp_path, "sample")) is None
    (tmp_path / "huggingface" / "datasets" / "openai___gsm8k").mkdir(parents=True)
    assert reach(network).fault(source(tmp_path)) is None
    assert network.asked == []


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({"HF_HUB_OFFLINE": "1"}, []),
        ({"HF_ENDPOINT": "http://mirror.example:81/x"}, [("mirror.example", 81)]),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, [("proxy.example", 3128)]),
        ({"https_proxy": "proxy.example:3128"}, [("proxy.example", 3128)]),
        ({"HF_ENDPOINT": "http://[bad:port"}, []),
        ({"HF_ENDPOINT": "http://h:notaport"}, []),
    ],
)
def test_the_hub_is_where_its_library_would_look(
    tmp_path: Path, environment: dict[str, str], asked: list[tuple[str, int]]
) -> None:
    network = Network(there=False)
    assert reach(network, environment).fault(source(tmp_path)) is not None
    assert network.asked == asked


def test_a_name_server_that_does_not_answer_is_waited_for_as_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: silent.wait(30) and [])
    begin_s = time.monotonic()
    said = HubReach(environment={}).fault(source(tmp_path))
    took_s = time.monotonic() - begin_s
    silent.set()
    assert "cannot be reached (not within 2 s)" in str(said)
    assert 1.9 < took_s < 4.0


def test_a_host_of_addresses_that_all_swallow_it_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # TEST-NET-1 (RFC 5737): no machine has it, so packets to it go nowhere.
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [address] * 5)
    begin_s = time.monotonic()
    assert HubReach(environment={}).fault(source(tmp_path)) is not None
    assert time.monotonic() - begin_s < 4.0


def test_a_plan_tells_how_many_prompts_will_be_read_from_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEGRID_CACHE", str(tmp_path))
    words = (f"results={tmp_path}/r", "cluster=h200", "model=7b", "prompts=64,128")
    points = check(read_points([*words]), hub=reach(Network(there=True))).points
    assert hub_notes(points) == [
        "gsm8k is not staged: 128 prompts will be read from the hub; "
        "python -m launcher.stage gsm8k keeps them here"
    ]
    unreached = check(read_points([*words]), hub=reach(Network(there=False))).points
    assert hub_notes(unreached) == []
