"""Crate contexts: roc-validator without a network, by answers that stand in its cache beforehand.

The validator asks w3id.org for the contexts that a crate names, and ships none. What it is answered
here:

- RO-Crate 1.1: written by hand, those terms that our crates use and no other, each with the IRI
  that the published context gives it. So a term that is misspelt, or that 1.1 lacks, is refused;
  that the published context has these very terms is not proven by it.
- RO-Crate 1.3: the published context itself, which the library rocrate ships.
- Workflow Run's terms: by hand as well.
"""

import io
import json
from collections.abc import Hashable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, Final

import requests
from rdflib import plugin
from rdflib.plugins.sparql.algebra import translateQuery
from rdflib.plugins.sparql.parser import parseQuery
from rdflib.plugins.sparql.processor import SPARQLProcessor
from rdflib.plugins.sparql.sparql import Query
from rdflib.query import Processor
from requests.adapters import BaseAdapter, HTTPAdapter
from requests_cache import CachedSession
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.services import validate
from urllib3 import HTTPResponse

_SCHEMA: Final = "http://schema.org/"
_TERMS_1_1: Final = (
    *("CreateAction", "CreativeWork", "Dataset", "IndividualProduct", "Person", "Place"),
    *("PropertyValue", "SoftwareApplication", "about", "actionStatus", "additionalProperty"),
    *("agent", "contentSize", "datePublished", "description", "encodingFormat", "endTime", "error"),
    *("hasPart", "identifier", "instrument", "isRelatedTo", "license", "location"),
    *("measurementTechnique", "mentions", "name", "object", "propertyID", "result"),
    *("serialNumber", "softwareRequirements", "startTime", "unitCode", "unitText", "url"),
    *("value", "valueReference", "version"),
)
_RUN_TERMS: Final = ("ContainerImage", "containerImage", "environment", "resourceUsage", "sha256")
_WORKFLOW_RUN: Final = "https://w3id.org/ro/terms/workflow-run"


def contexts() -> Mapping[str, Mapping[str, Any]]:
    """What is answered, by URL."""
    by_hand = {term: f"{_SCHEMA}{term}" for term in _TERMS_1_1}
    # RO-Crate's own name for it, and Dublin Core's term.
    by_hand |= {
        "File": f"{_SCHEMA}MediaObject",
        "conformsTo": "http://purl.org/dc/terms/conformsTo",
    }
    run = {term: f"{_WORKFLOW_RUN}#{term}" for term in _RUN_TERMS}
    published = json.loads(files("rocrate").joinpath("data/ro-crate.jsonld").read_text("utf-8"))
    assert published["@id"] == "https://w3id.org/ro/crate/1.3/context"
    return {
        "https://w3id.org/ro/crate/1.1/context": {"@context": by_hand},
        "https://w3id.org/ro/crate/1.3/context": published,
        f"{_WORKFLOW_RUN}/context": {"@context": run},
    }


class ParsedOnce(SPARQLProcessor):
    """Answers SPARQL as rdflib does, but parses the same text once.

    The validator asks the same of each entity, and four fifths of its time are rdflib's parsing.
    """

    _known: ClassVar[dict[Hashable, Query]] = {}

    def query(  # type: ignore[override]
        self,
        strOrQuery: str | Query,  # noqa: N803 -- rdflib's own name
        initBindings: Mapping[str, Any] | None = None,  # noqa: N803 -- the same
        initNs: Mapping[str, Any] | None = None,  # noqa: N803 -- the same
        base: str | None = None,
        **more: Any,
    ) -> Mapping[str, Any]:
        """What rdflib's own processor answers."""
        if isinstance(strOrQuery, str):
            key = strOrQuery, base, tuple(sorted((k, str(v)) for k, v in (initNs or {}).items()))
            if key not in self._known:
                self._known[key] = translateQuery(parseQuery(strOrQuery), base, initNs)
            strOrQuery = self._known[key]  # noqa: N806 -- the same
        return super().query(strOrQuery, initBindings, initNs, base, **more)


class _Answers(BaseAdapter):
    def __init__(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__()
        self._known = known

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        body = json.dumps(self._known[str(request.url)]).encode()
        raw = HTTPResponse(
            body=io.BytesIO(body),
            headers={"Content-Type": "application/ld+json"},
            status=200,
            preload_content=False,
        )
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """Nothing is open."""


def fill_cache(path: Path) -> None:
    """Put the answers where the validator looks for them."""
    known = contexts()
    with CachedSession(cache_name=str(path), backend="sqlite", expire_after=-1) as session:
        session.mount("https://", _Answers(known))
        for url in known:
            session.get(url)


def required_issues(crate: Path, profile: str, cache: Path) -> list[str]:
    """What a crate lacks of what a profile of roc-validator requires, offline."""
    plugin.register("sparql", Processor, ParsedOnce.__module__, ParsedOnce.__name__)
    settings = ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier=profile,
        requirement_severity=Severity.REQUIRED,
        offline=True,
        cache_path=cache,
    )
    return [
        f"{issue.check.identifier}: {issue.message}" for issue in validate(settings).get_issues()
    ]
