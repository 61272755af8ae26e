"""Help: what `python -m launcher --help` says: every key by group, from the comments in `conf/`."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from launcher.config.errors import BadInputError
from launcher.config.listing import group_options
from launcher.config.reference import Group, Key, default_of, read_groups, sections_of
from telemetry.command import ExitCode, exit_codes
from telemetry.nearest import one_of
from telemetry.next_line import typed
from telemetry.paragraph import columns, wrapped
from workers.planning.families import family_of, find_shape

# Longer lines are hard to read, whatever a terminal has.
_MOST_COLUMNS: Final = 100
_EXITS: Final = {
    ExitCode.DONE: "planned, sealed, queued, or going on elsewhere",
    ExitCode.FAILED: "a point failed, or the machine did (a full disk)",
    ExitCode.NOTHING_DONE: "no point of the grid can run here",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C; the same command goes on",
}
_FLAGS: Final = (
    ("-m, --multirun", "may stand first where a key has several values"),
    ("-h, --help [KEY]", "all keys, or one, or those of a group or section"),
    ("--version", "the version"),
    ("-c, --cfg job", "the configuration as it is composed, and nothing else"),
    ("-i, --info", "what Hydra composes it of"),
    ("--resolve, -p, --hydra-help", "Hydra's own, beside the two above"),
)
# A key and an option stand two columns in, what they mean six.
_INDENT: Final = 2
_HANG: Final = 4
# Before what a flag or an option means are two blanks at least.
_TERM: Final = re.compile(r" +\S+(?: \S+)* {2,}(?=\S)")
_MILLION: Final = 1e6
# Options that are in no file, and where they come from instead.
_NO_FILE: Final = {"cluster": "Settled by what is here."}


def asked_of(arguments: Sequence[str]) -> str | None:
    """What a command line asks help for: a topic, "" for all; None where it asks for none."""
    for place, word in enumerate(arguments):
        flag, equals, topic = word.partition("=")
        if flag in ("-h", "--help"):
            behind = "" if equals else next(iter(arguments[place + 1 :]), "")
            return topic or ("" if behind.startswith("-") else behind)
    return None


def help_text(topic: str = "") -> str:
    """The whole text, or what it says of a key, group or section.

    Raises:
        BadInputError: there is no such key, group or section.
    """
    groups = read_groups()
    if not topic:
        return "\n".join(_filled(_whole(groups)))
    name = topic.partition("=")[0].strip()
    lines = list(_topic(groups, name))
    if not lines:
        raise BadInputError(
            one_of("--help", _topics(groups), name, things="keys", ask=typed("launcher", "--help"))
        )
    return "\n".join([*_filled(lines), ""])


def _whole(groups: Sequence[Group]) -> Iterator[str]:
    program = typed("launcher")
    yield f"usage: {program} [-m] [KEY=VALUE | KEY=A,B | GROUP=OPTION ...]"
    yield ""
    yield "Checks the grid as a whole, runs what is missing of it, and seals it."
    yield ""
    for words, about in (
        ("-m model=nano,micro gpus=1,2 plan=true", "what would run, and why the rest not"),
        ("-m model=nano,micro gpus=1,2", "run it"),
        ("experiment=demo", "a grid that is ready"),
        ("--help=model", "the models; likewise of each key, group and section below"),
    ):
        yield f"  {program} {words}"
        yield f"      {about}"
    yield ""
    for flag, about in _FLAGS:
        yield f"  {flag:<27}  {about}"
    yield ""
    yield (
        "Every key takes a list. Below, what it allows stands in brackets, then its default "
        "and its unit; docs/configuration.md is the same as a page."
    )
    for group in groups:
        if group.name:
            yield from _of_group(group)
        else:
            for section, keys in sections_of(group).items():
                yield from _of_section(section, keys, group)
    yield ""
    yield from exit_codes(_EXITS).splitlines()
    yield ""


def _topics(groups: Sequence[Group]) -> list[str]:
    """All that can be asked for."""
    return [
        *(group.name for group in groups if group.name),
        *(section.lower() for group in groups if not group.name for section in sections_of(group)),
        *(key.name for group in groups for key in group.keys),
    ]


def _topic(groups: Sequence[Group], name: str) -> Iterator[str]:
    """What there is of a name: a group, a section, or else keys, whole or by their last part."""
    found = False
    for group in groups:
        if group.name and group.name == name:
            found = True
            yield from _of_group(group)
        for section, keys in sections_of(group).items():
            if section and section.lower() == name.lower():
                found = True
                yield from _of_section(section, keys, group)
    for group in groups:
        for key in () if found else group.keys:
            if name in (key.name, key.name.rpartition(".")[2]) or key.name.startswith(f"{name}."):
                yield from _of_key(key, group)


def _of_section(section: str, keys: Sequence[Key], group: Group) -> Iterator[str]:
    yield ""
    yield f"{section}:"
    for key in keys:
        yield from _of_key(key, group)


def _of_group(group: Group) -> Iterator[str]:
    yield ""
    yield f"{group.name}=OPTION: {group.meaning}"
    options = group_options(group.name)
    width = max(map(len, options))
    for option in options:
        about = group.options.get(option) or _unfiled(group.name, option)
        swept = ", ".join(group.sweeps.get(option, ()))
        yield f"  {option:<{width}}  {about}{f' Sweeps {swept}.' if swept else ''}"
    for key in group.keys:
        yield from _of_key(key, group)


def _unfiled(group: str, option: str) -> str:
    """What an option is that no file tells of."""
    if group != "model":
        return _NO_FILE.get(group, "Registered by its package.")
    shape = find_shape(option)
    title = family_of(shape).names.title
    return f"{title}, {shape.params / _MILLION:,.0f} million parameters."


def _of_key(key: Key, group: Group) -> Iterator[str]:
    default = default_of(key, group).replace("`", "")
    allowed = key.allowed.replace("`", "")
    unit = f"; in {key.unit}" if key.unit else ""
    yield f"  {key.name}= [{allowed}]; default: {default}{unit}"
    # Of a default there is nothing to say but whose it is, which stands in brackets.
    if not key.allowed.startswith("as `"):
        yield f"      {key.meaning.replace('`', '')}"


def _filled(lines: Iterable[str]) -> Iterator[str]:
    """The lines, broken where they are too long, and going on below where their text begins."""
    width = min(columns(), _MOST_COLUMNS)
    for line in lines:
        start = len(line) - len(line.lstrip())
        term = _TERM.match(line)
        hang = term.end() - start if term else _HANG if start == _INDENT else 0
        yield from wrapped(line.lstrip(), width=width, indent=start, hang=hang)
