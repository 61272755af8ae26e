"""The page: whole, offline, escaped, the same twice."""

import html
import re
import xml.etree.ElementTree
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.audit.__main__ import main as audit
from analysis.energy.power_trace import MOST_POINTS, thinned
from analysis.report import page as page_module
from analysis.report.formatting import measured_text, number_text
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from telemetry.record.files import read_json, write_json
from tests.support.records import Plan, build_run, reseal
from tests.support.told import complaints

pytestmark = pytest.mark.reports

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"


class Tags(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def page_of(results: Path) -> str:
    return write_report(load(results)).page.read_text(encoding="utf-8")


def tags(page: str) -> Iterator[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(page)
    return iter(parser.found)


def test_the_page_loads_nothing_from_anywhere(tmp_path: Path) -> None:
    build_run(tmp_path)
    page = page_of(tmp_path)
    for tag, attributes in tags(page):
        assert tag not in ("link", "iframe", "img", "object", "embed", "base")
        for name in ("src", "href", "xlink:href", "action"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    outside = set(re.findall(r"https?://[^\s\"'<)]+", page))
    assert outside <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "@import" not in page


def test_hostile_strings_of_the_record_are_text_on_the_page(tmp_path: Path) -> None:
    run = build_run(
        tmp_path,
        Plan(
            provenance={
                "user": HOSTILE,
                "command": [HOSTILE],
                "packages": {HOSTILE: HOSTILE},
                "git": {"commit": HOSTILE, "dirty": True},
            },
            hosts={"platform": {"cpu_model": HOSTILE}},
            gpu={"name": HOSTILE, "driver": HOSTILE, "kind": None},
        ),
    )
    dead = build_run(tmp_path, Plan(spec={"repeat": 1}, end="failed"))
    end = dead.attempt(1).ended
    write_json(end, {**read_json(end), "reason": HOSTILE})
    audit([str(run.results)])
    page = page_of(tmp_path)
    assert "alert(1)" in page
    found = list(tags(page))
    scripts = [attributes.get("type") for tag, attributes in found if tag == "script"]
    # One that runs; what the others hold is packed, and inert.
    assert scripts.count(None) == 1
    assert set(scripts) == {None, "text/plain", "application/json"}
    assert not any(tag == "img" for tag, _ in found)
    assert not any("onerror" in attributes for _, attributes in found)


def test_the_same_runs_give_the_same_bytes_twice(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(spec={"gpus": 2}))
    one, two = (write_report(load(tmp_path), tmp_path / name).page for name in ("one", "two"))
    files = [path.relative_to(one.parent) for path in one.parent.rglob("*") if path.is_file()]
    assert len(files) > 10
    for name in files:
        assert (one.parent / name).read_bytes() == (two.parent / name).read_bytes(), name


def test_a_simulated_run_carries_the_banner_and_a_watermark_in_every_figure(
    tmp_path: Path,
) -> None:
    build_run(tmp_path)
    written = write_report(load(tmp_path))
    assert 'id="banner"' in written.page.read_text()
    drawn = [figure for figure in written.figures if figure.svg is not None]
    assert len(drawn) >= 4
    assert all(figure.simulated and ">SIMULATED<" in (figure.svg or "") for figure in drawn)


def test_a_measured_run_carries_no_banner(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(spec={"gpu": "a100"}))
    page = page_of(tmp_path)
    assert 'id="banner"' not in page
    assert "SIMULATED" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_measured_and_simulated_energies_stand_in_different_sentences(tmp_path: Path) -> None:
    build_run(tmp_path)
    build_run(tmp_path, Plan(spec={"gpu": "a100"}))
    leads = re.findall(r'<p class="lead">(.*?)</p>', page_of(tmp_path))
    (measured,) = [lead for lead in leads if lead.startswith("Measured:")]
    (simulated,) = [lead for lead in leads if lead.startswith("Simulated, not measured:")]
    assert "simulated-a100" not in measured
    assert "simulated-a100" in simulated


def test_a_figure_without_data_says_why_instead_of_being_empty(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(sample=lambda row: None if row["field"] != "none" else row))
    written = write_report(load(tmp_path))
    page = written.page.read_text()
    for figure in written.figures:
        if figure.key != "throughput":
            assert figure.svg is None
            assert f"is not drawn: {figure.reason}." in html.unescape(page)
            assert not (written.page.parent / "figures" / f"{figure.key}.svg").exists()


def test_what_is_missing_is_on_the_page_with_its_reason(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(idle=False, counter=False))
    page = page_of(tmp_path)
    assert "the run has no idle phase" in page
    assert "no polled counter: " in page


def audited(results: Path, **changes: object) -> None:
    """Audit, and make of the audit that lies there what a test needs."""
    audit([str(results)])
    path = results / "report" / "audit.json"
    content = read_json(path)
    for check in content["checks"]:
        check["outcome"] = "not applicable" if check["outcome"] != "passed" else "passed"
    write_json(path, {**content, "passed": True, "counts": {}, "runs_with_changes": 0, **changes})


def verdict_of(page: str) -> tuple[str, str]:
    """Style and words of the page's line about the audit."""
    found = re.search(r'<p class="verdict([^"]*)"><a href="#audit">([^<]*)</a>', page)
    assert found is not None
    return found[1].strip(), found[2]


def test_the_verdict_has_the_three_counts_and_is_green_when_nothing_is_left_open(
    tmp_path: Path,
) -> None:
    build_run(tmp_path)
    audited(tmp_path)
    style, text = verdict_of(page_of(tmp_path))
    assert style == "good"
    assert re.search(r"none failed, \d+ not applicable, 0 could not be looked at", text)


@pytest.mark.parametrize("outcome", ["could not be looked at", "failed"])
def test_a_check_that_failed_or_could_not_be_looked_at_is_never_green(
    tmp_path: Path, outcome: str
) -> None:
    build_run(tmp_path)
    audited(tmp_path)
    path = tmp_path / "report" / "audit.json"
    content = read_json(path)
    content["checks"][3]["outcome"] = outcome
    write_json(path, content)
    style, text = verdict_of(page_of(tmp_path))
    assert style == "bad"
    assert f"1 {outcome}" in text


def test_an_audit_of_an_older_version_says_so_and_is_not_green(tmp_path: Path) -> None:
    build_run(tmp_path)
    audited(tmp_path, counts=None)
    style, text = verdict_of(page_of(tmp_path))
    assert style == "bad"
    assert "older version" in text


def test_runs_from_code_with_changes_stand_in_the_verdict(tmp_path: Path) -> None:
    build_run(tmp_path)
    audited(tmp_path, runs_with_changes=1)
    assert "1 of 1 run from code with uncommitted changes" in verdict_of(page_of(tmp_path))[1]


def test_an_audit_is_of_the_bytes_that_lie_there_or_counts_for_nothing(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(spec={"repeat": 1}))
    run = build_run(tmp_path)
    audited(tmp_path)
    shard = next(run.attempt(1).shards("samples").rglob("*.parquet"))
    data = shard.read_bytes()
    shard.write_bytes(data + b" ")
    style, text = verdict_of(page_of(tmp_path))
    assert (style, text) == ("bad", "Not audited: 1 run is not as sealed.")
    # The audit that saw the changed file says nothing of the whole one.
    audit([str(tmp_path)])
    shard.write_bytes(data)
    style, text = verdict_of(page_of(tmp_path))
    assert (style, text) == ("bad", "Not audited: the last audit was of other files. Audit again.")


def test_an_audit_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    build_run(tmp_path)
    audited(tmp_path, checks="all")
    assert verdict_of(page_of(tmp_path)) == (
        "",
        "Not audited: audit.json cannot be read. Audit again.",
    )


def test_an_audit_of_other_seals_is_not_shown_as_valid(tmp_path: Path) -> None:
    build_run(tmp_path)
    audited(tmp_path)
    assert verdict_of(page_of(tmp_path))[0] == "good"
    build_run(tmp_path, Plan(spec={"repeat": 1}))
    style, text = verdict_of(page_of(tmp_path))
    assert (style, text) == ("bad", "Not audited: the last audit was of other files. Audit again.")


def test_ids_of_different_figures_do_not_clash(tmp_path: Path) -> None:
    build_run(tmp_path)
    ids = [attributes["id"] for _, attributes in tags(page_of(tmp_path)) if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_a_figures_file_stands_on_white_by_itself(tmp_path: Path) -> None:
    build_run(tmp_path)
    write_report(load(tmp_path))
    svg = (tmp_path / "report" / "figures" / "energy-per-token.svg").read_text()
    assert svg.startswith("<svg")
    assert 'xmlns="http://www.w3.org/2000/svg"' in svg
    assert "currentColor" not in svg
    assert 'fill="#ffffff"' in svg
    xml.etree.ElementTree.fromstring(svg)  # noqa: S314 - the file was just written here


def test_what_is_the_same_in_every_row_takes_no_column_and_stands_above_the_table(
    tmp_path: Path,
) -> None:
    build_run(tmp_path)
    single = page_of(tmp_path)
    build_run(tmp_path, Plan(spec={"batch_size": 1}))
    page = page_of(tmp_path)
    results = page[page.index('id="results"') : page.index('id="figures"')]
    headers = re.findall(r'<button type="button" title="(\w+):', results)
    assert "batch_size" in headers
    assert "dataset" not in headers
    assert "dataset <b>gsm8k-sample</b>" in results
    assert '<span class="sim">simulated</span>' in results
    assert "The same in every row" not in single[: single.index('id="figures"')]


def test_a_phase_too_short_is_written_as_not_attributable_with_the_reason_at_hand(
    tmp_path: Path,
) -> None:
    build_run(tmp_path, Plan(prefill_s=0.1))
    page = page_of(tmp_path)
    assert re.search(r'title="not attributable: 2 spans[^"]*">not attributable</td>', page)
    assert "<code>prefill_energy_j</code>, 1 of 1 runs: not attributable: spans are mostly" in page


def test_models_stand_in_the_order_of_their_size(tmp_path: Path) -> None:
    for model in ("65b", "micro", "7b", "nano", "13b"):
        build_run(tmp_path, Plan(spec={"model": model}))
    tables = write_report(load(tmp_path)).tables
    for table in (tables.groups, tables.runs):
        assert [row["model"] for row in table.rows] == ["nano", "micro", "7b", "13b", "65b"]


def test_more_gpus_than_a_node_holds_are_drawn_as_a_band(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(spec={"gpus": 16, "gpus_per_node": 8}))
    written = write_report(load(tmp_path))
    (figure,) = [figure for figure in written.figures if figure.key == "power-over-time"]
    assert "mean of 16 GPUs" in figure.caption
    assert "SIM-a100" not in (figure.svg or "")


def test_a_run_without_energy_says_so_at_the_top_and_measured_ones_name_the_boards_gain(
    tmp_path: Path,
) -> None:
    build_run(tmp_path / "bare", Plan(sample=lambda row: None if row["value"] else row))
    assert re.search(r'class="lead">1 run without an energy: ', page_of(tmp_path / "bare"))
    build_run(tmp_path / "real", Plan(spec={"gpu": "a100"}))
    assert "own gain may be off by 5%" in page_of(tmp_path / "real")


def test_a_long_series_is_thinned_without_losing_its_peak() -> None:
    value = np.zeros(50_000)
    value[31_337] = 900.0
    t_us, thin = thinned(np.arange(50_000, dtype=np.int64), value, MOST_POINTS)
    assert len(thin) < 1300
    assert thin.max() == 900.0
    assert t_us[int(thin.argmax())] == 31_337


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.25021, "0.2502"), (43050.2, "43\u202f050"), (1e-5, "1.000e-05")],
)
def test_numbers_are_short_and_thousands_are_apart(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("value", "width", "text"),
    [
        (3.8512, 0.0714, "3.851 ± 0.071"),
        (860.0, 16.33, "860 ± 16"),
        (43050.2, 1633.0, "43\u202f050 ± 1\u202f633"),
        (0.25021, 0.0, "0.2502"),
    ],
)
def test_a_number_ends_where_its_uncertainty_does(value: float, width: float, text: str) -> None:
    assert measured_text(value, width) == text


def test_the_command_prints_the_table_in_a_hundred_columns_and_what_is_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path)
    assert main([str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "J/token" in printed
    assert "no measurement of a GPU" in printed
    assert f"python -m analysis.audit {tmp_path}" in printed
    table = [line for line in printed.splitlines() if str(tmp_path) not in line]
    assert max(len(line) for line in table) <= 100


@pytest.mark.parametrize(
    "part", [{"notes": 5}, {"hosts": [1]}, {"hosts": {"node0": {"gpus": 7}}}, {"coverage": None}]
)
def test_a_run_with_a_damaged_manifest_is_named_on_the_page_of_the_others(
    tmp_path: Path, part: dict[str, object]
) -> None:
    build_run(tmp_path)
    bad = build_run(tmp_path, Plan(spec={"repeat": 1}))
    write_json(bad.attempt(1).manifest, {**read_json(bad.attempt(1).manifest), **part})
    reseal(bad)
    written = write_report(load(tmp_path))
    (other,) = written.tables.not_counted.rows
    assert other["run_id"] == bad.run_id
    assert f"`{next(iter(part))}` of the manifest must be" in str(other["reason"])


def test_nothing_to_report_is_one_line_and_a_missing_folder_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path, Plan(end="failed"))
    assert main([str(tmp_path)]) == 3
    assert main([str(tmp_path / "nowhere")]) == 2
    lines = complaints(capsys.readouterr().err)
    assert len(lines) == 2
    assert all(line.startswith("analysis: ") for line in lines)


def test_the_key_numbers_stand_before_labels_and_settings_of_the_launch(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(spec={"gpus": 1}))
    build_run(tmp_path, Plan(spec={"gpus": 2}, launch={"idle_s": 9.0}))
    page = page_of(tmp_path)
    table = page[page.index('id="table-groups"') :].partition("</thead>")[0]
    names = re.findall(r'data-name="([a-z_0-9]+)"', table)
    assert names.index("gpus") < names.index("energy_per_token_j_mean") < names.index("idle_s")


def test_a_page_that_would_be_too_large_leaves_out_power_of_single_runs_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in (1, 4):
        build_run(tmp_path, Plan(spec={"batch_size": size}))
    whole = write_report(load(tmp_path)).page.read_bytes()
    assert b"Left out of this page" not in whole
    # The sentences on it may take as much as the traces of two runs of a second.
    monkeypatch.setattr(page_module, "_SENTENCES", 0)
    monkeypatch.setattr(page_module, "PAGE_BYTES", len(whole) - 3_000)
    short = write_report(load(tmp_path)).page.read_text()
    assert "Left out of this page: nor are the rows of each GPU" in short
    assert short.count("data-trace") < whole.decode().count("data-trace")
