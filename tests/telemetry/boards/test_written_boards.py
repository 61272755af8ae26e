"""A board is its row in whatever letters, with its memory or its driver's name."""

import pytest

from telemetry.boards.spellings import board_called, board_names
from telemetry.boards.table import BOARDS


@pytest.mark.parametrize(
    ("given", "row"),
    [
        *(("h100", "h100"), ("H100", "h100"), ("RTX-4090", "rtx4090"), ("rtx 4090", "rtx4090")),
        *(("A100-80GB", "a100"), ("a100_40gb", "a100-40gb"), ("V100-32GB", "v100")),
        *(("NVIDIA A100-SXM4-80GB", "a100"), ("simulated-H100", "simulated-h100")),
        *(("Simulated-A100-80GB", "simulated-a100"), ("H200-141GB", "h200"), ("a100-64gb", None)),
        *(("k80", None), ("", None), ("auto", None), ("simulated-", None), ("100", None)),
    ],
)
def test_a_board_in_other_letters_is_its_row(given: str, row: str | None) -> None:
    assert board_called(given) == row


def test_every_row_and_every_simulated_row_is_called_by_its_own_name() -> None:
    assert {board_called(name) for name in board_names()} == set(board_names())
    assert len(board_names()) == 2 * len(BOARDS)
