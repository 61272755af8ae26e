"""Double of DCGM's dcgm_agent: the calls that joulegrid makes, with NVIDIA's names and order."""
# ruff: noqa: N802, N803, PLR0917 -- the names and their order are NVIDIA's

import ctypes
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import dcgm_structs  # type: ignore[import-not-found]
from double_engine import ENGINE  # type: ignore[import-not-found]

dcgmFieldValueEntityEnumeration_f = ctypes.CFUNCTYPE(  # noqa: N816
    ctypes.c_int32,
    ctypes.c_uint32,
    ctypes.c_uint32,
    ctypes.POINTER(dcgm_structs.c_dcgmFieldValue_v1),
    ctypes.c_int32,
    ctypes.c_void_p,
)


def dcgmVersionInfo() -> Any:
    return SimpleNamespace(rawBuildInfoString="version:4.4.2;arch:x86_64;buildtype:double")


def dcgmGetAllSupportedDevices(dcgm_handle: Any) -> list[int]:
    return list(range(len(ENGINE.gpus(dcgm_handle))))


def dcgmGetDeviceAttributes(dcgm_handle: Any, gpuId: int) -> Any:
    gpu = ENGINE.gpus(dcgm_handle)[gpuId]
    return SimpleNamespace(
        identifiers=SimpleNamespace(
            uuid=gpu["uuid"],
            deviceName=gpu["name"],
            pciBusId=gpu["pci_bus_id"],
            serial="1234",
            vbios="96.00",
            driverVersion="580.1",
        ),
        powerLimits=SimpleNamespace(
            curPowerLimit=650,
            defaultPowerLimit=700,
            enforcedPowerLimit=0x7FFFFFF2,
            minPowerLimit=200,
            maxPowerLimit=700,
        ),
        memoryUsage=SimpleNamespace(fbTotal=143_771),
        settings=SimpleNamespace(migModeEnabled=int(gpu["mig"]), persistenceModeEnabled=1),
    )


def dcgmGroupCreate(dcgm_handle: Any, type: int, groupName: str) -> Any:  # noqa: A002
    assert type == dcgm_structs.DCGM_GROUP_EMPTY
    return ENGINE.make_group(dcgm_handle, groupName)


def dcgmGroupAddDevice(dcgm_handle: Any, group_id: ctypes.c_void_p, gpu_id: int) -> None:
    ENGINE.add_gpu(dcgm_handle, group_id, gpu_id)


def dcgmGroupDestroy(dcgm_handle: Any, group_id: ctypes.c_void_p) -> None:
    ENGINE.destroy(dcgm_handle, group_id)


def dcgmFieldGroupCreate(dcgm_handle: Any, fieldIds: Sequence[int], fieldGroupName: str) -> Any:
    return ENGINE.make_field_group(dcgm_handle, fieldIds, fieldGroupName)


def dcgmFieldGroupDestroy(dcgm_handle: Any, fieldGroupId: ctypes.c_void_p) -> None:
    ENGINE.destroy(dcgm_handle, fieldGroupId)


def dcgmFieldGroupGetAll(dcgm_handle: Any) -> Any:
    names = ENGINE.field_group_names(dcgm_handle)
    return SimpleNamespace(
        numFieldGroups=len(names),
        fieldGroups=[SimpleNamespace(fieldGroupName=name) for name in names],
    )


def dcgmWatchFields(
    dcgm_handle: Any,
    groupId: ctypes.c_void_p,
    fieldGroupId: ctypes.c_void_p,
    updateFreq: int,
    maxKeepAge: float,
    maxKeepSamples: int,
) -> None:
    # ctypes refuses a real number for an int64, as NVIDIA's bindings do.
    ctypes.c_int64(updateFreq), ctypes.c_double(maxKeepAge), ctypes.c_int32(maxKeepSamples)
    ENGINE.watch(dcgm_handle, groupId, fieldGroupId, updateFreq, maxKeepAge)


def dcgmUnwatchFields(
    dcgm_handle: Any, groupId: ctypes.c_void_p, fieldGroupId: ctypes.c_void_p
) -> None:
    ENGINE.unwatch(dcgm_handle, groupId, fieldGroupId)


def dcgmUpdateAllFields(dcgm_handle: Any, waitForUpdate: int) -> None:
    assert waitForUpdate == 1
    ENGINE.check(dcgm_handle, "update")


def dcgmGetValuesSince_v2(
    dcgm_handle: Any,
    groupId: ctypes.c_void_p,
    fieldGroupId: ctypes.c_void_p,
    sinceTimestamp: int,
    enumCB: Any,
    userData: object,
) -> int:
    for gpu, values in ENGINE.values(dcgm_handle, groupId, fieldGroupId, sinceTimestamp):
        array = (dcgm_structs.c_dcgmFieldValue_v1 * len(values))()
        for place, (field_id, kind, status, t_us, value) in zip(array, values, strict=True):
            place.fieldId, place.fieldType = field_id, ord(kind)
            place.status, place.ts = status, t_us
            if kind == "d":
                place.value.dbl = value
            else:
                place.value.i64 = int(value)
        pointer = ctypes.cast(array, ctypes.POINTER(dcgm_structs.c_dcgmFieldValue_v1))
        if enumCB(1, gpu, pointer, len(values), None) != 0:
            break
    return int(ENGINE.now_us()) + 1


def dcgmStatusCreate() -> Any:
    return ENGINE.make_status()


def dcgmStatusDestroy(status_handle: Any) -> None:
    ENGINE.statuses.pop(status_handle.value)


def dcgmStatusPopError(status_handle: Any) -> Any:
    told = ENGINE.statuses[status_handle.value]
    return SimpleNamespace(**told.pop(0)) if told else None


def dcgmConfigSet(dcgm_handle: Any, group_id: Any, configToSet: Any, status_handle: Any) -> None:
    ENGINE.configure(dcgm_handle, group_id, configToSet, status_handle)


def dcgmConfigEnforce(dcgm_handle: Any, group_id: Any, status_handle: Any) -> None:
    ENGINE.enforce(dcgm_handle, group_id, status_handle)


def dcgmConfigGet(
    dcgm_handle: Any,
    group_id: Any,
    reqCfgType: int,
    count: int,
    status_handle: Any,
) -> list[Any]:
    assert reqCfgType == 0, "targets alone: what stands now is the driver's to tell"
    return list(ENGINE.targets_of(dcgm_handle, group_id)[:count])
