"""Overrides: the words of the command line one by one and together, before Hydra sees them.

Hydra lets a later word of a key win in silence, and reads an experiment's own grid only where one
experiment is named. Here a word that another would drop is refused with both, and a list of
experiments becomes one grid each.
"""

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, RangeSweep
from hydra.errors import HydraException

from launcher.config.choices import NAMING, choices, require_choice, things_of
from launcher.config.errors import BadInputError
from launcher.config.hydra_plugins import MAX_POINTS
from launcher.config.keys import aliases, meant_word, plain_keys, unknown_key
from launcher.config.listing import group_options, groups
from telemetry.nearest import did_you_mean
from telemetry.next_line import typed

HUB: Final = "hub:"
"""What a model's name on the hub begins with."""
EXPERIMENT: Final = "experiment"
REPEATS: Final = "repeats"
"""The key that says how many repeats of a point there are."""
AUTO: Final = "auto"
"""What it holds where a rule decides how many there are."""
RULE_OF_REPEATS: Final = (
    *("repeats_width", "repeats_least", "repeats_most", "repeats_gpu_hours", "repeats_kwh"),
)
"""Keys of that rule."""
SAME_FOR_ALL: Final = (
    *("results", "history", "plan", "allow_dirty", "wait", "retry", "verify_weights", "compose"),
    *("signing_key", *RULE_OF_REPEATS),
)
"""Keys of the call and not of a point: no list of values is taken for them."""
# A line of error is one that a terminal shows whole.
_MOST_WORD: Final = 60
_MOST_SAID: Final = 100
# So Hydra 1.3 says of a function that it does not know, and of what does not fit its grammar.
_NO_FUNCTION: Final = re.compile(r"Unknown function '(?P<name>\w+)'\s+Available: (?P<known>[\w,]+)")
_EVALUATING: Final = re.compile(r"^\w+ while evaluating '.*?': ", re.DOTALL)
_PLACE: Final = re.compile(
    r"(?:recognition error at: |(?:mismatched|extraneous|at) input )'(?P<text>.+?)'(?:$|\s)",
    re.DOTALL,
)
# What somebody may have typed as a key; Hydra's grammar has no dash in it.
_BARE: Final = re.compile(r"[\w.-]+")


def is_own_model(value: str) -> bool:
    """Whether a value of `model` names a folder or a model of the hub: no option has a / in it."""
    return value.startswith(HUB) or "/" in value or value in (".", "..", "~")


def own_model_word(word: str) -> str:
    """A word that names a model by its folder or by the hub, as the key below the group has it.

    The group itself takes its options alone.
    """
    key, equals, value = word.partition("=")
    if key != "model" or not any(map(is_own_model, value.strip("'\"").split(","))):
        return word
    return f"model.name{equals}{value}"


def quoted_home(word: str) -> str:
    """A word whose value, or a value of its list, begins with ~ as Hydra reads it: in quotes.

    Its grammar has no ~ in a value, so that nothing else can be meant. Shells differ: bash puts
    the home into results=~/x, others hand it over as it is.
    """
    key, equals, value = word.partition("=")
    if "~" not in value or set(value) & set("'\"\\()[]{}$"):
        return word
    parts = [f"'{part}'" if part.startswith("~") else part for part in value.split(",")]
    return f"{key}{equals}{','.join(parts)}"


def parse(words: Sequence[str]) -> list[Override]:
    """The overrides of the words, each known and none dropped by another.

    Raises:
        BadInputError: a word is malformed, names no key or option, has no value or one twice, or
            two words set the same.
    """
    overrides = [_parsed(word) for word in words]
    for override in overrides:
        _check(override)
    _refuse_dropped(overrides)
    return overrides


def grids(words: Sequence[str], overrides: Sequence[Override]) -> list[list[str]]:
    """The words of each grid that is to be composed by itself: one for each experiment.

    A glob has become the list of the options that it picks.
    """
    written = dict(zip(words, overrides, strict=True))
    options: list[str | None] = [None]
    plain: list[str] = []
    for word, override in written.items():
        listed = values(override) if override.is_sweep_override() else []
        if override.key_or_group == EXPERIMENT and listed:
            options = list(listed)
        elif isinstance(override.value(), Glob):
            plain.append(f"{override.key_or_group}={','.join(listed)}")
        else:
            plain.append(word)
    return [plain if one is None else [*plain, f"{EXPERIMENT}={one}"] for one in options]


def values(override: Override) -> list[str]:
    """The values of a sweep as text, each once.

    Raises:
        BadInputError: it has none, one twice, or too many.
    """
    key, value = override.key_or_group, override.value()
    if isinstance(value, Glob):
        if key not in groups():
            raise BadInputError(
                f"`{key}` must be a list of values, but is a glob, which picks options of a group"
            )
        found = value.filter([name for name in group_options(key) if name != "auto"])
    else:
        if isinstance(value, RangeSweep):
            _refuse_endless(key, value)
        try:
            found = [str(each) for each in override.sweep_string_iterator()]
        except (HydraException, ValueError, ArithmeticError) as error:
            raise BadInputError(
                f"`{key}` must be a list of values, but {override.input_line} is none: {error}"
            ) from error
    if not found:
        raise BadInputError(
            f"`{key}` must have a value, but {override.input_line} has none of "
            f"{len(group_options(key))} {things_of(key)}; {typed('launcher', '--help', key)} "
            "lists them"
            if key in groups()
            else f"`{key}` must have a value, but {override.input_line} has none"
        )
    if len(set(found)) < len(found):
        twice = next(each for each in found if found.count(each) > 1)
        raise BadInputError(
            f"`{key}` must have each value once, but {override.input_line} names {twice} "
            f"{found.count(twice)} times"
        )
    return found


def refuse_without_effect(overrides: Sequence[Override], config: Mapping[str, Any]) -> None:
    """Refuse a word that sets the default of a key which something else has set.

    Raises:
        BadInputError: there is such a word, as cluster.gpu=v100 beside gpu=a100.
    """
    given = {override.key_or_group for override in overrides}
    for key, source in aliases().items():
        if source in given and _select(config, key) != _select(config, source):
            word = next(each.input_line for each in overrides if each.key_or_group == source)
            raise BadInputError(
                f"`{source}` must be left alone where `{key}` is set, of which it is but the "
                f"default, but is given: {key}={_select(config, key)} and {word}"
            )


def refuse_rule_without_auto(
    overrides: Sequence[Override], configs: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse a key of the rule that decides repeats where no point is repeated by it.

    Raises:
        BadInputError: there is such a word, as repeats_width=0.1 beside repeats=3.
    """
    asked = list(dict.fromkeys(str(_select(config, REPEATS)) for config in configs))
    if not asked or AUTO in asked:
        return
    given = next((each for each in overrides if each.key_or_group in RULE_OF_REPEATS), None)
    if given is not None:
        raise BadInputError(
            f"`{given.key_or_group}` must stand beside {REPEATS}={AUTO}, whose rule it is of, but "
            f"{REPEATS} is {' and '.join(asked)} instead"
        )


def _parsed(word: str) -> Override:
    if "=" not in word and not word.startswith("~"):
        raise BadInputError(f"`{_short(word)}` must be of the form key=value{meant_word(word)}")
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException as error:
        key, _, value = word.partition("=")
        if _BARE.fullmatch(key) and key.partition(".")[0] not in {*groups(), *plain_keys()}:
            raise BadInputError(unknown_key(key)) from error
        quoted = shlex.quote(f"{key}='{value}'")
        is_text = not choices(key) and not _NO_FUNCTION.search(str(error))
        plain = is_text and not set("'\"\\") & set(value) and len(word) <= _MOST_WORD
        hint = f"; as a text it is {quoted}" if plain else ""
        raise BadInputError(
            f"`{_short(word)}` must be a value, a list in brackets or a text in quotes, but "
            f"{_fault(str(error))}{hint}"
        ) from error
    except RecursionError as error:
        raise BadInputError(f"`{_short(word)}` must be nested less deep") from error


def _fault(said: str) -> str:
    """What is wrong with a word, of which Hydra's grammar speaks in the names of its tokens."""
    if unknown := _NO_FUNCTION.search(said):
        known = unknown["known"].split(",")
        return f"{unknown['name']} is no function{did_you_mean(unknown['name'], known)}"
    place = _PLACE.search(said)
    if place is None:
        return _short(" ".join(_EVALUATING.sub("", said).split()), _MOST_SAID)
    where = place["text"]
    return "ends too early" if where == "<EOF>" else f"cannot be read from {_short(where)!r} on"


def _short(text: str, most: int = _MOST_WORD) -> str:
    """As much of a word as tells which one it was."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _check(override: Override) -> None:
    key = override.key_or_group
    top = key.split(".")[0].split("/")[0]
    if top == "hydra":
        return
    if override.is_add() or override.is_force_add() or override.is_delete():
        raise BadInputError(
            f"`{override.input_line}` must be key=value without + or ~: "
            "every key there is stands in conf/"
        )
    if override.package is not None:
        raise BadInputError(
            f"`{override.input_line}` must be key=value without @: each group has one place"
        )
    if top not in {*groups(), *plain_keys()}:
        raise BadInputError(unknown_key(key))
    listed = values(override) if override.is_discrete_sweep() else None
    plain = override.value()
    # A list or a mapping is Hydra's own business where it is no group's.
    texts = [plain] if isinstance(plain, str) or key in groups() else []
    for value in listed or map(str, texts):
        if "${" in value:
            continue
        try:
            require_choice(key, value.strip("'\""))
        except ValueError as error:
            raise BadInputError(str(error)) from error


def _refuse_endless(key: str, sweep: RangeSweep) -> None:
    start, stop = float(sweep.start or 0), float(sweep.stop or 0)
    step = float(sweep.step)
    count = (stop - start) / step if step else 0.0
    if not math.isfinite(count) or count > MAX_POINTS:
        raise BadInputError(
            f"`{key}` must have at most {MAX_POINTS} values, but range({sweep.start}, "
            f"{sweep.stop}, {sweep.step}) has more"
        )


def _refuse_dropped(overrides: Sequence[Override]) -> None:
    """Refuse two words of which one would be dropped: of one key, or of a key and one below it."""
    seen: dict[str, Override] = {}
    for override in overrides:
        key = override.key_or_group.replace("/", ".")
        if key in seen:
            raise BadInputError(_both(key, seen[key], override))
        seen[key] = override
    for key, override in seen.items():
        for above in _above(key):
            # Below a group's option single keys may be changed; but not which option it is.
            if above in seen and (above not in groups() or key in NAMING):
                raise BadInputError(_both(above, seen[above], override))


def _both(key: str, one: Override, other: Override) -> str:
    listed = one.key_or_group == other.key_or_group and key not in SAME_FOR_ALL
    hint = f", or as one list: {key}=A,B" if listed else ""
    return (
        f"`{key}` must be given once{hint}, but is given as {one.input_line} and as "
        f"{other.input_line}"
    )


def _above(key: str) -> Iterator[str]:
    parts = key.split(".")
    for depth in range(1, len(parts)):
        yield ".".join(parts[:depth])


def _select(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value
