"""What each version's abstract names, as data, and what our names for it are."""

import re
from pathlib import Path

import pytest
import yaml

from analysis.abstracts.statement import Need, StatementKind, read_statement, statements
from analysis.abstracts.version import content, version_named, versions
from tests.analysis.abstracts.built import V1

CONF = Path(__file__).parents[3] / "conf"


def test_the_lists_are_those_of_the_abstracts() -> None:
    v1, v2, v4 = versions()
    assert [one.printed for one in v1.models] == [
        *("Falcon-7B", "Mistral-7B-v0.1", "T5-3B", "GPT-2", "GPT-J-6B", "GPT-Neo-2.7B"),
    ]
    assert [one.printed for one in v1.tasks] == [
        *("text generation", "question answering", "summarization"),
    ]
    assert [one.printed for one in v2.models] == [
        *("Falcon-7B", "Mistral-7B-v0.1", "LLaMA-3.2-1B", "LLaMA-3.2-3B", "GPT-Neo-2.7B"),
    ]
    assert [one.printed for one in v2.tasks] == [
        *("question answering", "commonsense reasoning", "factual generation"),
    ]
    assert v2.same_abstract == ("v3",)
    assert (v4.models, v4.tasks) == ((), ())
    assert tuple(name for one in v1.models for name in one.ours) == V1


@pytest.mark.parametrize("version", [one.name for one in versions()])
def test_every_version_says_where_it_was_read_and_what_nobody_knows(version: str) -> None:
    one = version_named(version)
    assert re.fullmatch(r"https://arxiv\.org/html/2501\.08219v\d", one.source)
    assert one.source.endswith(version)
    assert one.unknown
    assert one.paper == f"arXiv 2501.08219 {version}"


def test_every_data_set_that_stands_for_a_task_is_there() -> None:
    known = {path.stem for path in (CONF / "dataset").glob("*.yaml")}
    assert {name for one in versions() for task in one.tasks for name in task.ours} <= known


def test_what_is_asked_of_a_task_s_data_sets_is_of_one_kind() -> None:
    kinds: dict[str, set[str | None]] = {
        "question answering": {"qa"},
        "summarization": {"summarization"},
        "commonsense reasoning": {"choice"},
        "factual generation": {"truthfulness"},
        # Bare texts of Alpaca are answered too.
        "text generation": {"instructions", "code", None},
    }
    for version in versions():
        for task in version.tasks:
            for name in task.ours:
                said = yaml.safe_load((CONF / "dataset" / f"{name}.yaml").read_text())
                assert (said.get("task") or {}).get("kind") in kinds[task.printed], name


def test_every_claim_names_its_version_and_the_test_that_decides_it() -> None:
    for one in statements():
        assert one.id.startswith(f"{one.version.name}-")
        assert one.decided_by
        assert one.reason
        assert one.needs


def test_a_version_of_which_no_model_is_named_has_no_test() -> None:
    for one in statements():
        if not one.version.models:
            assert one.kind is StatementKind.UNDECIDED
            assert "names no model" in one.decided_by


def test_all_models_are_as_many_as_the_version_has() -> None:
    needs = {one.id: one.needs for one in statements()}
    assert needs["v1-model-moves-energy"][Need.MODELS] == 6
    assert needs["v2-model-moves-energy"][Need.MODELS] == 5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"claims": 1}, "`key` must be"),
        ({"version": "v9"}, "`version` must be"),
        ({"test": {"kind": "differs", "along": "model"}}, "`test` must have all"),
    ],
)
def test_what_is_unknown_or_cannot_be_tested_is_refused(
    change: dict[str, object], told: str
) -> None:
    said = {**content()["statements"][0], **change}
    with pytest.raises(ValueError, match=told):
        read_statement(said)
