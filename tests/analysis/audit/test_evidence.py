"""What a record stands on is told in a paragraph, and no more than stands."""

from analysis.audit.check import (
    Finding,
    Outcome,
    Question,
    Severity,
    failed,
    passed,
    skipped,
    unseen,
)
from analysis.audit.evidence import KINDS, Evidence
from analysis.audit.run import CheckLine


def line(name: str, *findings: Finding) -> CheckLine:
    told = tuple((f"run-{number}", finding) for number, finding in enumerate(findings))
    question = Question(
        name=name,
        claim="it holds",
        severity=Severity.WRONG,
        rule="it is held",
        tolerance="none",
        reason="it is there",
        rules_out="that it is not",
    )
    return CheckLine(question=question, findings=told)


SEAL = line("seal", passed("9 files"))


def test_a_seal_alone_has_no_author() -> None:
    evidence = Evidence.of([SEAL, line("signature", skipped("none"))])
    assert evidence.verdict == "consistent, author unknown"
    assert evidence.paragraph == (
        "Evidence: consistent, author unknown. It stands on the seal, which rules out a slip, a "
        "broken disk and a change by somebody without the code. That leaves the folder's owner, "
        "who can seal again. Lacking: the signature."
    )


def test_a_signature_by_somebody_allowed_has_an_author() -> None:
    evidence = Evidence.of([SEAL, line("signature", passed("signed by jo"))])
    assert evidence.verdict == "consistent, author known"
    assert (
        "the signature (signed by jo), which rules out everybody but the key's holder"
        in evidence.paragraph
    )


def test_a_signature_that_nobody_could_look_up_is_not_told_to_stand() -> None:
    evidence = Evidence.of([SEAL, line("signature", unseen("signed by K"))])
    assert evidence.verdict == "consistent, signed, but by whom is not known here"
    assert "Not known to stand: the signature (signed by K)." in evidence.paragraph
    assert "rules out everybody" not in evidence.paragraph


def test_a_record_that_failed_elsewhere_is_not_consistent() -> None:
    evidence = Evidence.of([SEAL, line("power", failed("900 W"))])
    assert evidence.verdict == "not consistent, as checks failed"


def test_what_is_broken_is_told_as_broken() -> None:
    evidence = Evidence.of([SEAL, line("signature", failed("of another"))])
    assert "Broken: the signature (of another)." in evidence.paragraph


def test_what_stands_of_some_runs_is_no_evidence_for_the_others() -> None:
    evidence = Evidence.of([SEAL, line("chain", passed("9 parts"), skipped("no chain"))])
    chain = evidence.standings[1]
    assert chain.outcome is Outcome.UNSEEN
    assert "not applicable to 1" in chain.told


def test_a_kind_that_was_not_asked_about_is_left_out() -> None:
    evidence = Evidence.of([SEAL])
    assert [one.kind.name for one in evidence.standings] == ["seal"]


def test_its_json_form_tells_what_is_ruled_out_only_where_it_stands() -> None:
    kinds = Evidence.of([SEAL, line("lodged", skipped("none"))]).to_mapping()["kinds"]
    assert [(one["name"], one["rules_out"] is not None) for one in kinds] == [
        ("seal", True),
        ("root", False),
    ]


def test_no_check_decides_on_two_kinds() -> None:
    names = [name for one in KINDS for name in one.checks]
    assert len(names) == len(set(names))
