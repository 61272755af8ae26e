"""The double takes and gives what the real classes do, as they were seen, release by release."""

import dataclasses
import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.served import served_double
from workers.engines.vllm import library

SEEN: dict[str, dict[str, list[str]]] = json.loads(
    Path(__file__).with_name("signatures.json").read_text()
)
MODULES = {
    "EngineArgs": "vllm",
    "LLMEngine": "vllm",
    "SamplingParams": "vllm.sampling_params",
    "RequestOutputKind": "vllm.sampling_params",
    "RequestOutput": "vllm.outputs",
    "CompletionOutput": "vllm.outputs",
    "BaseModelLoader": "vllm.model_executor.model_loader.base_loader",
    "register_model_loader": "vllm.model_executor.model_loader",
    "destroy_distributed_environment": "vllm.distributed.parallel_state",
    "destroy_model_parallel": "vllm.distributed.parallel_state",
    "InprocClient": "vllm.v1.engine.core_client",
    "CacheConfig": "vllm.config.cache",
}
CALLED = (
    *("LLMEngine.from_engine_args", "LLMEngine.add_request", "LLMEngine.step"),
    *("BaseModelLoader.download_model", "BaseModelLoader.load_weights"),
    *("register_model_loader", "destroy_model_parallel"),
    "destroy_distributed_environment",
)


def taken(name: str) -> list[str]:
    """What something of the library that is imported takes, or has."""
    whose, _, method = name.partition(".")
    found: Any = getattr(importlib.import_module(MODULES[whose]), whose)
    if method:
        found = getattr(found, method)
    elif whose == "RequestOutputKind":
        return [member.name for member in found]
    elif dataclasses.is_dataclass(found):
        return [field.name for field in dataclasses.fields(found)]
    elif hasattr(found, "__struct_fields__"):
        return list(found.__struct_fields__)
    return [name for name in inspect.signature(found).parameters if name not in {"self", "cls"}]


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with served_double(monkeypatch):
        yield


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("release", SEEN)
@pytest.mark.parametrize("name", [*CALLED, "EngineArgs", "SamplingParams", "CompletionOutput"])
def test_the_double_takes_nothing_that_the_library_does_not(name: str, release: str) -> None:
    real = SEEN[release][name]
    assert [one for one in taken(name) if one in real] == taken(name)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("release", SEEN)
def test_what_a_step_gives_has_its_names_in_the_library(release: str) -> None:
    assert set(taken("RequestOutput")) <= {*SEEN[release]["RequestOutput.__init__"]}
    assert taken("RequestOutputKind") == SEEN[release]["RequestOutputKind"]
    assert "shutdown" in vars(importlib.import_module("vllm")._Core)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("release", SEEN)
def test_what_is_read_of_the_cache_has_its_names_in_the_library(release: str) -> None:
    own = importlib.import_module("vllm").CacheConfig
    names = {field.name for field in dataclasses.fields(own)}
    assert names == {*SEEN[release]["CacheConfig"]}
    text = inspect.getsource(library.PagedCache.of)
    read = {name for name in names if f"told.{name}" in text}
    assert read == names - {"kv_cache_memory_bytes"}


@pytest.mark.parametrize("release", SEEN)
def test_every_setting_that_it_is_asked_for_is_one_of_the_librarys(release: str) -> None:
    text = inspect.getsource(library)
    asked = {name for name in SEEN[release]["EngineArgs"] if f'"{name}"' in text}
    assert asked | {"model", "load_format"} == {*SEEN[release]["EngineArgs"]}
    assert all(f"{name}=" in text for name in SEEN[release]["SamplingParams"])


def installed() -> Any:
    """The library itself; only where it is installed."""
    found = importlib.import_module("vllm")
    assert "double" not in found.__version__
    return found


@pytest.mark.vllm
def test_the_library_that_is_installed_is_as_it_was_seen() -> None:
    seen = SEEN[installed().__version__.partition("+")[0]]
    for name, parameters in seen.items():
        if name in {"RequestOutput.__init__", "BaseModelLoader.__init__"}:
            continue
        real = taken(name)
        if name in {"EngineArgs", "SamplingParams", "CacheConfig"}:
            assert set(parameters) <= set(real), name
        else:
            assert [one for one in real if one in parameters] == parameters, name
