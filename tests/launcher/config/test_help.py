"""The help tells every key by group, of one topic where it is asked for, as wide as a terminal."""

import sys

import pytest

from launcher.config.errors import BadInputError
from launcher.config.help import asked_of, help_text
from launcher.config.listing import group_options, groups
from launcher.config.reference import read_groups

KEYS = [key for group in read_groups() for key in group.keys]


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def said(topic: str = "") -> str:
    """The help as one line: where it is broken is no matter."""
    return " ".join(help_text(topic).split())


def test_every_key_is_told_with_what_it_allows_its_unit_and_what_it_means() -> None:
    text = said()
    for key in KEYS:
        assert f"{key.name}= [{key.allowed.replace('`', '')}]; default: " in text
        assert key.meaning.replace("`", "") in text or key.allowed.startswith("as `")
    assert "max_warmup_s= [a number at least 0 and at most 3600]; default: 60.0; in s" in text


@pytest.mark.parametrize("group", groups())
def test_every_option_of_a_group_has_a_line(group: str) -> None:
    lines = help_text(group).splitlines()
    for option in group_options(group):
        assert any(line.startswith(f"  {option} ") for line in lines), option


def test_a_model_that_no_file_tells_of_is_told_by_its_family_and_size() -> None:
    assert "opt-6.7b OPT, 6,658 million parameters. " in said("model")
    assert "Registered by its package" not in said("model")


def test_the_keys_of_no_group_stand_under_headings() -> None:
    lines = help_text().splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        *("Hardware:", "Model:", "Work:", "Arrivals:", "Sampling:", "Measuring:", "Record:"),
        "exit codes:",
    ]
    hardware = "\n".join(lines).partition("Hardware:")[2].partition("Model:")[0]
    assert "power_cap_w=" in hardware
    assert "dtype=" not in hardware


@pytest.mark.parametrize("width", [60, 80, 132])
def test_it_is_as_wide_as_the_terminal_but_never_wider_than_one_reads(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    widest = max(map(len, help_text("cluster").splitlines()))
    assert min(width, 100) - 15 < widest <= min(width, 100)


@pytest.mark.parametrize(
    ("topic", "has", "lacks"),
    [
        ("batch_size", "batch_size= [a whole", "prompts= ["),
        ("partition", "cluster.slurm.partition= [", "qos= ["),
        ("cluster.slurm", "cluster.slurm.qos= [", "cluster.timeout_min= ["),
        ("sampling", "top_p= [", "prompts= ["),
        ("model", "65b", "prompts= ["),
        ("model", "quantization= [", "cluster.gpu= ["),
        ("model=7b", "65b", "prompts= ["),
        ("experiment", "figure4_watts", "prompts= ["),
    ],
)
def test_of_a_topic_it_tells_that_alone(topic: str, has: str, lacks: str) -> None:
    text = said(topic)
    assert has in text
    assert lacks not in text


def test_of_an_unknown_topic_the_nearest_is_told() -> None:
    with pytest.raises(BadInputError, match=r"but is 'promts' instead; did you mean prompts\?"):
        help_text("promts")


@pytest.mark.parametrize(
    ("words", "topic"),
    [
        (["model=7b", "plan=true"], None),
        (["model=7b", "--help"], ""),
        (["-h", "-m"], ""),
        (["--help", "cluster"], "cluster"),
        (["-m", "--help=cluster"], "cluster"),
    ],
)
def test_a_topic_stands_behind_the_flag(words: list[str], topic: str | None) -> None:
    assert asked_of(words) == topic


def test_its_examples_have_the_form_in_which_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "  python -m launcher experiment=demo" in help_text()
    monkeypatch.setattr(sys, "argv", ["/opt/venv/bin/joulegrid"])
    assert "  joulegrid run experiment=demo" in help_text()
    assert "python -m" not in help_text()
