r"""Tables in LaTeX: what TeX needs holds, and what the record says cannot break it.

No TeX is installed here: a small reader holds the grammar that an `\input` of them must keep.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from analysis.energy.uncertain import Uncertain
from analysis.report.latex import escaped, latex, write_latex
from analysis.runs.sealed_runs import load
from analysis.tables.column import ColumnsOf
from analysis.tables.table import Table, TableKind
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run

_PIECE: Final = re.compile(r"\\[A-Za-z]+\*?|\\.|[{}$&#%_^~]|[^\\{}$&#%_^~]+", re.DOTALL)
# What booktabs, longtable and LaTeX's kernel have, and what the files may use of it.
_COMMANDS: Final = {
    *("begin", "end", "toprule", "midrule", "bottomrule", "endhead", "endfoot", "noindent", "par"),
    *("medskip", "footnotesize", "setlength", "tabcolsep", "linewidth", "emph", "allowbreak"),
    "textsuperscript",
    *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar"),
    *("textasciigrave", "ldots", "pm", "times", "cdot", "circ", "leq", "geq", "mu", "rightarrow"),
    *("u", "r", "H", "v", "c"),
}
HOSTILE: Final = (
    "\\input{/etc/passwd}",
    "a & b \\\\ c",
    "100 % {of} $it$ #1 ~ ^ _x_",
    "[3pt] after the row before",
    "* starred",
    "]} \\end{tabular}",
    "é ü Ł 中 \u202e ligatures -- --- '' ,, <<>>",
    "\\",
    "`q` \"q\" 'q' |x|",
)

_OF: Final = ColumnsOf[dict[str, Any]]()
KIND: Final = TableKind(
    name="toy",
    title="Toys 100 % & more",
    columns=(
        _OF.text("words", "who & what", "Words.", lambda one: one["words"]),
        _OF.count("rank", "rank", "A count.", lambda one: one.get("rank", 1)),
        *_OF.uncertain("energy_j", "energy", "J", "Energy.", lambda one: one["energy"]),
        _OF.share("part", "part", "A share.", lambda one: one.get("part")),
        _OF.number("t_c", "warm", "degC", "Warmth.", lambda one: one.get("t_c")),
    ),
    of_results=lambda _: [],
)


def table_of(*rows: dict[str, Any]) -> Table:
    energy = Uncertain.of(1234.5678, 1.24)
    return KIND.table([{"energy": energy, **row} for row in rows])


def require_nesting(pieces: Sequence[str]) -> None:
    """Braces and environments close what they opened, and no cell ends within braces."""
    stack: list[str] = []
    for number, piece in enumerate(pieces):
        match piece:
            case "{":
                stack.append("{")
            case "}":
                assert stack.pop() == "{"
            case "\\begin":
                stack.append(pieces[number + 2])
            case "\\end":
                assert stack.pop() == pieces[number + 2]
            case "&":
                assert stack[-1] in ("tabular", "longtable"), "a cell's end within braces"
    assert not stack


def require_modes(pieces: Sequence[str]) -> None:
    """No special character but where it means what was meant, and no command that is not known."""
    assert not {"#", "%"} & set(pieces)
    mathematics = False
    for number, piece in enumerate(pieces):
        near = pieces[max(0, number - 3) : number + 3]
        mathematics ^= piece == "$"
        assert mathematics or piece not in ("_", "^"), near
        if piece == "\\\\":
            after = "".join(pieces[number + 1 : number + 2]).lstrip()
            assert not after.startswith(("[", "*")), near
        elif re.fullmatch(r"\\[A-Za-z]+\*?", piece):
            assert piece[1:] in _COMMANDS, piece
    assert not mathematics


def read(text: str) -> Iterator[tuple[str, list[str]]]:
    r"""(environment, rows as lists of cells) of every outer table, the grammar checked on the way.

    Raises:
        AssertionError: TeX would stop or set something else.
    """
    text.encode("ascii")
    body = "\n".join(line for line in text.split("\n") if not line.startswith("%"))
    # A comment that ends a line is the one that is no special character.
    body = body.replace("%\n", "\n")
    pieces = [one.group() for one in _PIECE.finditer(body)]
    assert "".join(pieces) == body
    require_nesting(pieces)
    require_modes(pieces)
    outer = re.compile(
        r"\\begin\{(tabular|longtable)\}\{@\{\}((?:[lr]|p\{0\.\d\d\\linewidth\})+)@\{\}\}\n"
        r"(.*?)\\end\{\1\}(?:\\par\\medskip)?$",
        re.DOTALL | re.MULTILINE,
    )
    for name, aligns, inner in outer.findall(body):
        columns = len(re.findall(r"[lr]|p\{[^}]*\}", aligns))
        rows = [line for line in inner.split("\n") if line.endswith("\\\\")]
        for row in rows:
            flat = re.sub(r"\\begin\{tabular\}\[b\].*?\\end\{tabular\}", "", row)
            assert len(re.findall(r"(?<!\\)&", flat)) == columns - 1, row
        yield name, rows


def test_a_number_stands_with_its_uncertainty_and_its_unit_in_the_heading() -> None:
    text = latex(table_of({"words": "a", "part": 0.5, "t_c": -3.25}, {"words": "b"}))
    ((name, (head, first, second)),) = read(text)
    assert name == "tabular"
    assert r"energy \\ (J)" in head
    assert r"part \\ (\%)" in head
    assert r"warm \\ ($^\circ$C)" in head
    assert first == r"a & $1\,234.6 \pm 1.2$ & $50.00$ & $-3.25$ \\"
    assert second == r"b & $1\,234.6 \pm 1.2$ & -- & -- \\"


@pytest.mark.parametrize("words", HOSTILE)
def test_words_of_the_record_cannot_leave_their_cell(words: str) -> None:
    text = latex(table_of({"words": "tame"}, {"words": words}, {"words": "tame"}))
    ((_, rows),) = read(text)
    assert len(rows) == 4


def test_words_are_set_as_they_are() -> None:
    assert escaped("50 % of a_b & {c}") == r"50 \% of a\_b \& \{c\}"
    assert escaped("a--b") == "a-{}-b"
    assert escaped("Müller Ångström") == """M\\"{u}ller \\r{A}ngstr\\"{o}m"""
    assert escaped("中") == "{[}U+4E2D]"
    assert escaped("a\nb") == r"a\textbackslash{}nb"


def test_a_long_table_is_one_of_many_pages() -> None:
    text = latex(table_of(*({"words": f"row {number}"} for number in range(60))))
    ((name, rows),) = read(text)
    assert name == "longtable"
    assert len(rows) == 61
    assert r"\endhead" in text


def test_a_table_wider_than_a_page_is_split_and_its_rows_are_numbered(tmp_path: Path) -> None:
    build_run(tmp_path)
    build_run(tmp_path, Plan(spec={"batch_size": 4}))
    panels = list(read(latex(build_tables(load(tmp_path)).runs)))
    assert len(panels) > 1
    for _, rows in panels:
        marks = r"\textsuperscript{SWt}"
        assert [row.split(" & ")[0] for row in rows] == [r"\#", f"$1${marks}", f"$2${marks}"]


def test_words_longer_than_a_line_are_a_paragraph() -> None:
    text = latex(table_of({"words": "why " * 40}, {"words": "b"}))
    assert r"p{0.52\linewidth}" in text
    assert list(read(text))


def test_a_table_without_rows_says_so() -> None:
    assert r"\emph{No rows.}" in latex(table_of())


def test_what_is_the_same_in_every_row_and_what_is_simulated_stands_below(tmp_path: Path) -> None:
    build_run(tmp_path)
    build_run(tmp_path, Plan(spec={"batch_size": 4}))
    text = latex(build_tables(load(tmp_path)).runs)
    assert "In every row: model nano" in text
    assert "SIMULATED: no measurement of a GPU, all of 2 runs." in text
    assert "Random weights: no trained model, all of 2 runs." in text


def test_every_table_is_written_and_keeps_the_grammar(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for batch in (1, 2):
        for engine in ("reference", "fast"):
            spec = {
                "gpu": "h200",
                "dtype": "fp16",
                "engine": engine,
                "batch_size": batch,
                "gpus": 2,
            }
            build_run(
                results, Plan(spec=spec, gpu={"name": "NVIDIA H200_%&", "kind": "h200"}, state=True)
            )
    build_run(results, Plan(spec={"repeat": 1}, end="failed"))
    tables = build_tables(load(results))
    written = write_latex(tables, tmp_path / "one")
    assert [path.stem for path in written] == list(tables.by_name)
    for path in written:
        panels = list(read(path.read_text()))
        rows = len(tables.by_name[path.stem].rows)
        assert all(len(found) == rows + 1 for _, found in panels), path.stem
        assert bool(panels) is bool(rows), path.stem
    again = write_latex(build_tables(load(results)), tmp_path / "two")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]
