from pathlib import Path

import pytest

from telemetry.named_paths import named_path


def test_a_leading_tilde_is_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert named_path("results", "~/x") == tmp_path / "x"
    assert named_path("results", "~") == tmp_path


def test_what_is_given_stands_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("a b", "a~b", "x/~", "50%", "%j", "r/", "./r", "ünï", "a$b"):
        assert named_path("weights", text) == tmp_path / text


def test_two_dots_are_taken_as_the_file_system_takes_them(tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "inner")
    assert named_path("results", f"{tmp_path}/link/../r") == tmp_path / "real" / "r"
    assert named_path("results", f"{tmp_path}/link/r") == tmp_path / "link" / "r"


@pytest.mark.parametrize(
    "given",
    [
        *("", " ", "\t", " r", "r ", "a\nb", "\x1b[2J", "a\u202eb", "a\x00b", "~nobody-here/x"),
        *("a" * 256, "a/" * 4000),
        *("$HOME/x", "${HOME}/x", None, 3, ["a"], True),
    ],
)
def test_what_is_no_path_is_refused_in_one_line(given: object) -> None:
    with pytest.raises(ValueError, match="`results` must be a folder") as caught:
        named_path("results", given)
    assert str(caught.value).isprintable()
