"""Power samples: the power samples that NVIDIA's driver keeps by itself, with their own times.

Read off an H200 (driver 580): 119 power samples 20 ms apart, kept for 2.4 s; whoever asks once a
second gets all of them. A sample's time is the wall clock's when it was taken.
"""

from collections.abc import Sequence
from ctypes import byref, c_uint, c_ulonglong
from typing import Any, Final

import pynvml

from telemetry.clock import US_PER_S, HostClock
from telemetry.sources.nvml.library import is_permanent, reason_of

KEPT_US: Final = 2_400_000
"""How long the driver keeps a power sample."""

# Steps of the wall clock from here on are told apart from the two readings' own jitter.
_STEP_US: Final = 5_000
# Two stamps of one sample differ by the jitter of two readings of two clocks, far below the 20 ms
# between two samples.
_SAME_US: Final = 5_000
# Far longer than anything is kept: what claims to be older has a broken stamp.
_OLDEST_US: Final = 60_000_000
# A driver whose clock is a little ahead is believed.
_FUTURE_US: Final = 200_000
# From a start on the driver fills its buffer by itself: so many samples of its last second say so.
_FRESH_US: Final = US_PER_S
_FRESH_SAMPLES: Final = 3
# Places for samples: nine times what an H200 keeps. A driver with more is given more.
_ROOM: Final = 1024
# Nothing newer than what was seen; or there was no room for it, and the next drain has it.
_NOTHING_NEW: Final = (pynvml.NVML_ERROR_NOT_FOUND, pynvml.NVML_ERROR_INSUFFICIENT_SIZE)


# The structure's own attribute access goes through Python and takes half of a drain's time.
_stamp_of: Final = pynvml.c_nvmlSample_t.timeStamp.__get__
_value_of: Final = pynvml.c_nvmlSample_t.sampleValue.__get__


class SampleBuffer:
    """One kind of sample of one GPU, drained so that each is told once."""

    def __init__(self, handle: Any, kind: int, factor: float, clock: HostClock) -> None:
        """`kind` is one of NVML's sampling types; values are multiplied by `factor`."""
        self._handle = handle
        self._kind = kind
        self._factor = factor
        self._clock = clock
        self._places = (pynvml.c_nvmlSample_t * _ROOM)()
        self._seen_stamp = 0
        self._last_us = 0
        self._floor_us = 0
        self._news_us = clock.now_us()
        self._step_us = clock.step_us()
        self.reason: str | None = None
        """Why the last drain had nothing; None when it is only that nothing is new."""
        self.permanent = False
        """True when draining again cannot help."""

    def skip_until(self, t_us: int) -> None:
        """Leave out all up to this time: it is on disk already, or before the watching."""
        self._last_us = t_us
        self._floor_us = t_us + _SAME_US

    def is_filled(self) -> bool:
        """True when the driver puts samples into it: several are of its last second."""
        _, samples = self._fetch(0)
        newest = self._clock.now_us() + self._step_us - _FRESH_US
        fresh = [stamp for stamp in map(_stamp_of, samples) if stamp >= newest]
        return len(fresh) >= _FRESH_SAMPLES

    def drain(self) -> list[tuple[int, float]]:
        """Samples since the last call as times on the host's clock and values, by time."""
        before_us, self._step_us = self._step_us, self._clock.step_us()
        stepped = abs(self._step_us - before_us) > _STEP_US
        # The driver compares stamps: after a step back all new ones would look old.
        since = 0 if stepped else self._seen_stamp
        place, samples = self._fetch(since)
        if not samples:
            return []
        now_us = self._clock.now_us()
        steps_us = (self._step_us, before_us) if stepped else (self._step_us,)
        if stepped:
            self._floor_us = self._last_us + _SAME_US
        found = []
        newest = since
        strange_us: int | None = None
        for sample in samples:
            stamp = _stamp_of(sample)
            # The buffer's empty places have no time, and "since" has been read as "from" too.
            if stamp <= since:
                continue
            t_us = self._place(stamp, steps_us, now_us)
            if t_us is None:
                off_us = stamp - self._step_us - now_us
                strange_us = strange_us if -_OLDEST_US < off_us < _FUTURE_US else off_us
            else:
                found.append((t_us, getattr(_value_of(sample), place) * self._factor))
                # Stamps of before a step back lie in the future and must not hide what follows.
                if t_us == stamp - self._step_us:
                    newest = max(newest, stamp)
        self._seen_stamp = newest
        if strange_us is not None and not found and not stepped:
            self.reason = f"the driver's times are {strange_us / US_PER_S:.0f} s off this host's"
        found.sort()
        kept = []
        for t_us, value in found:
            if t_us > self._last_us:
                kept.append((t_us, value))
                self._last_us = t_us
        self._floor_us = self._last_us
        if kept:
            self._news_us = now_us
        return kept

    def _fetch(self, since: int) -> tuple[str, Sequence[Any]]:
        """What the driver has beyond a stamp, and where its values stand; sets `reason`."""
        self.reason = None
        try:
            return self._ask(since)
        except pynvml.NVMLError as error:
            if error.value == pynvml.NVML_ERROR_INSUFFICIENT_SIZE:
                self._places = (pynvml.c_nvmlSample_t * (2 * len(self._places)))()
            if error.value not in _NOTHING_NEW:
                self.reason = reason_of(error)
                self.permanent = is_permanent(error.value)
            elif self._clock.now_us() - self._news_us > KEPT_US:
                self.reason = f"the driver has had no new sample for {KEPT_US / US_PER_S:g} s"
                # Its time may have been set back, which hides what is new behind what was seen.
                self._seen_stamp = 0
            return "", ()

    def _ask(self, since: int) -> tuple[str, Sequence[Any]]:
        """One question: nvidia-ml-py's own function asks for the number first, every time.

        Raises:
            NVMLError: there is nothing, or it cannot be had.
        """
        value_type, count = c_uint(0), c_uint(len(self._places))
        code = pynvml.nvmlLib.nvmlDeviceGetSamples(
            self._handle,
            c_uint(self._kind),
            c_ulonglong(since),
            byref(value_type),
            byref(count),
            self._places,
        )
        if code != pynvml.NVML_SUCCESS:
            raise pynvml.NVMLError(code)
        return VALUE_OF_TYPE[value_type.value], self._places[: count.value]

    def _place(self, stamp: int, steps_us: tuple[int, ...], now_us: int) -> int | None:
        """A stamp's time on the host's clock: by the step that puts it after the last one."""
        for step_us in steps_us:
            t_us = stamp - step_us
            if max(self._floor_us, now_us - _OLDEST_US) < t_us <= now_us + _FUTURE_US:
                return t_us
        return None


VALUE_OF_TYPE: Final = {
    pynvml.NVML_VALUE_TYPE_DOUBLE: "dVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_INT: "uiVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG: "ulVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: "ullVal",
    pynvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG: "sllVal",
    pynvml.NVML_VALUE_TYPE_SIGNED_INT: "siVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_SHORT: "usVal",
}
"""Where NVML's union holds a value of each type (nvml.h, nvmlValueType_t)."""
