"""Origin: where a run comes from, as far as it is on record."""

from collections.abc import Mapping
from typing import Any

from analysis.runs.sealed_runs import Run


def origin(run: Run) -> dict[str, Any]:
    """Where a run comes from, as far as it is on record; texts for the page."""
    provenance = run.provenance
    git = provenance.get("git")
    git = git if isinstance(git, dict) else {}
    packages = provenance.get("packages")
    packages = packages if isinstance(packages, dict) else {}
    commit = git.get("commit")
    return {
        "run_id": run.run_id,
        "attempt": run.attempt.number,
        "commit": str(commit) if commit else f"none: {git.get('reason', 'not on record')}",
        "dirty": bool(git.get("dirty")),
        "user": str(provenance.get("user", "not on record")),
        "submit_host": str(provenance.get("submit_host", "not on record")),
        "command": _command(provenance.get("command")),
        "python": str(provenance.get("python", "not on record")),
        "packages": ", ".join(f"{name} {packages[name]}" for name in sorted(packages, key=str)),
        "hosts": [_host_text(name, host) for name, host in sorted(run.hosts.items())],
        "sensors": [f"{name}: {_sensor_text(host)}" for name, host in sorted(run.hosts.items())],
        "gpus": [
            _gpu_text(gpu)
            for _, host in sorted(run.hosts.items())
            if isinstance(host, dict)
            for gpu in host.get("gpus") or []
            if isinstance(gpu, dict)
        ],
    }


def _host_text(name: str, host: object) -> str:
    platform = host.get("platform") if isinstance(host, dict) else None
    platform = platform if isinstance(platform, dict) else {}
    parts = [
        str(platform[key]) + unit
        for key, unit in (("cpu_model", ""), ("logical_cpus", " CPUs"), ("kernel", ""))
        if platform.get(key) is not None
    ]
    return f"{name}: {', '.join(parts)}" if parts else name


def _sensor_text(host: object) -> str:
    """Which source watched the host, and its power model when it is a simulation."""
    source = host.get("source") if isinstance(host, dict) else None
    source = source if isinstance(source, dict) else {}
    texts = [str(source.get("name", "not on record"))]
    texts += [str(source[key]) for key in ("model", "power_model") if source.get(key)]
    return "; ".join(texts)


def _gpu_text(gpu: Mapping[str, Any]) -> str:
    mark = " (simulated)" if gpu.get("simulated") else ""
    limit = gpu.get("power_limit_w")
    watts = f", limit {limit} W" if limit is not None else ""
    return f"{gpu.get('uuid')}: {gpu.get('name')}{watts}{mark}"


def _command(command: object) -> str:
    return " ".join(str(word) for word in command) if isinstance(command, list) else "not on record"
