"""The benchmark of what reading and multiplying draw: its figures, and its words without a GPU."""

import pytest

from tests.benchmarks.draw import Drawn, Work, main

READ = Work(name="read", do=lambda: None, amount=2e9, unit="byte")
PRODUCT = Work(name="product", do=lambda: None, amount=1.5e12, unit="FLOP")


def test_joules_are_power_over_the_rate() -> None:
    # 2 GB in 0.5 ms are 4 TB/s; 640 W over 32 Tbit/s are 20 pJ.
    drawn = Drawn(first_s=4e-4, call_s=5e-4, power_w=640.0, sm_clock_mhz=1980.0)
    assert drawn.lines(READ).split(None, 1)[1] == (
        "4.000 Tbyte/s (first call 5.000), 640 W, SM clock 1980 MHz, 20.00 pJ a bit"
    )
    drawn = Drawn(first_s=2e-3, call_s=2.5e-3, power_w=660.0, sm_clock_mhz=1400.0)
    assert drawn.lines(PRODUCT).endswith("660 W, SM clock 1400 MHz, 1.10 pJ a FLOP")


def test_without_a_driver_it_says_that_power_is_not_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--device", "cpu", "--seconds", "0.05", "--settle", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["read", "copy", "product"]
    assert all(line.endswith("power not told") for line in lines)
