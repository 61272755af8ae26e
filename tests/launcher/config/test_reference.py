"""docs/configuration.md says of every key what `conf/` says, and what the launcher says of it."""

import re
import shutil
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from launcher.config.command_line import read_points
from launcher.config.errors import BadInputError
from launcher.config.hydra_plugins import Point
from launcher.config.keys import keys_below, plain_keys
from launcher.config.listing import CONF
from launcher.config.reference import Group, Key, read_groups, write
from launcher.plan.check import check
from tests.conftest import REPOSITORY
from tests.support.words import last_words

# Neither of them is a value of any key that names what it allows.
NONSENSE: tuple[object, ...] = (-1, "no-such")
# Nobody looks at a cluster's name, at an experiment's own keys, or at `compose` once points are
# composed; a file is refused for what it holds, and so are columns.
NOT_ASKED = {
    "cluster.name",
    "compose",
    "dataset.columns",
    "dataset.path",
    "experiment.gpus_by_model",
    "experiment.gpus_of",
    "experiment.name",
    "experiment.power_cap_by_gpu",
    "tokenizer",
}
GROUPS = read_groups()
ASKED = [
    pytest.param(group, key, id=key.name)
    for group in GROUPS
    for key in group.keys
    if key.name not in NOT_ASKED and not key.allowed.startswith("as `")
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONF, tmp_path / "conf"))


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@cache
def composed(word: str) -> dict[str, Any]:
    return read_points(last_words("cluster=local", *([word] if word else [])))[0].config


def refusal(group: Group, key: Key, value: object) -> str | None:
    """What the launcher says of a value; None where it takes it."""
    option = next(iter(key.defaults))
    config = deepcopy(composed(f"{group.name}={option}" if group.name else ""))
    *above, last = key.name.split(".")
    node = config
    for name in above:
        node = node[name]
    node[last] = value
    try:
        check([Point(config, ())])
    except BadInputError as error:
        return str(error)
    return None


def test_the_page_is_what_conf_says() -> None:
    page = (REPOSITORY / "docs" / "configuration.md").read_text()
    assert page == write(GROUPS), "`make reference` writes it"


def test_every_key_and_option_of_conf_is_on_the_page() -> None:
    described = {group.name: {key.name for key in group.keys} for group in GROUPS}
    assert described.pop("") == set(plain_keys())
    for group in GROUPS[1:]:
        below = keys_below(group.name)
        assert set(group.options) == set(below)
        for name in set().union(*below.values()):
            above = {name.rsplit(".", depth)[0] for depth in range(3)}
            assert above & described[group.name], name


@pytest.mark.parametrize(("group", "key"), ASKED)
def test_what_a_key_allows_is_what_the_launcher_says(group: Group, key: Key) -> None:
    allowed = key.allowed.removesuffix(" or null")
    said = [refusal(group, key, value) or "" for value in NONSENSE]
    # How many there are is the launcher's to count.
    said = [re.sub(r"\bone of \d+ ", "one of N ", message) for message in said]
    assert any(f"must be {allowed}" in message for message in said), said


@pytest.mark.parametrize(("group", "key"), ASKED)
def test_null_is_allowed_where_the_page_says_so(group: Group, key: Key) -> None:
    assert (refusal(group, key, None) is None) == ("null" in key.allowed)


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("config.yaml", "# [true or false] false", "# false", "`allow_dirty` must have a comment"),
        (
            "engine/fast.yaml",
            "name: fast",
            "name: fast\nwidth: 2",
            "`engine.width` must have a comm",
        ),
        ("model/micro.yaml", "name:", "# [a name] Again.\nname:", "`model.name` must be described"),
        ("config.yaml", "wait: false\n", "", "must have a key below"),
        (
            "telemetry/host.yaml",
            "idle_s: ${",
            "# [a name] Nothing.\n\nidle_s: ${",
            "must have a key",
        ),
        (
            "telemetry/host.yaml",
            "# CPU and",
            "\n# CPU and",
            "must begin with a comment",
        ),
        (
            "config.yaml",
            "  # Who reads the sensors.\n",
            "",
            "`telemetry` must have a comment above",
        ),
        ("config.yaml", "# == Hardware ==\n", "", "`gpus` must stand under a section"),
        (
            "experiment/demo.yaml",
            "prompts: 8",
            "# [a name] No.\nprompts: 8",
            "`prompts` must be a key",
        ),
    ],
)
def test_what_is_not_described_once_is_refused(
    folder: Path, file: str, old: str, new: str, fault: str
) -> None:
    replace(folder / file, old, new)
    with pytest.raises(ValueError, match=fault):
        read_groups(folder)


def test_a_remark_is_no_description(folder: Path) -> None:
    replace(folder / "cluster" / "h200.yaml", "threads:", "# All of them.\nthreads:")
    assert write(read_groups(folder)) == write(GROUPS)


def test_a_new_option_and_its_key_are_on_the_page(folder: Path) -> None:
    text = "# Twice as wide.\nname: wide\n# [a number] Width of a lane.\nlane_w: 0.5\n"
    (folder / "engine" / "wide.yaml").write_text(text)
    page = write(read_groups(folder))
    assert "| `wide` | Twice as wide. |" in page
    assert "| `engine.lane_w` | a number | `0.5` (wide) | W | Width of a lane. |" in page
