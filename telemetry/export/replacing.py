"""Replacing: pseudonyms in place of every name, in texts, JSON and names of files.

A short name counts between characters that are no letters or digits: `vm` is none in `vmlinux`. A
longer one counts wherever it stands. A number of a job or user that is short is an ordinary number
too, and counts where it is said to be one.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from telemetry.export.identities import Identities, kind_of
from telemetry.export.pseudonyms import NameKind, Pseudonyms

# So many characters are no part of another word.
LONG: Final = 8
# Folders that every machine has say nothing.
_COMMON: Final = frozenset(
    {
        *("bin", "boot", "data", "dev", "etc", "gpfs", "home", "lib", "lib64", "local", "lustre"),
        *("mnt", "models", "opt", "proc", "project", "projects", "results", "root", "run", "runs"),
        *("sbin", "scratch", "share", "srv", "sys", "tmp", "usr", "users", "Users", "var", "work"),
        *("site-packages", "python3", "python", "venv", ".venv", "jobs", "campaigns", "prompts"),
        *("checkpoints", "report", "shards", "samples", "ipmi", "ipmi0", "ipmidev"),
    }
)
# What is the system's own is nobody's.
_SYSTEM: Final = ("/dev/", "/proc/", "/sys/", "/usr/", "/lib/", "/etc/", "/bin/", "/sbin/")
_PATH: Final = re.compile(
    r"(?<![\w/.\])}>])/(?:[^\s/\"'`,;:=|<>()\[\]{}*]+/)*[^\s/\"'`,;:=|<>()\[\]{}*]+/?"
)
_KEPT_PART: Final = re.compile(
    r"attempt-\d+|part-\d+\.\w+|rank-\d+(?:\.\w+)?|[a-z]+(?:_[a-z]+)*\.(?:json|jsonl|parquet|log)|"
    r"\.{1,2}|\d|[0-9a-f]{64}(?:\.\w+)?|python\d?(?:\.\d+)?"
)
_SUFFIX: Final = re.compile(r"\.[A-Za-z0-9]{1,8}$")
_DIGITS: Final = re.compile(r"\d+")
_NOWHERE: Final = re.compile(r"(?!)")
# A number of fewer digits may be any.
_LONG_NUMBER: Final = 6
_NUMBERS: Final = frozenset({NameKind.JOB, NameKind.NUMBER})
# Where a text says that a number is a job's, a user's or a group's.
_SAID: Final = re.compile(
    r"(\b(?:JobId|ArrayJobId|SLURM_JOB_?ID|SLURM_ARRAY_JOB_ID)=|\b(?:User|Group)Id=[^\s(]*\(|"
    r"\bjob )(\d+)"
)
_JOBS: Final = "--jobs="


class Replacing:
    """Every name's pseudonym, where it stands.

    Args:
        names: what is to be replaced.
        pseudonyms: by what.
        kept: words of a path that are the record's own: names of runs.
        fields_only: names that are words of the record too, replaced in their own fields alone.
    """

    def __init__(
        self,
        names: Identities,
        pseudonyms: Pseudonyms,
        kept: frozenset[str],
        fields_only: Mapping[str, NameKind],
    ) -> None:
        self._names = names
        self._fields_only = fields_only
        self._pseudonyms = pseudonyms
        self._kept = kept
        self.count = 0
        """How often a name was replaced."""
        self.digests: dict[str, str] = {}
        """SHA-256 of the copy of each file that others name by its own."""
        self.paths: set[str] = set()
        """Paths that were replaced, as they were."""

    def text(self, text: str) -> str:
        """A text without names."""
        if text in self.digests:
            return self.digests[text]
        if text.startswith("/") and "\n" not in text and not text.startswith(_SYSTEM):
            return self._path(text)
        text = _PATH.sub(lambda one: self._path(one[0]), text)
        for short, names in self._names.lists.items():
            if short in text:
                self.count += 1
                text = text.replace(short, ",".join(self._host(name) for name in names))
        text = self._words.sub(self._replaced, text)
        text = _SAID.sub(lambda one: one[1] + self.number(one[2]), text)
        if text.startswith(_JOBS):
            return self.number(text)
        return self._numbers.sub(self._replaced, text)

    def number(self, text: str) -> str:
        """A field of numbers of jobs or users, such as 12_3.batch, without them."""
        return _DIGITS.sub(self._number, text)

    def cell(self, title: str, text: str) -> str:
        """A cell of a center's books, by its column."""
        if kind_of(title) in _NUMBERS:
            head, rest = _head(text)
            return self.number(head) + rest
        return self.text(text)

    def key(self, key: str) -> str:
        """A key of an object or a name of a file: replaced as a whole, or part by part of a path.

        Words of the record stay, though a name is spelt so.
        """
        parts = key.split("/")
        return "/".join(self._key_part(part) for part in parts)

    def json(self, content: Any) -> Any:
        """A JSON value without names."""
        if isinstance(content, dict):
            return {self.key(key): self._value(key, value) for key, value in content.items()}
        if isinstance(content, list):
            return [self.json(value) for value in content]
        return self.text(content) if isinstance(content, str) else content

    def left_in(self, text: str, key: str = "") -> Iterator[str]:
        """The names that still stand in a text, or in a field of that key."""
        for pattern in (self._words, self._numbers):
            yield from (match[0] for match in pattern.finditer(text))
        said = [match[2] for match in _SAID.finditer(text)]
        if kind_of(key) in _NUMBERS:
            said += _DIGITS.findall(_head(text)[0])
        yield from (number for number in said if self._names.kinds.get(number) in _NUMBERS)

    def left_in_bytes(self, data: bytes) -> Iterator[str]:
        """The long names that stand in bytes, whatever these are."""
        yield from (match[0].decode(errors="replace") for match in self._raw.finditer(data))

    def _value(self, key: str, value: Any) -> Any:
        if key in ("uid", "gid") and isinstance(value, int) and str(value) in self._names.kinds:
            self.count += 1
            return int(self._pseudonyms.of(NameKind.NUMBER, str(value)))
        if isinstance(value, str) and value in self._fields_only and kind_of(key) is not None:
            self.count += 1
            return self._pseudonyms.of(self._fields_only[value], value)
        if key == "changes" and isinstance(value, list):
            # As git tells them: two letters, a blank, a path of the user's tree.
            return [self._change(one) if isinstance(one, str) else one for one in value]
        if isinstance(value, str) and kind_of(key) in _NUMBERS:
            return self.cell(key, value)
        return self.json(value)

    def _number(self, match: "re.Match[str]") -> str:
        kind = self._names.kinds.get(match[0])
        if kind not in _NUMBERS or kind is None:
            return match[0]
        self.count += 1
        return self._pseudonyms.of(kind, match[0])

    def _change(self, line: str) -> str:
        self.count += 1
        return f"{line[:3]}{self._pseudonyms.of(NameKind.PATH, line[3:])}"

    def _replaced(self, match: "re.Match[str]") -> str:
        self.count += 1
        name = match[0]
        found = self._lower[name.lower()]
        return self._pseudonyms.of(self._names.kinds[found], found)

    def _host(self, name: str) -> str:
        return self._words.sub(self._replaced, name)

    def _key_part(self, part: str) -> str:
        stem, dot, suffix = part.partition(".")
        if part.lower() in self._lower:
            return self._words.sub(self._replaced, part)
        if dot and stem.lower() in self._lower:
            return f"{self._words.sub(self._replaced, stem)}.{suffix}"
        # A campaign's folder has its host's name in it, and a simulated GPU its node's.
        return self._words.sub(self._replaced, part) if "-" in part else part

    def _path(self, path: str) -> str:
        if path.startswith(_SYSTEM):
            return path
        told = "/".join(self._path_part(part) for part in path.split("/"))
        if told != path:
            self.paths.add(path.rstrip("/"))
        return told

    def _path_part(self, part: str) -> str:
        if part.lower() in self._lower and self._names.kinds[self._lower[part.lower()]] not in (
            _NUMBERS
        ):
            return self._words.sub(self._replaced, part)
        if not part or part in _COMMON or part in self._kept or _KEPT_PART.fullmatch(part):
            return part
        self.count += 1
        suffix = _SUFFIX.search(part)
        ending = suffix[0] if suffix else ""
        named = self._words.sub(
            lambda one: self._pseudonyms.of(
                self._names.kinds[self._lower[one[0].lower()]], self._lower[one[0].lower()]
            ),
            part,
        )
        # A part that is a name is that name's pseudonym, as elsewhere; any other is one of its own.
        if named != part and _is_campaign(part):
            return named
        return self._pseudonyms.of(NameKind.PATH, part) + ending

    @cached_property
    def _lower(self) -> dict[str, str]:
        return {name.lower(): name for name, _ in self._names.listed()}

    @cached_property
    def _words(self) -> "re.Pattern[str]":
        return self._pattern([name for name, kind in self._names.listed() if kind not in _NUMBERS])

    @cached_property
    def _numbers(self) -> "re.Pattern[str]":
        long = [
            rf"(?<!\d){name}(?!\d)"
            for name, kind in self._names.listed()
            if kind in _NUMBERS and len(name) >= _LONG_NUMBER
        ]
        return re.compile("|".join(long)) if long else _NOWHERE

    @cached_property
    def _raw(self) -> "re.Pattern[bytes]":
        long = [
            name
            for name, kind in self._names.listed()
            if kind not in _NUMBERS and len(name) >= LONG
        ]
        if not long:
            return re.compile(rb"(?!)")
        return re.compile(b"|".join(re.escape(name.encode()) for name in long), re.I)

    @staticmethod
    def _pattern(names: list[str]) -> "re.Pattern[str]":
        if not names:
            return _NOWHERE
        bounded = [
            re.escape(name) if len(name) >= LONG else rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"
            for name in names
        ]
        return re.compile("|".join(bounded), re.IGNORECASE)


def _head(text: str) -> tuple[str, str]:
    """The number of a job, 12 of 12_3.batch, and the rest."""
    head = re.match(r"\d*", text)
    cut = head.end() if head else 0
    return text[:cut], text[cut:]


def _is_campaign(part: str) -> bool:
    return re.match(r"\d{8}T\d{6}Z-", part) is not None
