"""Software: the program that ran, the packages beside it, and who started it: provenance.json."""

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any, Final

from analysis.crate.entities import Entities, Entity
from analysis.crate.identifiers import local_id
from telemetry.next_line import PROGRAM

_SOFTWARE: Final = "SoftwareApplication"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_NO_COMMIT: Final = "the record names no commit"


def program_of(entities: Entities, provenance: Mapping[str, Any]) -> Entity:
    """Joulegrid as it ran: its version, commit and changes, with every package it could load."""
    git = _mapping(provenance.get("git"))
    packages = _mapping(provenance.get("packages"))
    python = provenance.get("python")
    identifier = local_id("program", {"git": git, "packages": packages, "python": python})
    there = entities.get(identifier)
    if there is not None:
        return there
    commit = entities.value(
        "git commit",
        git.get("commit"),
        of=identifier,
        reason=_text(git.get("reason")) or _NO_COMMIT,
        propertyID="https://git-scm.com/docs/gitglossary#def_commit_object",
    )
    version, url = packages.get(PROGRAM), project_url()
    if entities.profile.strict_software:
        # A commit's own name is known wherever it lies: SWHID 1.2, ISO/IEC 18670.
        named = f"swh:1:rev:{git['commit']}" if _is_commit(git.get("commit")) else None
        url = url or named or "not stated: the project's metadata names no URL"
        version = version or "not recorded"
    changed = bool(git.get("dirty") or git.get("changes"))
    return entities.add(
        identifier,
        _SOFTWARE,
        name=PROGRAM,
        version=version,
        url=url,
        identifier=commit,
        description="with changes that no commit holds" if changed else None,
        additionalProperty=[
            entities.value(name, git[key], of=identifier, propertyID=key)
            for name, key in (("uncommitted changes", "dirty"), ("SHA-256 of them", "diff_sha256"))
            if git.get(key) is not None
        ],
        softwareRequirements=[
            *([_package(entities, "Python", python)] if python else []),
            *(
                _package(entities, name, version)
                for name, version in sorted(packages.items(), key=lambda one: str(one[0]))
                if name != PROGRAM
            ),
        ],
    )


def agent_of(entities: Entities, provenance: Mapping[str, Any]) -> Entity | None:
    """Who started it, by the user's name on record; None where the record has none."""
    user = provenance.get("user")
    if not isinstance(user, str) or not user:
        return None
    host = provenance.get("submit_host")
    return entities.add(
        local_id("person", {"user": user, "host": host}),
        "Person",
        name=user,
        description=None if host is None else f"by the user's name on {host}",
    )


def project_url() -> str | None:
    """Where the project is found, by its own metadata; None where that does not say."""
    try:
        about = metadata(PROGRAM)
    except PackageNotFoundError:
        return None
    urls = [one.partition(",")[2].strip() for one in about.get_all("Project-URL") or ()]
    return next(iter([*urls, *(about.get_all("Home-page") or ())]), None)


def _package(entities: Entities, name: object, version: object) -> Entity:
    # No record says where a package was had: where software must have a URL it is called a work.
    strict = entities.profile.strict_software
    return entities.add(
        local_id("package", {"name": name, "version": version}),
        "CreativeWork" if strict else _SOFTWARE,
        name=str(name),
        version=None if version is None else str(version),
        additionalType=f"http://schema.org/{_SOFTWARE}" if strict else None,
    )


def _is_commit(value: object) -> bool:
    return isinstance(value, str) and _COMMIT.fullmatch(value) is not None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
