"""Musts: what Process Run Crate requires of a crate, held against its metadata file.

roc-validator checks version 0.5; these are the same requirements, which 0.6 has kept, with those of
RO-Crate itself that they rest on. Source: https://w3id.org/ro/wfrun/process/0.6.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from analysis.crate.profile import METADATA, PROFILES

_ACTIONS: Final = ("CreateAction", "ActivateAction", "UpdateAction")
_TOOLS: Final = ("SoftwareApplication", "SoftwareSourceCode", "ComputationalWorkflow")
_ROOT: Final = ("name", "description", "datePublished", "license")
_PERMALINK: Final = re.compile(r"https://w3id\.org/ro/wfrun/process/\d+\.\d+")
_BASE: Final = re.compile(r"https://w3id\.org/ro/crate/(\d+\.\d+)")


def broken(content: Mapping[str, Any]) -> list[str]:
    """The requirements that a crate's metadata does not meet, a line each; none where all are."""
    return list(_broken(content))


def _broken(content: Mapping[str, Any]) -> Iterator[str]:
    graph = [one for one in content.get("@graph", []) if isinstance(one, Mapping)]
    known = {one.get("@id"): one for one in graph}
    if len(known) < len(graph):
        yield "every @id must stand once in @graph, but one stands twice"
    for one in graph:
        if not isinstance(one.get("@id"), str) or not types(one):
            yield f"every entity must have @id and @type, but {one.get('@id')!r} has not"
    if METADATA not in known or "./" not in known:
        yield f"there must be entities {METADATA} and ./, but one is missing"
        return
    yield from _of_root(known)
    for one in graph:
        if set(types(one)) & set(_ACTIONS):
            yield from _of_action(one, known)


def _of_root(known: Mapping[Any, Mapping[str, Any]]) -> Iterator[str]:
    root = known["./"]
    on = map(_BASE.fullmatch, ids(known[METADATA], "conformsTo"))
    bases = [match[1] for match in on if match]
    yield from (f"the root must have `{name}`, but has none" for name in _ROOT if name not in root)
    permalinks = [uri for uri in ids(root, "conformsTo") if _PERMALINK.fullmatch(uri)]
    if not permalinks:
        yield "the root must conform to a version of Process Run Crate, but names none"
    for uri in permalinks:
        if "CreativeWork" not in types(known.get(uri, {})):
            yield f"{uri} must be a CreativeWork of the crate, but is none"
        version = uri.rpartition("/")[2]
        if version in PROFILES and bases != [PROFILES[version].base]:
            yield (
                f"Process Run Crate {version} must be on RO-Crate {PROFILES[version].base}, "
                f"but is on {', '.join(bases) or 'none'}"
            )


def _of_action(action: Mapping[str, Any], known: Mapping[Any, Mapping[str, Any]]) -> Iterator[str]:
    tools = ids(action, "instrument")
    if not tools:
        yield f"action {action.get('@id')} must have an instrument, but has none"
    for tool in tools:
        if not set(types(known.get(tool, {}))) & set(_TOOLS):
            yield f"instrument {tool} must be software, but is not"


def types(entity: Mapping[str, Any]) -> Sequence[str]:
    """The types of an entity."""
    told = entity.get("@type")
    return [str(one) for one in told] if isinstance(told, list) else [str(told)] if told else []


def ids(entity: Mapping[str, Any], name: str) -> list[str]:
    """The entities that a property refers to."""
    told = entity.get(name)
    values = told if isinstance(told, list) else [told]
    return [str(one["@id"]) for one in values if isinstance(one, Mapping) and "@id" in one]
