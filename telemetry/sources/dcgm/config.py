"""Config: a power limit and application clocks by a host engine's configuration of a GPU.

An engine that runs as root sets what this user may not. It keeps what it was given as its target,
applies that anew after a reset of the GPU, and merges it even where the driver refused; a target
cannot be taken out again, so that whoever gives back gives the old value
(modules/config/DcgmConfigManager.cpp of github.com/NVIDIA/DCGM).
"""

import contextlib
import os
from types import TracebackType
from typing import Any, Final, Self

from telemetry.sources.dcgm.bindings import find_bindings, load_bindings
from telemetry.sources.dcgm.connection import connect

# dcgmvalue.py: DCGM_INT32_BLANK leaves a property as it is; a zero would be set.
_BLANK: Final = 0x7FFFFFF0
_GROUP_NAME: Final = "joulegrid-power"


class DcgmConfig:
    """A connection to an engine that may set its GPUs.

    Raises:
        RuntimeError: there is no engine, or no bindings.
    """

    def __init__(self, bindings: str | None, address: str | None) -> None:
        self._bindings = load_bindings(find_bindings(bindings))
        self._owner, told = connect(self._bindings, address, embed=False)
        self.address = str(told["engine"])
        try:
            self._ids = self._find_gpus()
        except self._bindings.error as error:
            self.close()
            raise RuntimeError(f"the engine at {self.address} tells of no GPU: {error}") from error

    def set(
        self,
        uuid: str,
        *,
        power_w: int | None = None,
        sm_mhz: int | None = None,
        memory_mhz: int | None = None,
    ) -> str | None:
        """Set what is given of one GPU; why the engine does not, None where it did."""
        if uuid not in self._ids:
            return f"the engine at {self.address} does not know {uuid}"
        agent, error = self._bindings.agent, self._bindings.error
        config = self._blank()
        if power_w is not None:
            config.mPowerLimit.val = power_w
        if sm_mhz is not None and memory_mhz is not None:
            config.mPerfState.targetClocks.smClock = sm_mhz
            config.mPerfState.targetClocks.memClock = memory_mhz
        handle = self._owner.handle
        try:
            with contextlib.ExitStack() as made:
                status = agent.dcgmStatusCreate()
                made.callback(agent.dcgmStatusDestroy, status)
                name = f"{_GROUP_NAME}-{os.getpid()}"
                group = agent.dcgmGroupCreate(handle, self._bindings.structs.DCGM_GROUP_EMPTY, name)
                made.callback(agent.dcgmGroupDestroy, handle, group)
                agent.dcgmGroupAddDevice(handle, group, self._ids[uuid])
                try:
                    agent.dcgmConfigSet(handle, group, config, status)
                except error as refused:
                    return self._told(status, refused)
                # A call that succeeds may have failed on one property.
                return self._told(status, None)
        except error as failed:
            return f"DCGM at {self.address}: {failed}"

    def close(self) -> None:
        """Let go of the engine; what was set stays."""
        with contextlib.suppress(self._bindings.error):
            self._owner.Shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _find_gpus(self) -> dict[str, int]:
        agent, handle = self._bindings.agent, self._owner.handle
        return {
            str(agent.dcgmGetDeviceAttributes(handle, gpu).identifiers.uuid): int(gpu)
            for gpu in agent.dcgmGetAllSupportedDevices(handle)
        }

    def _blank(self) -> Any:
        structs = self._bindings.structs
        # DCGM 4 has a second version, with profiles, which DCGM 3 does not know.
        make = getattr(structs, "c_dcgmDeviceConfig_v2", None) or structs.c_dcgmDeviceConfig_v1
        config = make()
        config.mEccMode = config.mComputeMode = _BLANK
        config.mPerfState.syncBoost = _BLANK
        config.mPerfState.targetClocks.memClock = _BLANK
        config.mPerfState.targetClocks.smClock = _BLANK
        config.mPowerLimit.type = structs.DCGM_CONFIG_POWER_CAP_INDIVIDUAL
        config.mPowerLimit.val = _BLANK
        profiles: Any = getattr(config, "mWorkloadPowerProfiles", ())
        for place in range(len(profiles)):
            profiles[place] = _BLANK
        return config

    def _told(self, status: Any, refused: Exception | None) -> str | None:
        """What the engine says of each property that it did not set."""
        told = []
        while (one := self._bindings.agent.dcgmStatusPopError(status)) is not None:
            kind = self._bindings.structs.dcgmExceptionClass(one.status)
            told.append(f"field {one.fieldId}: {kind(one.status)}")
        if not told and refused is None:
            return None
        return f"DCGM at {self.address}: {'; '.join(told) or refused}"
