"""JUnit: the audit as build servers and test viewers read it.

A suite is a check, a case is what it saw in one run. What failed is a failure of its severity.
JUnit knows no more than skipped for what was not looked at: its message begins with the audit's
own word, `not applicable` or `could not be looked at`, and of a strict audit the latter is an
error, as it is of the exit code.
"""

from typing import Final
from xml.etree import ElementTree as Xml

from analysis.audit.check import Finding, Outcome
from analysis.audit.run import Audit, CheckLine
from telemetry.terminal import printable

_WHOLE: Final = "all runs"


def junit(audit: Audit, *, strict: bool) -> bytes:
    """The audit as one XML document in UTF-8; the same audit gives the same bytes.

    Args:
        audit: what was seen.
        strict: whether what could not be looked at is an error.
    """
    suites = [_suite(line, strict=strict) for line in audit.lines]
    root = Xml.Element("testsuites", {"name": printable(f"audit: {audit.verdict}")})
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.extend(suites)
    Xml.indent(root, space=" ")
    text: bytes = Xml.tostring(root, encoding="UTF-8", xml_declaration=True)
    return text + b"\n"


def _suite(line: CheckLine, *, strict: bool) -> Xml.Element:
    suite = Xml.Element("testsuite", {"name": printable(line.name)})
    properties = Xml.SubElement(suite, "properties")
    for name, value in (
        ("claim", line.claim),
        ("severity", line.severity.value),
        ("rule", line.question.rule),
        ("tolerance", line.question.tolerance),
    ):
        Xml.SubElement(properties, "property", {"name": name, "value": printable(value)})
    cases = [_case(line, run_id, finding, strict=strict) for run_id, finding in line.findings]
    suite.extend(cases)
    suite.set("tests", str(len(cases)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(tag) is not None for case in cases)))
    return suite


def _case(line: CheckLine, run_id: str, finding: Finding, *, strict: bool) -> Xml.Element:
    where = printable(run_id) or _WHOLE
    case = Xml.Element("testcase", {"classname": f"audit.{printable(line.name)}", "name": where})
    evidence = printable(finding.evidence)
    if finding.outcome is Outcome.FAILED:
        told = {"type": line.severity.value, "message": evidence}
        Xml.SubElement(case, "failure", told).text = f"{line.severity.value}: {evidence}"
    elif finding.outcome is Outcome.UNSEEN and strict:
        told = {"type": line.severity.value, "message": f"{finding.outcome.value}: {evidence}"}
        Xml.SubElement(case, "error", told).text = f"{line.severity.value}: {evidence}"
    elif finding.outcome in (Outcome.UNSEEN, Outcome.SKIPPED):
        Xml.SubElement(case, "skipped", {"message": f"{finding.outcome.value}: {evidence}"})
    else:
        Xml.SubElement(case, "system-out").text = evidence
    return case
