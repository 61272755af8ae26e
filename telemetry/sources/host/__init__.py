"""What a node knows of itself: CPUs, ranks, zones, rails, IPMI.

- `dcmi`: power of the whole node as its service processor tells it, by `ipmitool`.
- `hwmon`: power of rails, CPUs and modules as Linux' hardware monitors tell it.
- `powercap`: energy of CPU packages and their memory as Linux counts it (RAPL).
- `rank_processes`: CPU time and memory of the ranks of one host, from the moment they
  register.
- `source`: what a node knows of itself: its CPUs, ranks, CPU packages, rails and own power.

Public: `BESIDE_GPUS_US`, `Dcmi`, `HWMON_ROOT`, `HostSource`, `POWERCAP_ROOT`, `Powercap`,
`cpu_model`, `describe_platform`, `find_rails`.
"""
