"""The way from sealed runs to an audited page ends, and begins anew only with another seal."""

from pathlib import Path

from telemetry.record.files import write_json
from telemetry.record.paths import report_folder
from telemetry.record.way_on import AUDIT, PAGE, REPORT, WayOn, audit_digest, seals_digest
from tests.support.records import Plan, build_run


def report(results: Path) -> None:
    folder = report_folder(results)
    folder.mkdir(exist_ok=True)
    (folder / PAGE).write_text("page")
    content = {"seals_sha256": seals_digest(results), "audit_sha256": audit_digest(results)}
    write_json(folder / REPORT, content)


def audit(results: Path) -> None:
    report_folder(results).mkdir(exist_ok=True)
    content = {"seals_sha256": seals_digest(results), "counts": {}}
    write_json(report_folder(results) / AUDIT, content)


def test_of_nothing_sealed_nothing_comes_next(tmp_path: Path) -> None:
    way = WayOn.of(tmp_path)
    assert (way.sealed, way.next) == (False, None)
    run = build_run(tmp_path)
    run.attempt(1).seal.unlink()
    assert WayOn.of(tmp_path).next is None


def test_report_then_audit_then_the_end(tmp_path: Path) -> None:
    results = tmp_path / "it's here"
    build_run(results)
    assert WayOn.of(results).next == f"""python -m analysis '{tmp_path}/it'"'"'s here'"""
    report(results)
    assert str(WayOn.of(results).next).startswith("python -m analysis.audit '")
    audit(results)
    way = WayOn.of(results)
    assert (way.next, way.shown, way.page) == (None, False, results / "report" / "index.html")
    report(results)
    assert WayOn.of(results).shown


def test_audit_first_comes_to_the_same_end(tmp_path: Path) -> None:
    build_run(tmp_path)
    audit(tmp_path)
    assert str(WayOn.of(tmp_path).next).startswith("python -m analysis ")
    report(tmp_path)
    way = WayOn.of(tmp_path)
    assert (way.next, way.shown) == (None, True)


def test_another_sealed_run_makes_both_old(tmp_path: Path) -> None:
    build_run(tmp_path)
    report(tmp_path)
    audit(tmp_path)
    build_run(tmp_path, Plan(spec={"repeat": 1}))
    way = WayOn.of(tmp_path)
    assert (way.reported, way.audited, way.shown) == (False, False, False)


def test_what_cannot_be_read_is_not_done(tmp_path: Path) -> None:
    build_run(tmp_path)
    report(tmp_path)
    audit(tmp_path)
    (report_folder(tmp_path) / REPORT).write_text("[")
    (report_folder(tmp_path) / AUDIT).write_text("{}")
    way = WayOn.of(tmp_path)
    assert (way.reported, way.audited) == (False, False)
