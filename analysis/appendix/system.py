"""System: a system description with the fields of MLPerf Inference's, by the record.

Names as MLCommons' submission checker asks for them of a system's JSON, those for power too. It is
no submission: a field that the record cannot fill is null with the reason.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from analysis.appendix.campaign_facts import CampaignFacts
from analysis.appendix.document import Appendix, Passage, pairs
from analysis.appendix.fact import Fact, fact

_NOT_ASKED: Final = "no part of the record asks the machine for it"
_STATED: Final = "its owner states it, no record does"
# What a submission states, and no record of ours holds.
_UNKNOWN: Final[Mapping[str, str]] = {
    **dict.fromkeys(("submitter", "division", "status"), "this is no submission"),
    **dict.fromkeys(("system_name", "system_type"), _STATED),
    **dict.fromkeys(
        (
            *("host_processors_per_node", "host_processor_core_count", "host_processor_frequency"),
            *("host_processor_caches", "host_processor_interconnect", "host_memory_configuration"),
            *("host_storage_type", "host_storage_capacity", "host_networking"),
            *("host_networking_topology", "host_network_card_count"),
            *("accelerator_host_interconnect", "accelerator_interconnect"),
            *("accelerator_interconnect_topology", "accelerator_on-chip_memories"),
            *("accelerator_memory_configuration", "boot_firmware_version"),
            *("management_firmware_version", "filesystem", "disk_drives", "disk_controllers"),
            *("other_hardware", "number_of_type_nics_installed", "nics_enabled_firmware"),
            *("nics_enabled_os", "nics_enabled_connected", "network_speed_mbit"),
        ),
        _NOT_ASKED,
    ),
    **dict.fromkeys(("cooling", "power_supply_details"), _STATED),
    **dict.fromkeys(("power_supply_quantity_and_rating_watts", "system_power_only"), _STATED),
}


def fields(facts: CampaignFacts) -> dict[str, Fact]:
    """Every field, by MLPerf's name, sorted."""
    packages = facts.packages
    known = {
        "number_of_nodes": facts.of_spec("nodes"),
        "host_processor_model_name": facts.of_hosts("cpu_model"),
        "host_processor_vcpu_count": facts.of_hosts("logical_cpus"),
        "host_memory_capacity": facts.host_memory_gb,
        "accelerators_per_node": facts.of_spec("gpus_per_node"),
        "accelerator_model_name": facts.of_gpus("name"),
        "accelerator_memory_capacity": facts.gpu_memory_gb,
        "accelerator_frequency": _named("locked at MHz:", facts.of_spec("sm_clock_mhz")),
        "operating_system": facts.of_hosts("kernel"),
        "framework": _named(
            "torch", packages.get("torch", Fact(reason="no package torch is on record"))
        ),
        "other_software_stack": _named("GPU driver", facts.of_gpus("driver")),
        "power_management": _named("power cap in W:", facts.of_spec("power_cap_w")),
        "hw_notes": _named("VBIOS", facts.of_gpus("vbios")),
        "sw_notes": fact(
            f"{len(packages)} packages in provenance.json" if packages else None,
            "provenance.json names no package",
        ),
    }
    unknown = {name: Fact(reason=reason) for name, reason in _UNKNOWN.items()}
    return dict(sorted({**unknown, **known}.items()))


def _named(name: str, told: Fact) -> Fact:
    return replace(told, values=tuple(f"{name} {value}" for value in told.values))


def to_mapping(facts: CampaignFacts) -> dict[str, Any]:
    """The description's JSON form: a value is null where there is none, beside its reason."""
    return {
        name: {
            "value": told.values[0] if len(told.values) == 1 else list(told.values) or None,
            "reason": told.reason or None,
            "missing": told.missing,
            "asked": told.asked,
        }
        for name, told in fields(facts).items()
    }


def system(facts: CampaignFacts) -> Appendix:
    """The description."""
    rows = [(name, told.text) for name, told in fields(facts).items()]
    return Appendix(
        name="system",
        title="System description with MLPerf Inference's fields",
        warnings=facts.warnings(),
        blocks=(
            Passage(
                text="This is no MLPerf result and was not reviewed by MLCommons. "
                f"It is of the {len(facts.runs)} sealed runs of {facts.name}; several values stand "
                "where runs or hosts differ."
            ),
            pairs("Field", "By the record", rows),
        ),
    )
