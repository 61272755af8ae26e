"""Folders of sealed runs whose energies per token differ by known factors."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.records import Plan, build_run

LONG_S = 10.0
"""Of decoding, so that a tenth of a second is a scatter of a per cent."""


def fill(results: Path, seconds: Sequence[float], **changes: Any) -> Path:
    """Repeats of one point that decode for so long: energy goes with it."""
    spec = changes.pop("spec", {})
    for repeat, decode_s in enumerate(seconds):
        build_run(results, Plan(spec={**spec, "repeat": repeat}, decode_s=decode_s, **changes))
    return results


def said(output: str) -> dict[str, Any]:
    """The JSON that the command printed."""
    found: dict[str, Any] = json.loads(output)
    return found


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`a` and `alike` scatter by a per cent round the same; `less` takes a tenth less; `one` has
    one run."""
    place = tmp_path_factory.mktemp("compare")
    fill(place / "a", (10.0, 10.1, 9.9, 10.0))
    fill(place / "alike", (10.1, 10.0, 10.0, 9.9))
    fill(place / "less", (9.0, 9.1, 8.9, 9.0))
    fill(place / "one", (9.0,))
    return place
