import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.terminal import printable, printable_lines, replace_unencodable
from tests.conftest import REPOSITORY


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ± 3 µs, 温度", "plain, ± 3 µs, 温度"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\r\tc\x7f", "a\\nb\\r\\tc\\x7f"),
        ("a\u202etxt.exe", "a\\u202etxt.exe"),
        ("\u2066x\u2069\u200f\u061c", "\\u2066x\\u2069\\u200f\\u061c"),
        ("\u2028\u2029\ufeff", "\\u2028\\u2029\\ufeff"),
        ("file\udcff", "file\\udcff"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_would_steer_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_nothing_unprintable_is_left_and_it_can_be_written_as_utf8(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()
    assert printable(shown) == shown


def test_lines_stay_lines() -> None:
    assert printable_lines("a\n\x1bb\n") == "a\n\\x1bb\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_of_any_encoding_takes_any_text(
    monkeypatch: pytest.MonkeyPatch, encoding: str, name: str
) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    monkeypatch.setattr(sys, name, stream)
    replace_unencodable()
    stream.write("1 ± 2 µs … 温 \udcff")
    stream.flush()
    text = raw.getvalue().decode(encoding)
    if encoding == "ascii":
        assert text == "1 +- 2 us ... \\u6e29 \\udcff"
    elif encoding == "latin-1":
        assert text == "1 ± 2 µs ... \\u6e29 \\udcff"
    else:
        assert text == "1 ± 2 µs … 温 \\udcff"


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}],
)
def test_a_rich_console_on_a_terminal_without_utf8_raises_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "shown.py"
    script.write_text(
        "from telemetry.terminal import replace_unencodable; replace_unencodable()\n"
        "from rich.console import Console; from rich.table import Table\n"
        "t = Table('µ', 'Σ'); t.add_row('1 ± 2 →', '\\udcff…'); Console().print(t)\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), **environment},
    )
    assert done.returncode == 0, done.stderr
    assert b"1 +- 2 ->" in done.stdout
