"""The record of how a node's GPUs were set, and the wish that it answers."""

from pathlib import Path

import pytest

from telemetry.power.record import GpuPower, Knob, NodePower, ReadValue, Setting, Way
from telemetry.power.wish import Wish
from telemetry.record.files import write_json
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC


def _node(**setting: object) -> NodePower:
    one = Setting(
        **{
            "least": ReadValue(value=200.0, t_us=1),
            "most": ReadValue(value=700.0, t_us=1),
            "default": ReadValue(value=700.0, t_us=1),
            "before": ReadValue(value=500.0, t_us=1),
            "asked": 350.0,
            "set_us": 2,
            "took_us": 10,
            "enforced": ReadValue(value=350.0, t_us=3),
            **setting,
        }  # type: ignore[arg-type]
    )
    gpu = GpuPower(uuid="GPU-0", index=0, settings={Knob.POWER_LIMIT: one})
    return NodePower(
        host="n1",
        asked_way="auto",
        way=Way.WATCHER,
        means="NVML",
        rule="the watcher may set limits",
        gpus=(gpu,),
    )


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    node = _node()
    write_json(tmp_path / "n1.json", node.to_mapping())
    assert NodePower.read(tmp_path / "n1.json") == node


def test_what_was_not_put_back_is_named_with_both_values() -> None:
    assert "must be 500 again, but is null" in _node().unrestored[0]
    back = ReadValue(value=500.0, t_us=9)
    assert _node(restored=back, restored_by="watcher").unrestored == ()
    other = ReadValue(value=700.0, t_us=9)
    lost = _node(restored=other, restored_by="watcher").unrestored
    assert lost == ("GPU-0: `power_limit_w` must be 500 again, but is 700 instead",)


def test_a_value_that_is_null_has_a_reason_and_only_then() -> None:
    with pytest.raises(ValueError, match="`reason` must be given"):
        ReadValue()
    with pytest.raises(ValueError, match="`reason` must be given"):
        ReadValue(value=1.0, reason="why")


@pytest.mark.parametrize("change", [{"version": 2}, {"way": "magic"}, {"gpus": [{}]}, {"x": 1}])
def test_a_record_that_is_not_whole_is_refused_by_its_name(
    tmp_path: Path, change: dict[str, object]
) -> None:
    write_json(tmp_path / "n1.json", {**_node().to_mapping(), **change})
    with pytest.raises(ValueError, match=r"n1\.json: "):
        NodePower.read(tmp_path / "n1.json")


def test_a_wish_is_the_first_word_of_a_job_s_comment() -> None:
    spec = RunSpec.from_mapping({**SPEC, "power_cap_w": 250, "decode_sm_clock_mhz": 900})
    assert Wish.of(spec).comment == "joulegrid-power:cap_w=250"
    assert Wish.of(spec, "decode").comment == "joulegrid-power:cap_w=250,sm_mhz=900"
    assert Wish(power_cap_w=187.5).comment is None
    assert Wish().comment is None
    assert Wish().wants_nothing
