"""The verdict in each of its forms: terminal, JSON, JUnit XML and one page, with severities."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from analysis.audit import reference
from analysis.audit.__main__ import main
from analysis.audit.check import Outcome, Severity
from analysis.audit.junit import junit
from analysis.audit.registry import CHECKS, FOLDER_CHECKS
from analysis.audit.run import audit_folder
from analysis.audit.verdict_page import verdict_page
from telemetry.command import ExitCode
from telemetry.record.files import read_json
from telemetry.record.paths import RunPaths
from tests.analysis.audit.forging import edit
from tests.analysis.audit.test_hostile import reseal_as_it_is
from tests.conftest import REPOSITORY
from tests.support.records import Plan, build_run, reseal
from tests.support.told import unwrapped

HOSTILE = "\x1b[2J\u202e<script>alert(1)</script>&\x00\ufffe]]>"
EVERY = [*CHECKS, *FOLDER_CHECKS]


def parsed(xml: bytes | str) -> Xml.Element:
    return Xml.fromstring(xml)  # noqa: S314 - written by the test's own audit


def shorten_the_window(run: RunPaths) -> None:
    """One check that weighs `weak`, and one that weighs `wrong`."""
    edit(run.attempt(1).launch, lambda launch: launch.update(min_window_s=3600.0))
    reseal(run)


def hostile_run(results: Path) -> RunPaths:
    run = build_run(results)
    edit(run.attempt(1).ended, lambda ended: ended.update(state=HOSTILE))
    reseal_as_it_is(run)
    return run


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.name)
def test_every_check_says_what_it_holds_against_what_and_what_it_is_worth(check: Any) -> None:
    for name in ("name", "claim", "rule", "tolerance", "reason", "rules_out"):
        assert getattr(check, name).strip(), name
    assert check.severity in Severity


def test_the_page_of_the_audit_has_the_table_of_all_checks_as_they_are() -> None:
    page = (REPOSITORY / "docs" / "audit.md").read_text()
    assert reference.with_table(page) == page


def test_the_table_is_written_into_a_page_and_nothing_else_of_it_changes(tmp_path: Path) -> None:
    page = tmp_path / "audit.md"
    page.write_text(f"before\n{reference.BEGIN}\nstale\n{reference.END}\nafter\n")
    assert reference.main([str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "stale" not in text
    assert "| `seal` | " in text


def test_what_failed_stands_with_its_severity_in_verdict_terminal_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shorten_the_window(build_run(tmp_path))
    assert main([str(tmp_path)]) == ExitCode.FAILED
    out = unwrapped(capsys.readouterr().out)
    written = read_json(tmp_path / "report" / "audit.json")
    failed = {
        check["name"]: check["severity"]
        for check in written["checks"]
        if check["outcome"] == "failed"
    }
    assert failed["window"] == "weak"
    kinds = {one: list(failed.values()).count(one) for one in ("wrong", "weak", "unknown")}
    assert written["failed_by_severity"] == kinds
    told = ", ".join(f"{count} {one}" for one, count in kinds.items() if count)
    assert f"{len(failed)} failed ({told})" in written["verdict"]
    assert written["verdict"] in out
    assert "weak: numbers may hold, but the evidence is thinner than it is said to be" in out
    assert re.search(r"\[ \] the window is as long as asked for: .* \(weak\)", out)


def test_junit_counts_what_the_audit_found_and_tells_skipped_from_unseen(tmp_path: Path) -> None:
    shorten_the_window(build_run(tmp_path))
    build_run(tmp_path, Plan(spec={"seed": 2}, steps=False))
    audit = audit_folder(tmp_path)
    every = [finding.outcome for line in audit.lines for _, finding in line.findings]
    for strict in (False, True):
        root = parsed(junit(audit, strict=strict))
        assert root.tag == "testsuites"
        cases = root.findall("testsuite/testcase")
        assert len(cases) == len(every) == int(root.get("tests", ""))
        assert len(root.findall(".//failure")) == every.count(Outcome.FAILED)
        assert int(root.get("failures", "")) == every.count(Outcome.FAILED)
        assert int(root.get("errors", "")) == strict * every.count(Outcome.UNSEEN)
        skipped = [one.get("message", "") for one in root.findall(".//skipped")]
        unseen = sum(one.startswith("could not be looked at: ") for one in skipped)
        assert unseen == (0 if strict else every.count(Outcome.UNSEEN))
        plain = sum(one.startswith("not applicable: ") for one in skipped)
        assert plain == every.count(Outcome.SKIPPED) == len(skipped) - unseen
        for suite in root.findall("testsuite"):
            severity = suite.find("properties/property[@name='severity']")
            assert severity is not None
            assert severity.get("value") in set(Severity)
    root = parsed(junit(audit, strict=True))
    (window,) = root.findall("testsuite[@name='window']//failure")
    assert window.get("type") == "weak"


def test_nothing_of_a_hostile_record_gets_into_junit_or_the_page_unescaped(tmp_path: Path) -> None:
    hostile_run(tmp_path)
    audit = audit_folder(tmp_path)
    xml, page = junit(audit, strict=True).decode(), verdict_page(audit)
    for text in (xml, page):
        assert all(one.isprintable() or one == "\n" for one in text)
        assert "<script" not in text
        assert "\\x1b[2J\\u202e&lt;script&gt;" in text
    root = parsed(xml)
    told = [one.get("message", "") for one in root.findall(".//failure")]
    assert any("<script>alert(1)</script>&\\x00\\ufffe]]>" in one for one in told)


def test_the_page_asks_nothing_of_a_network_and_says_all_without_colour(tmp_path: Path) -> None:
    shorten_the_window(build_run(tmp_path))
    build_run(tmp_path, Plan(spec={"seed": 2}, steps=False))
    audit = audit_folder(tmp_path)
    page = verdict_page(audit)
    assert page == verdict_page(audit)
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href|action)\s*=|url\(|@import|<script|<link|<img", page)
    assert audit.verdict in page
    row = page[page.index("(window)") - 300 : page.index("(window)")]
    assert ">[ ]</span> failed" in row
    assert "<td>weak</td>" in row
    assert "could not be looked at" in page
    assert page.count('<li class="') == len(audit.lines)


@pytest.mark.parametrize("attempt", [False, True])
def test_of_one_run_or_attempt_alone_the_files_asked_for_are_written_and_no_other(
    tmp_path: Path, attempt: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    results, out = tmp_path / "results", tmp_path / "out"
    results.mkdir()
    out.mkdir()
    run = build_run(results)
    before = sorted(path for path in results.rglob("*"))
    folder = run.attempt(1).folder if attempt else run.folder
    words = ["--junit", str(out / "audit.xml"), "--html", str(out / "verdict.html")]
    assert main([str(folder), *words]) == ExitCode.DONE
    assert sorted(path for path in results.rglob("*")) == before
    assert sorted(path.name for path in out.iterdir()) == ["audit.xml", "verdict.html"]
    root = parsed((out / "audit.xml").read_bytes())
    assert root.get("failures") == "0"
    assert {case.get("name") for case in root.iter("testcase")} == {run.run_id}
    assert "checks of 1 sealed run: none failed" in (out / "verdict.html").read_text()
    assert f"wrote {out / 'audit.xml'}" in capsys.readouterr().out


def test_of_a_results_folder_the_page_stands_beside_the_findings(tmp_path: Path) -> None:
    build_run(tmp_path)
    assert main([str(tmp_path)]) == ExitCode.DONE
    page = (tmp_path / "report" / "audit.html").read_text()
    assert read_json(tmp_path / "report" / "audit.json")["verdict"] in page


@pytest.mark.parametrize("flag", ["--junit", "--html"])
@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("{run}/audit.xml", "must not lie in a run's record"),
        ("{run}/attempt-001/audit.xml", "must not lie in a run's record"),
        ("{results}", "must be a file, but"),
        ("{results}/nowhere/audit.xml", "must be a file in a folder, but"),
    ],
)
def test_a_file_that_cannot_be_written_there_is_refused_before_anything_is_looked_at(
    tmp_path: Path, flag: str, where: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path)
    named = where.format(run=run.folder, results=tmp_path)
    assert main([str(tmp_path), flag, named]) == ExitCode.BAD_INPUT
    assert f"`{flag}` {fault}" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def test_one_file_for_both_forms_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path / "results")
    both = str(tmp_path / "audit")
    words = [str(tmp_path / "results"), "--junit", both, "--html", both]
    assert main(words) == ExitCode.BAD_INPUT
    assert "`--junit` and `--html` must be two files" in capsys.readouterr().err


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.name)
def test_each_check_is_explained_with_all_that_the_table_has(
    check: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--explain", check.name]) == ExitCode.DONE
    out = unwrapped(capsys.readouterr().out)
    assert out.startswith(f"{check.name}: {check.claim}")
    assert f"severity: {check.severity.value}" in out
    for text in (check.rule, check.tolerance, check.reason, check.rules_out):
        assert unwrapped(text) in out
    assert f"looked at in: {check.look.__module__.replace('.', '/')}.py" in out
    assert "next: python -m analysis.audit RESULTS" in out


def test_a_check_that_there_is_not_is_told_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--explain", "power-integrel"]) == ExitCode.BAD_INPUT
    said = capsys.readouterr().err
    assert "`--explain` must be one of" in said
    assert "did you mean power-integral?" in said


def test_without_a_folder_and_a_check_there_is_nothing_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == ExitCode.BAD_INPUT
    assert "required: results" in capsys.readouterr().err
