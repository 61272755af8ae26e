"""Served: the double of the library vLLM on the path, and records of served loads."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.record.arrivals import arrivals_us
from tests.support.records import Plan

DOUBLE = Path(__file__).parents[1] / "doubles" / "served"


@contextlib.contextmanager
def served_double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The double stands for the library in the block, which changes no variable for good."""
    monkeypatch.syspath_prepend(DOUBLE)
    for name in (
        "RANK",
        "LOCAL_RANK",
        "VLLM_ENABLE_V1_MULTIPROCESSING",
        "HF_HUB_OFFLINE",
        "VLLM_HOST_IP",
    ):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("VLLM_NO_USAGE_STATS", "1")
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "vllm"]:
            del sys.modules[name]


def served_plan(spec: dict[str, Any] | None = None, **moved_us: int | None) -> Plan:
    """A sound record of a load of 40 requests a second; the first one's moments moved, or lost."""
    work = {"engine": "vllm", "batch_size": 4, "prompts": 4, "arrivals_per_s": 40.0, **(spec or {})}
    drawn = arrivals_us(40.0, 1, 0, 4)

    def come(row: dict[str, Any]) -> dict[str, Any]:
        arrived_us = int(row["first_token_us"]) - 500_000 + drawn[row["row"]]
        times = {"arrived_us": arrived_us, "sent_us": arrived_us + 100}
        times |= {"finished_us": int(row["last_token_us"])}
        told: dict[str, int | None] = dict(times)
        if row["row"] == 0:
            for name, by_us in moved_us.items():
                told[name] = None if by_us is None else times[name] + by_us
        return {**row, **told}

    return Plan(spec=work, prefill_s=0.5, decode_s=1.05, response=come)
