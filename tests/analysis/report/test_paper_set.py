"""What a paper takes from a report: PDFs, captions and an index, the same every time."""

import re
from pathlib import Path
from typing import Final

import pytest

from analysis.audit.campaign import Campaign
from analysis.audit.check import Outcome
from analysis.audit.page_checks import page_comes_again
from analysis.audit.trust import Trust
from analysis.figures import draw_all
from analysis.figures.chart import Chart, ChartSeries, Mark, Panel, undrawn
from analysis.figures.rendered import figure_of
from analysis.report import drawn_figures
from analysis.report.page import write_report
from analysis.report.paper_set import README, paper_files
from analysis.runs.sealed_runs import Loaded, load
from analysis.tables.table import Tables
from tests.support.records import Plan, build_run

pytestmark = pytest.mark.reports

HOSTILE: Final = r"] \input{/etc/passwd} 100 % & _x_"
BARS: Final = Chart(
    key="toy",
    title=HOSTILE,
    caption="Bars of a toy.",
    panels=(
        Panel(
            series=(
                ChartSeries(
                    name="a",
                    kind="bar",
                    marks=(
                        Mark(x=0, y=1.0, low=0.9, high=1.2, labels=("throttled",)),
                        Mark(x=1, y=2.0),
                    ),
                ),
            ),
            categories=("7b", "13b"),
            y_label="energy [J]",
        ),
    ),
)


@pytest.fixture(autouse=True)
def one_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """One chart alone: what is drawn of others has tests of its own, and takes seconds."""
    monkeypatch.setattr(draw_all, "FIGURES", (toy,))
    monkeypatch.setattr(drawn_figures, "charts", lambda _tables: ())


def toy(loaded: Loaded, tables: Tables) -> Chart:
    del loaded
    drawn = all(row["model"] == "nano" for row in tables.runs.rows)
    return BARS if drawn else undrawn("toy", "A toy", "not nano")


def report(results: Path) -> Path:
    return write_report(load(results), pdfs=True).page.parent


def test_a_figure_is_a_pdf_for_one_and_for_two_columns_with_its_fonts(tmp_path: Path) -> None:
    build_run(tmp_path)
    folder = report(tmp_path)
    widths = {}
    for name in ("toy", "toy-column"):
        content = (folder / "figures" / f"{name}.pdf").read_bytes()
        assert content.startswith(b"%PDF-")
        assert b"/FontFile2" in content
        assert b"CreationDate" not in content
        (box,) = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ", content)
        widths[name] = float(box) / 72.0
    assert widths == {"toy": pytest.approx(8.0), "toy-column": pytest.approx(5.0)}


def test_the_set_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    build_run(tmp_path)
    written = write_report(load(tmp_path), pdfs=True)
    again = paper_files(
        written.tables, (figure_of(toy(load(tmp_path), written.tables)),), pdfs=True
    )
    for name, content in again.items():
        assert (written.page.parent / name).read_bytes() == content, name


def test_captions_are_latex_whatever_a_record_says(tmp_path: Path) -> None:
    build_run(tmp_path)
    folder = report(tmp_path)
    for path in sorted((folder / "captions").iterdir()):
        text = path.read_text("ascii")
        assert text.startswith("\\caption[{")
        # What `escaped` sets of itself is mathematics between two dollars.
        bare = re.sub(r"\\.|\$\\\w+\$", "", text)
        assert bare.count("{") == bare.count("}"), path
        assert not re.search(r"[%&#$^~]", bare), path
        assert "\\input" not in text
    told = (folder / "captions" / "figure-toy.tex").read_text()
    assert "Throttled: 1 of 2 marks." in told
    assert "random weights: 1 run" in (folder / "captions" / "table-runs.tex").read_text()


def test_the_index_names_every_figure_table_and_label(tmp_path: Path) -> None:
    build_run(tmp_path)
    written = write_report(load(tmp_path), pdfs=True)
    index = (written.page.parent / README).read_text()
    assert max(map(len, index.splitlines())) <= 80
    for table in written.tables.all():
        assert f"  {table.name}: " in index
    assert "  toy: " in index
    assert "W random weights: Nobody trained" in " ".join(index.split())
    assert "Looked for and not found: partial" in index


def test_the_audit_makes_the_set_again(tmp_path: Path) -> None:
    build_run(tmp_path)
    folder = report(tmp_path)

    def outcome() -> Outcome:
        campaign = Campaign(results=tmp_path, trust=Trust(), runs=())
        return page_comes_again(campaign).outcome

    assert outcome() is Outcome.PASSED
    for name in ("figures/toy-column.pdf", "captions/table-runs.tex", README):
        path = folder / name
        content = path.read_bytes()
        path.write_bytes(content + b"1")
        assert outcome() is Outcome.FAILED, name
        path.unlink()
        assert outcome() is Outcome.FAILED, name
        path.write_bytes(content)


def test_a_figure_that_is_drawn_no_more_leaves_no_file(tmp_path: Path) -> None:
    build_run(tmp_path)
    assert list((report(tmp_path) / "figures").iterdir())
    build_run(tmp_path, Plan(spec={"model": "micro"}))
    folder = report(tmp_path)
    assert not list((folder / "figures").iterdir())
    assert not (folder / "captions" / "figure-toy.tex").exists()
    assert "toy: A toy: not drawn, not nano" in (folder / README).read_text()


def test_without_a_word_no_pdf_is_drawn_and_none_of_before_stays(tmp_path: Path) -> None:
    build_run(tmp_path)
    folder = report(tmp_path)
    assert list((folder / "figures").glob("*.pdf"))
    write_report(load(tmp_path))
    assert not list((folder / "figures").glob("*.pdf"))
    assert "joulegrid report RESULTS --pdf" in " ".join((folder / README).read_text().split())
    campaign = Campaign(results=tmp_path, trust=Trust(), runs=())
    assert page_comes_again(campaign).outcome is Outcome.PASSED
