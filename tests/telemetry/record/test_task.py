"""Tasks: data that is checked before anything is asked."""

from typing import Any

import pytest

from telemetry.record.task import Task

GOOD: dict[str, Any] = {
    **{"kind": "qa", "hub": "someone/some", "config": None, "split": "test", "revision": None},
    **{"template": "Q: {question}\nA:", "template_if_empty": None, "references": "answers.text"},
    **{"wrong_references": None, "choices": None, "no_answer": None, "stop": ["\n"]},
    "metrics": ["exact_match"],
}


def test_a_task_is_the_same_out_of_its_own_mapping() -> None:
    task = Task.from_mapping(GOOD)
    assert Task.from_mapping(task.to_mapping()) == task
    assert task.columns == ("question", "answers.text")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "quiz"}, "`dataset.task.kind` must be one of qa, "),
        ({"hub": ""}, "`dataset.task.hub` must be text, but is '' instead"),
        ({"revision": "main"}, "`dataset.task.revision` must be a commit of 40 hex digits or null"),
        ({"template": "no column"}, "`dataset.task.template` must have columns in braces"),
        ({"template": "{question"}, "`dataset.task.template` must have columns in braces"),
        ({"template": "{a} {b!r}"}, "`dataset.task.template` must have columns in braces"),
        ({"references": "a..b"}, "`dataset.task.references` must be a dotted path"),
        ({"stop": "\n"}, "`dataset.task.stop` must be a list of texts"),
        ({"stop": [""]}, "`dataset.task.stop` must be a list of texts"),
        ({"choices": []}, "`dataset.task.choices` must be a list of texts"),
        ({"metrics": []}, "`dataset.task.metrics` must be a list of texts"),
        ({"metrics": ["rogue1"]}, "`dataset.task.metrics` must be one of "),
        ({"metrics": ["bleu_acc"]}, "`dataset.task.wrong_references` must be a column where bleu"),
        ({"metric": ["f1"]}, "`dataset.task.metric` must be one of "),
    ],
)
def test_what_is_no_task_is_refused_by_its_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"^`dataset\.task") as caught:
        Task.from_mapping({**GOOD, **change})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_key_and_what_is_no_mapping_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`dataset\.task\.stop` must be given, but is missing"):
        Task.from_mapping({name: value for name, value in GOOD.items() if name != "stop"})
    with pytest.raises(ValueError, match="must be a mapping, but is list instead"):
        Task.from_mapping([])


def test_another_template_has_another_digest() -> None:
    other = Task.from_mapping({**GOOD, "template": "{question}"})
    assert other.digest != Task.from_mapping(GOOD).digest
