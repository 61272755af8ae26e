"""A check is added by one file and one registration, and appears wherever checks do."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.audit.__main__ import main
from analysis.audit.registry import CHECKS, FOLDER_CHECKS
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from telemetry.record.files import read_json
from tests.support.records import Plan, build_run

TOY_CHECK = '''
from analysis.audit.check import Case, Check, Finding, Severity, judged


def prompts_even(case: Case) -> Finding:
    """A run answers an even number of prompts."""
    prompts = case.run.spec.prompts
    return judged([f"{prompts} prompts"] if prompts % 2 else [], f"{prompts} prompts, in pairs")


EVEN = Check(
    name="even",
    claim="prompts come in pairs",
    severity=Severity.WEAK,
    rule="the spec's number of prompts is even",
    tolerance="none",
    reason="a number is even or it is not",
    rules_out="a prompt without its pair",
    look=prompts_even,
)
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One file, and one registration."""
    (tmp_path / "toy_checks.py").write_text(TOY_CHECK)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "toy_checks", raising=False)
    module = importlib.import_module("toy_checks")
    CHECKS.append(module.EVEN)
    yield
    CHECKS.remove(module.EVEN)


def test_a_new_check_is_printed_written_and_shown(
    tmp_path: Path, toy: None, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    build_run(results)
    assert main([str(results)]) == 0
    assert "[x] prompts come in pairs: 4 prompts, in pairs" in capsys.readouterr().out
    written = read_json(results / "report" / "audit.json")["checks"]
    (check,) = [check for check in written if check["name"] == "even"]
    assert (check["outcome"], check["evidence"]) == ("passed", "4 prompts, in pairs")
    write_report(load(results))
    page = (results / "report" / "index.html").read_text()
    assert "prompts come in pairs" in page
    assert "4 prompts, in pairs" in page


def test_a_new_check_that_fails_fails_the_audit(
    tmp_path: Path, toy: None, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    build_run(results, Plan(spec={"prompts": 3}))
    assert main([str(results)]) == 1
    assert "[ ] prompts come in pairs: 3 prompts" in capsys.readouterr().out


def test_no_two_checks_have_one_name() -> None:
    names = [check.name for check in (*CHECKS, *FOLDER_CHECKS)]
    assert len(set(names)) == len(names)
