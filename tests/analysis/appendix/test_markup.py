"""No word of a record is markup, and what LaTeX opens it closes."""

import itertools
import re
from pathlib import Path

import pytest

from analysis.appendix.document import Appendix, Commands, Heading, Passage, Tabular
from analysis.appendix.markdown import markdown
from analysis.appendix.tex import latex
from tests.analysis.appendix.conftest import Write, Written

HOSTILE = r"<b>x</b> | [a](http://b) `c` *d* \input{e} $f$ 50% #g & h_i ^j ~k {l} \end{document} ä™"


def hostile(write: Write) -> Written:
    return write(
        provenance={
            "command": [HOSTILE, "```"],
            "python": HOSTILE,
            "git": {"commit": HOSTILE},
            "packages": {"torch": HOSTILE},
        },
        gpu={"name": HOSTILE, "vbios": HOSTILE + "\x1b[2J\n| new | row |"},
    )


def cells(line: str) -> int:
    return len(re.split(r"(?<!\\)\|", line)) - 2


def test_words_of_a_record_are_no_markdown(write: Write) -> None:
    for document in hostile(write).values():
        text = markdown(document)
        assert "\x1b" not in text
        outside = re.sub(r"^(`{3,})sh\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
        assert not re.search(r"(?<!\\)<", outside)
        assert not re.search(r"(?<!\\)\[", outside)
        lines = outside.splitlines()
        for before, line in itertools.pairwise(lines):
            if before.startswith("|") and line.startswith("|"):
                assert cells(before) == cells(line)


def test_a_fence_holds_whatever_a_command_has() -> None:
    block = Commands(lines=("echo ````",))
    document = Appendix(name="x", title="x", warnings=(), blocks=(block,))
    assert markdown(document).splitlines()[2:] == ["`````sh", "echo ````", "`````"]


@pytest.mark.parametrize("text", ["- a", "1. a", "+ a", "# a", "> a", "---", "===", "| a"])
def test_a_paragraph_is_never_a_list_or_a_heading(text: str) -> None:
    document = Appendix(name="x", title="x", warnings=(), blocks=(Passage(text=text),))
    told = markdown(document).splitlines()[2]
    assert told != text
    assert told.replace("\\", "") == text


def balanced(text: str) -> None:
    """Braces and environments are closed in their order, and nothing special stands bare."""
    bare = re.sub(r"^%.*$", "", text, flags=re.MULTILINE)
    depth = 0
    for piece in re.findall(r"\\.|[{}]", bare):
        depth += {"{": 1, "}": -1}.get(piece, 0)
        assert depth >= 0
    assert depth == 0
    stack: list[str] = []
    for verb, name in re.findall(r"\\(begin|end)\{(\w+)\}", bare):
        if verb == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    words = re.sub(r"\\[A-Za-z]+|\\.", "", bare)
    words = re.sub(r"\$[^$]*\$", "", words)
    assert not set(words) & set('#%_^$"')
    assert text.isascii()


def test_latex_is_balanced_and_escaped(write: Write, of_measured: Written) -> None:
    for document in [*hostile(write).values(), *of_measured.values()]:
        text = latex(document)
        balanced(text)
        assert r"\input" not in text
        assert r"\end{document}" not in text


def test_each_row_of_latex_has_its_cells(of_measured: Written) -> None:
    for document in of_measured.values():
        for table in re.findall(
            r"\\begin\{longtable\}.*?\\end\{longtable\}", latex(document), re.DOTALL
        ):
            columns = table.splitlines()[0].count(r"\linewidth")
            rows = [line for line in table.splitlines() if line.endswith(r"\tabularnewline")]
            assert all(len(re.findall(r"(?<!\\)&", row)) == columns - 1 for row in rows)


def test_both_forms_say_the_same(of_measured: Written) -> None:
    for document in of_measured.values():
        for block in document.blocks:
            if isinstance(block, Heading):
                assert block.text in markdown(document).replace("\\", "")
                assert block.text.replace("/", "") in latex(document).replace("/", "")


def test_a_row_with_a_cell_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="`rows` must have 1 cells"):
        Tabular(head=("a",), rows=(("b", "c"),))


def test_equal_records_give_equal_bytes(measured: Path, of_measured: Written) -> None:
    from tests.analysis.appendix.conftest import appendices  # noqa: PLC0415

    again = appendices(measured)
    assert {name: latex(one) for name, one in again.items()} == {
        name: latex(one) for name, one in of_measured.items()
    }
