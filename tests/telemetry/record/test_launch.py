"""A launch is refused before it is submitted, not when the job has waited for a day."""

from pathlib import Path
from typing import Any

import pytest

from telemetry.record.files import write_json
from telemetry.record.launch import LaunchConfig
from tests.support.watched_attempts import LAUNCH


def test_order_survives_its_file(tmp_path: Path) -> None:
    launch = LaunchConfig(**LAUNCH)
    write_json(tmp_path / "launch.json", launch.to_mapping())
    assert LaunchConfig.read(tmp_path / "launch.json") == launch


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("device", "tpu", "`device` must be one of cpu, cuda, but is 'tpu' instead"),
        ("telemetry", "smi", "`telemetry` must be one of .* but is 'smi' instead"),
        ("prompts_sha256", "ABC", "`prompts_sha256` must be 64 hex digits"),
        ("period_ms", 1, "`period_ms` must be a whole number of at least 10, but is 1 instead"),
        ("period_ms", 100.0, "`period_ms` must be a whole number"),
        (
            "period_ms",
            10**25,
            "`period_ms` must be a whole number of at most 60000, but is 10{25} ",
        ),
        ("warmup_batches", 10**25, "`warmup_batches` must be a whole number of at most 100000"),
        ("max_warmup_batches", 10**25, "`max_warmup_batches` must be a whole number of at most"),
        ("threads", 10**25, "`threads` must be a whole number of at most 4096, but is 10{25} "),
        ("warmup_batches", -1, "`warmup_batches` must be a whole number of at least 0"),
        ("max_warmup_batches", 2.5, "`max_warmup_batches` must be a whole number of at least 0"),
        ("warmup_spread", 1.5, "`warmup_spread` must be a number at least 0 and at most 1"),
        ("max_warmup_s", float("inf"), "`max_warmup_s` must be a number at least 0 and at most"),
        ("min_window_s", -1.0, "`min_window_s` must be a number at least 0 and at most 3600"),
        ("logit_error", "yes", "`logit_error` must be true, false or null, but is 'yes' instead"),
        ("logit_error", 1, "`logit_error` must be true, false or null, but is 1 instead"),
        ("threads", 0, "`threads` must be a whole number of at least 1 or null"),
        ("idle_s", -1.0, "`idle_s` must be a number of seconds from 0 to 3600"),
        ("idle_s", float("nan"), "`idle_s` must be a number of seconds"),
    ],
)
def test_value_that_is_not_allowed_is_refused_by_name(name: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LaunchConfig(**{**LAUNCH, name: value})


def test_an_order_from_before_windows_answers_its_prompts_once_and_warms_up_as_often_as_said() -> (
    None
):
    launch = LaunchConfig(**{**LAUNCH, "warmup_batches": 2})
    assert (launch.most_warmup_batches, launch.min_window_s) == (2, 0.0)
