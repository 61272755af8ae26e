"""Fields, GPU kinds and schemas: the words that all parts of the record share."""

import dataclasses
import re

import pyarrow as pa
import pytest

from telemetry.record import fields, launch
from telemetry.record.fields import FIELDS, Field, Kind, Subject, add_field
from telemetry.record.launch import LaunchConfig
from telemetry.record.schema import TABLES, EndState, Phase
from telemetry.sources.dcgm import fields as dcgm
from tests.support.watched_attempts import LAUNCH

SUFFIX: dict[str, str | tuple[str, ...]] = {
    "W": "_w",
    "J": "_j",
    "B": "_bytes",
    "B/s": "_bytes_per_s",
    "MHz": "_mhz",
    "degC": "_c",
    "1": ("_utilization", "_active", "_occupancy", "_reasons", "xid"),
}


@pytest.mark.parametrize("field", FIELDS.values(), ids=str)
def test_field_s_name_ends_in_its_unit(field: Field) -> None:
    assert field.name.endswith(SUFFIX[field.unit])


def test_dcgm_ids_are_bound_once() -> None:
    ids = [field.dcgm_id for field in FIELDS.values() if field.dcgm_id is not None]
    assert len(ids) == len(set(ids))
    assert all(
        field.subject is Subject.GPU for field in FIELDS.values() if field.dcgm_id is not None
    )


def test_energy_is_a_counter_and_nothing_else_is() -> None:
    counters = {field.name for field in FIELDS.values() if field.kind is Kind.COUNTER}
    assert counters == {"energy_j", "zone_energy_j"}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_column_of_a_table_says_its_unit_where_it_has_one(name: str) -> None:
    for field in TABLES[name]:
        assert re.fullmatch(r"[a-z][a-z_]*", field.name)
        if pa.types.is_float64(field.type) and field.name != "value":
            assert field.name.endswith("_j")


def test_words_of_the_record_are_lower_case() -> None:
    assert all(re.fullmatch(r"[a-z]+", word) for word in (*Phase, *EndState))


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Field:
    monkeypatch.setattr(fields, "FIELDS", dict(FIELDS))
    for module in (launch, dcgm):
        monkeypatch.setattr(module, "FIELDS", fields.FIELDS)
    return Field(
        name="fan_power_w",
        subject=Subject.GPU,
        kind=Kind.GAUGE,
        unit="W",
        meaning="What a board's fans draw.",
        dcgm_id=9_001,
    )


def test_a_field_that_is_added_can_be_asked_for_and_is_watched(toy: Field) -> None:
    add_field(toy)
    asked = LaunchConfig(**{**LAUNCH, "gpu_fields": [toy.name]})
    assert asked.gpu_fields == (toy.name,)
    assert dcgm.dcgm_fields(asked.gpu_fields) == [toy]
    add_field(toy)


def test_a_field_with_another_s_name_or_id_is_refused(toy: Field) -> None:
    for known in ({"name": "energy_j", "dcgm_id": None}, {"dcgm_id": 156}):
        with pytest.raises(ValueError, match="must have a name and an id of its own"):
            add_field(dataclasses.replace(toy, **known))
