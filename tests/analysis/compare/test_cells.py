"""Which points are the same work on two sides, and what is said of the others."""

from pathlib import Path

from analysis.compare.axes import Axes
from analysis.compare.comparison import Comparison
from analysis.compare.sides import open_sides
from telemetry.record.paths import prompts_folder
from tests.analysis.compare.conftest import fill
from tests.support.records import Plan, build_run
from workers.prompts.prompt_row import PromptRow
from workers.prompts.prompts_file import write_rows

REAL = {"launch": {"telemetry": "nvml"}}


def compared(*folders: Path, by: str | None = None, mixed: bool = False) -> Comparison:
    axes = Axes.read(by)
    sides = open_sides([str(folder) for folder in folders], axes)
    return Comparison.of(sides, axes, margin=0.05, mixed=mixed)


def test_another_board_and_another_spread_over_nodes_are_the_same_work(tmp_path: Path) -> None:
    a = fill(tmp_path / "a", (10.0,), spec={"gpus": 2, "gpus_per_node": 2})
    b = fill(
        tmp_path / "b",
        (10.0,),
        spec={"gpus": 2, "gpus_per_node": 1, "gpu": "simulated-v100"},
    )
    assert len(compared(a, b).cells) == 1
    assert compared(a, b, by="folder").cells == ()


def test_points_that_are_the_same_in_everything_belong_together_first(tmp_path: Path) -> None:
    a = fill(tmp_path / "a", (10.0,))
    b = fill(tmp_path / "b", (10.0,))
    fill(tmp_path / "b", (10.0,), spec={"gpu": "simulated-v100"})
    found = compared(a, b)
    assert [cell.other_members[0].run.spec.gpu for cell in found.cells] == ["simulated-a100"]
    assert [one.letter for one in found.not_compared] == ["B"]


def test_several_points_that_fit_are_not_chosen_from(tmp_path: Path) -> None:
    a = fill(tmp_path / "a", (10.0,))
    b = fill(tmp_path / "b", (10.0,), spec={"gpu": "simulated-v100"})
    fill(tmp_path / "b", (10.0,), spec={"gpu": "simulated-h100"})
    found = compared(a, b)
    assert found.cells == ()
    assert "B has 2 points that fit, which differ in gpu" in found.not_compared[0].reason


def test_simulated_runs_stand_against_measured_ones_on_request_alone(tmp_path: Path) -> None:
    a = fill(tmp_path / "a", (10.0,), spec={"gpu": "a100"}, **REAL)
    b = fill(tmp_path / "b", (10.0,))
    found = compared(a, b)
    assert found.cells == ()
    (left,) = found.not_compared
    assert left.letter == "A, B"
    assert "A is measured and B simulated: no comparison" in left.reason
    assert not found.same
    asked = compared(a, b, mixed=True)
    assert asked.labels[0][0] == "B IS SIMULATED and the other measured: no comparison of GPUs"
    assert asked.summary()[0].startswith("SIMULATED: ")


def test_other_prompts_are_other_work(tmp_path: Path) -> None:
    a = fill(tmp_path / "a", (10.0,))
    digest, _ = write_rows([(0, PromptRow(text="What else?"))], prompts_folder(tmp_path / "b"))
    b = fill(tmp_path / "b", (10.0,), launch={"prompts_sha256": digest})
    (left,) = compared(a, b).not_compared
    assert left.reason.startswith("other prompts: the SHA-256 of the file begins ")
    assert left.reason.endswith(digest[:12])


def test_a_point_that_one_side_measured_in_two_ways_meets_the_way_of_the_other(
    tmp_path: Path,
) -> None:
    a = fill(tmp_path / "a", (10.0, 10.1))
    build_run(tmp_path / "a", Plan(spec={"repeat": 7}, decode_s=10.0, launch={"idle_s": 9.0}))
    b = fill(tmp_path / "b", (10.0,))
    (cell,) = compared(a, b).cells
    assert [member.run.spec.repeat for member in cell.base_members] == [0, 1]


def test_a_point_measured_in_two_ways_that_both_are_not_the_other_s_is_no_cell(
    tmp_path: Path,
) -> None:
    a = fill(tmp_path / "a", (10.0,), launch={"idle_s": 8.0})
    build_run(tmp_path / "a", Plan(spec={"repeat": 7}, decode_s=10.0, launch={"idle_s": 9.0}))
    b = fill(tmp_path / "b", (10.0,))
    (left,) = compared(a, b).not_compared
    assert left.reason == "A has measured it in 2 ways: idle_s 8 | 9"


def test_what_differs_beside_the_axis_is_told_of_each_cell(tmp_path: Path) -> None:
    a = fill(tmp_path / "a", (10.0,))
    b = fill(
        tmp_path / "b",
        (10.0,),
        gpu={"name": "SIMULATED B", "driver": "575.1"},
        launch={"idle_s": 9.0},
        provenance={
            "git": {"commit": "f" * 40, "dirty": True},
            "packages": {"torch": "2.9.0"},
        },
    )
    labels = "\n".join(compared(a, b).labels[0])
    assert "SIMULATED: no measurement of a GPU" in labels
    assert "random weights in A and B" in labels
    assert "changes without a commit in the source tree of B" in labels
    assert "| SIMULATED B" in labels
    assert "| 575.1" in labels
    assert "other commit: 0123456789ab | ffffffffffff" in labels
    assert "other torch: 2.13.0 | 2.9.0" in labels
    assert "measured otherwise: idle_s 1 | 9" in labels


def test_sides_that_are_alike_have_no_label_of_a_difference(tmp_path: Path) -> None:
    a, b = (fill(tmp_path / name, (10.0,)) for name in "ab")
    assert [label for label in compared(a, b).labels[0] if "other " in label] == []


def test_a_clock_that_was_held_down_is_told_with_its_share(tmp_path: Path) -> None:
    a = fill(tmp_path / "a", (10.0,))
    b = fill(tmp_path / "b", (10.0,), state=True)
    assert any(
        label.startswith("clock held down in up to 0 % of A's readings, ")
        for label in compared(a, b).labels[0]
    )
