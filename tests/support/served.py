"""Served: the double of the library vLLM is on the path, or not at all."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

DOUBLE = Path(__file__).parents[1] / "doubles" / "served"


@contextlib.contextmanager
def served_double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The double stands for the library in the block, which changes no variable for good."""
    monkeypatch.syspath_prepend(DOUBLE)
    for name in ("RANK", "LOCAL_RANK", "VLLM_ENABLE_V1_MULTIPROCESSING", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("VLLM_NO_USAGE_STATS", "1")
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "vllm"]:
            del sys.modules[name]
