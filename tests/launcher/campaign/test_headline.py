"""A campaign on this machine ends with J per token of its points and the path of its report."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.campaign.headline import report_campaign
from telemetry.output import Output
from telemetry.record.files import write_json
from telemetry.record.paths import report_folder
from telemetry.record.spec import RunSpec
from telemetry.record.way_on import PAGE, REPORT, seals_digest
from tests.conftest import REPOSITORY
from tests.support.records import Plan, build_run

REAL = {"gpu": "a100", "model": "7b", "dtype": "fp16"}


def said(results: Path, *specs: RunSpec) -> list[str]:
    """What is printed of these points, a line an entry."""
    stream = io.StringIO()
    assert report_campaign(results, specs, Output(stream))
    return stream.getvalue().splitlines()


def built(results: Path, **changes: object) -> RunSpec:
    plan = Plan(spec={**REAL, **changes})
    build_run(results, plan)
    return plan.run_spec


def already_reported(results: Path) -> None:
    """Leave what tells that the page is of these seals: the lines are the same, nothing is drawn.

    That a campaign draws it is one test's, which waits for it.
    """
    report = report_folder(results)
    report.mkdir()
    write_json(report / REPORT, {"seals_sha256": seals_digest(results)})
    (report / PAGE).write_text("")


def test_one_point_is_one_sentence_with_its_uncertainty_and_the_report_s_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    spec = built(tmp_path / "results")
    line, report = said(tmp_path / "results", spec)
    assert line.startswith(f"7b on {spec.gpus} a100: ")
    assert " ± " in line
    assert line.endswith(f"J per generated token (fp16, batch {spec.batch_size}, reference)")
    assert report == "report: results/report/index.html"
    assert (tmp_path / "results" / "report" / "index.html").is_file()


def test_points_of_a_grid_have_a_short_line_each_below_what_they_have_in_common(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    specs = [built(tmp_path, max_gen_len=new) for new in (8, 16)]
    already_reported(tmp_path)
    heading, *lines, _ = said(tmp_path, *specs)
    assert heading.startswith("J per generated token (fp16, batch ")
    assert [line.split(":")[0] for line in lines] == [
        f"  7b on {specs[0].gpus} a100, new 8",
        f"  7b on {specs[0].gpus} a100, new 16",
    ]
    assert max(map(len, lines)) <= 80


def test_repeats_share_one_line(tmp_path: Path) -> None:
    specs = [built(tmp_path, repeat=repeat) for repeat in range(3)]
    already_reported(tmp_path)
    assert len([line for line in said(tmp_path, *specs) if " on " in line]) == 1


def test_a_simulated_point_says_so_before_its_number(tmp_path: Path) -> None:
    spec = built(tmp_path, gpu="simulated-a100")
    already_reported(tmp_path)
    assert said(tmp_path, spec)[0].startswith("SIMULATED: 7b on ")


def test_runs_of_other_campaigns_are_in_the_report_alone(tmp_path: Path) -> None:
    ours, _ = built(tmp_path), built(tmp_path, model="13b")
    already_reported(tmp_path)
    assert not [line for line in said(tmp_path, ours) if "13b" in line]


def test_who_lacks_what_draws_is_told_what_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = built(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in [name for name in sys.modules if name.startswith(("analysis", "jinja2"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    stream = io.StringIO()
    assert not report_campaign(tmp_path, [spec], Output(stream))
    assert "package jinja2 must be installed, but is not; pip install 'joulegrid[analysis]'" in (
        stream.getvalue()
    )
    assert not (tmp_path / "report").exists()


def test_the_same_campaign_again_makes_its_grid_points_alone(tmp_path: Path) -> None:
    spec = built(tmp_path)
    first = said(tmp_path, spec)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "report").rglob("*")}
    script = (
        "import sys; from pathlib import Path; from telemetry.output import Output; "
        "from telemetry.record.spec import RunSpec; "
        "from launcher.campaign.headline import report_campaign; results = Path(sys.argv[1]); "
        "report_campaign(results, [RunSpec.read(results / sys.argv[2] / 'spec.json')], Output()); "
        "assert 'statsmodels' not in sys.modules; assert 'matplotlib' not in sys.modules"
    )
    again = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), spec.run_id],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout.split() == " ".join(first).split()
    assert {path: path.stat().st_mtime_ns for path in before} == before
