"""The worked notebook runs from its first cell to its last, and is kept without what it printed."""

import base64
import json
import re
from functools import cache
from typing import Any, Final

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import REPOSITORY
from tests.support.recordings import recorded

pytestmark = pytest.mark.reports

NOTEBOOK: Final = REPOSITORY / "docs" / "j_per_token.ipynb"
_PNG: Final = b"\x89PNG"


@cache
def executed() -> tuple[dict[str, Any], ...]:
    """The code cells of the notebook once it was run by a kernel of its own, in docs/."""
    notebook: Any = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    )
    client.execute()
    return tuple(cell for cell in notebook.cells if cell.cell_type == "code")


def outputs(kind: str) -> list[Any]:
    """All that the cells gave of one kind."""
    return [
        output["data"][kind]
        for cell in executed()
        for output in cell["outputs"]
        if kind in output.get("data", {})
    ]


def test_it_opens_every_recorded_run() -> None:
    printed = [
        output["text"] for cell in executed() for output in cell["outputs"] if "text" in output
    ]
    assert printed[0] == f"{len(list(recorded()))} sealed runs, 0 not counted\n"


def test_it_draws_joules_a_token_against_the_batch_and_a_trace() -> None:
    drawn = outputs("image/png")
    assert len(drawn) == 2
    assert all(base64.b64decode(figure).startswith(_PNG) for figure in drawn)


def test_its_error_bars_are_the_column_that_the_metadata_name() -> None:
    assert "b'energy_per_token_j_sensor'" in outputs("text/plain")
    assert any("± energy_per_token_j_sensor" in str(cell["outputs"]) for cell in executed())


def test_it_says_what_the_numbers_are_not() -> None:
    (said,) = [text for text in outputs("text/plain") if "simulated" in text]
    assert "'simulated': 'none'" in said
    assert "'random_weights': 'all'" in said


def test_it_warns_of_nothing() -> None:
    streams = [output for cell in executed() for output in cell["outputs"]]
    assert [output["text"] for output in streams if output.get("name") == "stderr"] == []


def test_it_is_kept_without_outputs_counts_and_paths_of_a_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    for cell in json.loads(text)["cells"]:
        assert not cell.get("outputs"), cell["id"]
        assert cell.get("execution_count") is None, cell["id"]
    assert not re.search(r"/(home|tmp|root|Users|opt|mnt|scratch|work)/", text)
