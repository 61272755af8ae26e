import dataclasses

import pytest

from telemetry.record.differing import (
    LABELS,
    MEASUREMENT_FIELDS,
    SPEC_FIELDS,
    differing,
    field_value,
    short_text,
    told,
)
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC

_OTHER = {
    **{"model": "13b", "engine": "fast", "dtype": "bf16", "quantization": "int4"},
    **{"weights": "sha256-0123456789abcdef", "tokenizer": "other", "gpu": "h200", "gpus": 4},
    **{"gpus_per_node": 2, "dataset": "alpaca", "prompts": 3, "batch_size": 5},
    **{"max_prompt_len": 7, "max_gen_len": 9, "temperature": 0.1, "top_p": 0.5},
    **{"ignore_eos": True, "seed": 99, "power_cap_w": 200.0, "sm_clock_mhz": 900, "repeat": 6},
    **{"memory_clock_mhz": 1593, "prefill_power_cap_w": 210.0, "prefill_sm_clock_mhz": 910},
    **{"decode_power_cap_w": 190.0, "decode_sm_clock_mhz": 890},
    **{"arrivals_per_s": 2.0, "arrivals_seed": 9, "kv_dtype": "fp8"},
}


@pytest.mark.parametrize("name", SPEC_FIELDS)
def test_every_field_of_a_spec_that_differs_is_named(name: str) -> None:
    one = dict(SPEC)
    other = {**one, name: _OTHER[name]}
    assert differing([one, one, other]) == (name,)
    assert differing([one, one]) == ()


def test_fields_come_in_the_specs_order_and_each_has_a_heading_of_its_own() -> None:
    one = dict(SPEC)
    assert differing([one, dict(_OTHER)]) == SPEC_FIELDS
    names = [*SPEC_FIELDS, *MEASUREMENT_FIELDS]
    assert len({LABELS[name] for name in names}) == len(names)


def test_a_field_that_decides_a_measurement_is_one_of_the_launchs() -> None:
    launch = {field.name for field in dataclasses.fields(LaunchConfig)}
    assert {"min_window_s", "idle_s", "period_ms", "warmup_batches"} <= set(MEASUREMENT_FIELDS)
    assert set(MEASUREMENT_FIELDS) < launch
    assert not set(MEASUREMENT_FIELDS) & {field.name for field in dataclasses.fields(RunSpec)}


def test_a_record_of_before_a_field_has_the_value_that_such_a_run_had() -> None:
    now = dict(SPEC)
    before = {key: value for key, value in now.items() if key != "quantization"}
    assert differing([now, before]) == ()
    assert field_value({}, "min_window_s") == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (True, "yes"), (0.8, "0.8"), (0, "0"), (["a", "b"], "a, b"), ("7b", "7b")],
)
def test_a_value_is_short_in_its_cell(value: object, text: str) -> None:
    assert short_text(value) == text


def test_whole_and_real_of_one_value_do_not_differ_but_true_and_one_do() -> None:
    assert differing([{"temperature": 1}, {"temperature": 1.0}]) == ()
    assert differing([{"ignore_eos": True}, {"ignore_eos": 1}]) == ("ignore_eos",)
    assert told({"min_window_s": 5.0}, ["min_window_s"]) == "min_window_s=5"
