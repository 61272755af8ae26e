"""Double of DCGM's dcgm_structs: the names, layouts and errors that joulegrid uses of it."""
# ruff: noqa: N801, N802 -- the names are NVIDIA's

import ctypes

DCGM_OPERATION_MODE_AUTO = 1
DCGM_GROUP_EMPTY = 1

DCGM_ST_BADPARAM = -1
DCGM_ST_NOT_SUPPORTED = -6
DCGM_ST_NO_DATA = -14
DCGM_ST_NOT_WATCHED = -16
DCGM_ST_REQUIRES_ROOT = -29
DCGM_CONFIG_POWER_CAP_INDIVIDUAL = 0
DCGM_ST_CONNECTION_NOT_VALID = -21
DCGM_ST_LIBRARY_NOT_FOUND = -25
DCGM_ST_DUPLICATE_KEY = -26
DCGM_ST_MODULE_NOT_LOADED = -33

_WORDS = {
    DCGM_ST_BADPARAM: "Bad parameter passed to function",
    DCGM_ST_NOT_SUPPORTED: "Feature not supported",
    DCGM_ST_NO_DATA: "No data is available",
    DCGM_ST_NOT_WATCHED: "Field is not being updated",
    DCGM_ST_REQUIRES_ROOT: "This operation requires the hostengine to be running as root",
    DCGM_ST_CONNECTION_NOT_VALID: "The connection to the host engine is not valid any longer",
    DCGM_ST_LIBRARY_NOT_FOUND: "DCGM library could not be found",
    DCGM_ST_DUPLICATE_KEY: "Duplicate key passed to function",
    DCGM_ST_MODULE_NOT_LOADED: "This request is serviced by a module that is not loaded",
}


class DCGMError(Exception):
    """What every failed call raises."""

    def __init__(self, value: int) -> None:
        super().__init__(_WORDS.get(value, str(value)))
        self.value = value


class c_dcgmFieldValue_v1_value(ctypes.Union):
    _fields_ = (
        ("i64", ctypes.c_int64),
        ("dbl", ctypes.c_double),
        ("str", ctypes.c_char * 256),
        ("blob", ctypes.c_byte * 4096),
    )


class c_dcgmFieldValue_v1(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_uint),
        ("fieldId", ctypes.c_ushort),
        ("fieldType", ctypes.c_short),
        ("status", ctypes.c_int),
        ("ts", ctypes.c_int64),
        ("value", c_dcgmFieldValue_v1_value),
    )


def dcgmExceptionClass(error_code: int) -> type[DCGMError]:
    """NVIDIA's has a class for each code."""
    return DCGMError


class c_dcgmClockSet_v1(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        ("memClock", ctypes.c_uint),
        ("smClock", ctypes.c_uint),
    )


class c_dcgmConfigPerfStateSettings_t(ctypes.Structure):
    _fields_ = (("syncBoost", ctypes.c_uint), ("targetClocks", c_dcgmClockSet_v1))


class c_dcgmConfigPowerLimit(ctypes.Structure):
    _fields_ = (("type", ctypes.c_uint), ("val", ctypes.c_uint))


class c_dcgmDeviceConfig_v2(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_uint),
        ("gpuId", ctypes.c_uint),
        ("mEccMode", ctypes.c_uint),
        ("mComputeMode", ctypes.c_uint),
        ("mPerfState", c_dcgmConfigPerfStateSettings_t),
        ("mPowerLimit", c_dcgmConfigPowerLimit),
        ("mWorkloadPowerProfiles", ctypes.c_uint * 8),
    )


def _dcgmInit(libDcgmPath: str | None = None) -> None:  # noqa: N803
    """The double has no library to load; a state file can say that there is none."""
    import double_engine  # type: ignore[import-not-found]  # noqa: PLC0415

    double_engine.ENGINE.load_library()
