"""Merging: its lines are read as one line each, however long."""

import pytest


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that wraps nothing; the command's own width is tests/system/test_output.py's."""
    monkeypatch.setenv("COLUMNS", "400")
