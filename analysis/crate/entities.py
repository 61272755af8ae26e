"""Entities: what a crate is made of, as rocrate keeps it; words of a record are values alone."""

import json
from collections.abc import Sequence
from typing import Any, Final

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from analysis.crate.identifiers import local_id
from analysis.crate.profile import RUN_TERMS, Profile
from telemetry.document import strict

Entity = Any
"""A rocrate entity; the library has no annotations."""
UNITS: Final = {
    "J": "http://qudt.org/vocab/unit/J",
    "W": "http://qudt.org/vocab/unit/W",
    "s": "http://qudt.org/vocab/unit/SEC",
}
"""QUDT's units, by ours."""
_NOT_RECORDED: Final = "not recorded"


class Entities:
    """The graph of one crate, filled from its parts.

    Args:
        profile: what it conforms to.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._crate: Any = ROCrate(version=profile.base)
        self._crate.metadata.extra_contexts.append(RUN_TERMS)

    @property
    def root(self) -> Entity:
        """The root data entity: the crate as a whole."""
        return self._crate.root_dataset

    @property
    def descriptor(self) -> Entity:
        """The metadata file's own entity."""
        return self._crate.metadata

    def get(self, identifier: str) -> Entity | None:
        """The entity of that `@id`; None where there is none."""
        return self._crate.get(identifier)

    def add(self, at: str, kind: str | Sequence[str], /, **properties: Any) -> Entity:
        """An entity; the one that is there already where its `@id` is taken.

        Args:
            at: its `@id`.
            kind: its `@type`.
            properties: what else it has.

        A property that is None or empty is left out, and one of a single value is no list.
        """
        there = self.get(at)
        if there is not None:
            return there
        types = kind if isinstance(kind, str) else list(kind)
        entity = ContextEntity(self._crate, at, {"@type": types})
        self._crate.add(entity)
        self.set(entity, **properties)
        return entity

    def set(self, entity: Entity, /, **properties: Any) -> None:
        """Give an entity properties, by the same rules."""
        for name, value in properties.items():
            values = value if isinstance(value, list | tuple) else [value]
            told = [each for each in map(_told, values) if each is not None]
            if told:
                entity[name] = told[0] if len(told) == 1 else told

    def value(
        self,
        name: str,
        value: object,
        /,
        *,
        of: str,
        unit: str = "",
        reason: str | None = None,
        **properties: Any,
    ) -> Entity:
        """A PropertyValue; one without a value says why it has none.

        Args:
            name: what it is.
            value: its value; None where nobody knows.
            of: what tells it from others of that name, such as the run.
            unit: as the tables have it; empty for what has none.
            reason: why there is no value.
            properties: what else it has.
        """
        told = _told(value)
        description = properties.pop("description", None)
        if told is None:
            why = f"{_NOT_RECORDED}: {reason or 'the record does not hold it'}"
            description = f"{why}. {description}" if description else why
        return self.add(
            # A number's last digit may be another on another machine: its name is the same.
            local_id("value", {"of": of, "name": name, "value": _text(told)}),
            "PropertyValue",
            name=name,
            value=told,
            unitText=unit if unit and told is not None else None,
            # A token is no unit of QUDT's: J / token are joules, and unitText says of what.
            unitCode=UNITS.get(unit.partition(" / ")[0]) if told is not None else None,
            description=description,
            **properties,
        )

    def to_bytes(self) -> bytes:
        """The metadata file: equal graphs give equal bytes."""
        text = json.dumps(
            self._crate.metadata.generate(),
            indent=1,
            sort_keys=True,
            ensure_ascii=False,
            allow_nan=False,
        )
        return f"{text}\n".encode()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _told(value: object) -> Any:
    """A value as JSON-LD takes it: an entity, or what is no object; empty text is none."""
    if isinstance(value, ContextEntity) or hasattr(value, "canonical_id"):
        return value
    plain = strict(value)
    if isinstance(plain, dict | list):
        return json.dumps(plain, sort_keys=True)
    return None if plain == "" else plain
