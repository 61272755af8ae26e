"""DevCluster: one cluster's folder and the daemons in it."""

import contextlib
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from configuration import Plan, free_ports, write_configuration
from daemons import Daemon, answers, kill_namespace, listens, uts_namespace, within

# A Unix socket's path has 108 bytes (unix(7)); slurmd's end in spool/n62/n62_<job>.<step>.
_MOST_FOLDER_BYTES: Final = 70
# Cold start of MariaDB on a busy machine takes 10 s; more means that it hangs.
_PATIENCE_S: Final = 60.0
# MariaDB closes its files in half a second with innodb-fast-shutdown=2.
_END_S: Final = 8.0
_PROGRAMS: Final = (
    "munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sacctmgr",
    "scontrol", "sinfo", "unshare",
)  # fmt: skip
# Debian keeps the daemons where a plain user's PATH does not lead.
_SYSTEM_PATH: Final = "/usr/local/sbin:/usr/sbin:/sbin"
# $0 is the node's name, $1 its hosts file; the rest is the daemon.
_ENTER_NODE: Final = 'hostname "$0" && mount --bind "$1" /etc/hosts && shift && exec "$@"'
# Nothing that means something in slurm.conf or to a shell.
_FOLDER: Final = re.compile(r"[A-Za-z0-9/._-]+")
# Where clients, and jobs of other users, find configuration, munge's socket, scripts and GPUs.
_PASSED_THROUGH: Final = ("etc", "run", "spool", "dev")
_ABSENT: Final = ("down", "unknown", "fail")


class ClusterError(RuntimeError):
    """The cluster cannot do what was asked; the message is one line or ends with a log."""


class DevCluster:
    """One cluster's folder and the daemons in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {
            **os.environ,
            "PATH": f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_PATH}",
            "SLURM_CONF": str(folder / "etc" / "slurm.conf"),
            # Where MariaDB's client library looks for "localhost".
            "MYSQL_UNIX_PORT": str(folder / "run" / "mariadb"),
        }

    @property
    def plan(self) -> Plan:
        """What the cluster was made with.

        Raises:
            ClusterError: the folder holds no cluster.
        """
        try:
            return Plan(**json.loads(self._plan_path.read_text()))
        except FileNotFoundError:
            raise ClusterError(f"{self.folder} holds no cluster; `up` makes one") from None

    @property
    def slurm_conf(self) -> Path:
        """What SLURM_CONF must be for Slurm's commands to talk to this cluster."""
        return Path(self.plan.folder) / "etc" / "slurm.conf"

    def up(
        self,
        nodes: int,
        gpus_per_node: int,
        *,
        real_gpus: bool,
        gpu_types: Sequence[str] = ("a100",),
        shared: bool = False,
    ) -> None:
        """Start what does not run yet, on a cluster made with exactly these numbers.

        Raises:
            ClusterError: the packages are missing, the folder holds another cluster, or something
                does not start.
        """
        path = self._environment["PATH"]
        if absent := [name for name in _PROGRAMS if shutil.which(name, path=path) is None]:
            raise ClusterError(
                f"{', '.join(absent)} must be installed; slurm/packages.txt lists the packages"
            )
        if shared and os.getuid() != 0:
            raise ClusterError(
                f"`--shared` must be asked for by root, whose daemons become other users, but uid "
                f"{os.getuid()} asks"
            )
        plan = self._open_plan(
            nodes, gpus_per_node, real_gpus=real_gpus, gpu_types=gpu_types, shared=shared
        )
        self._start_munge()
        self._start_accounting(plan)
        self._start_controller()
        for node in plan.node_names:
            self.start_node(node)
        self._wait("all nodes", lambda: self._ready_nodes() >= plan.nodes, "slurmctld")

    def start_node(self, node: str) -> None:
        """Start a node's slurmd in host name and mounts of its own."""
        self._check_node(node)
        (self.folder / "spool" / node).mkdir(exist_ok=True)
        if self.plan.shared:
            (self.folder / "spool" / node).chmod(0o755)
        enter = ["unshare", "--mount", "--uts"]
        if os.getuid() != 0:
            enter += ["--user", "--map-current-user", "--keep-caps"]
        hosts = str(self.folder / "etc" / "hosts")
        command = [*enter, "sh", "-c", _ENTER_NODE, node, hosts]
        self._start(node, [*command, "slurmd", "-D", "-N", node], on_node=True)

    def crash_node(self, node: str) -> None:
        """Kill everything on a node at once: slurmd, its steps and their processes."""
        self._check_node(node)
        daemon = Daemon.read(self._record(node))
        if daemon is not None:
            kill_namespace(daemon.uts)
            # A namespace's number may come round again.
            self._record(node).unlink()

    def restart_controller(self) -> None:
        """Kill slurmctld as a crash would and start it again; running jobs stay."""
        self._end("slurmctld", signal.SIGKILL)
        self._start_controller()

    def down(self, *, purge: bool) -> None:
        """End all daemons and jobs; `purge` removes the folder too."""
        plan = self.plan
        sign = signal.SIGKILL if purge else signal.SIGTERM
        self._end("slurmctld", sign)
        for node in plan.node_names:
            self.crash_node(node)
        for name in ("slurmdbd", "mariadbd", "munged"):
            self._end(name, sign)
        if purge:
            shutil.rmtree(self.folder)

    def status(self) -> tuple[str, bool]:
        """What runs, for people; True when all does."""
        names = ["munged", "mariadbd", "slurmdbd", "slurmctld", *self.plan.node_names]
        lines, whole = [], True
        for name in names:
            daemon = Daemon.read(self._record(name))
            if daemon is not None and daemon.alive():
                lines.append(f"{name:<10} runs, pid {daemon.pid}")
            else:
                lines.append(f"{name:<10} down")
                whole = False
        lines.append(self._try(["sinfo", "-N", "-o", "%6N %12T %16G %E"]).rstrip())
        return "\n".join(lines), whole

    def _open_plan(
        self,
        nodes: int,
        gpus_per_node: int,
        *,
        real_gpus: bool,
        gpu_types: Sequence[str],
        shared: bool,
    ) -> Plan:
        if self._plan_path.is_file():
            plan = self.plan
            asked = (nodes, gpus_per_node, real_gpus, list(gpu_types))
            if asked != (plan.nodes, plan.gpus_per_node, plan.real_gpus, list(plan.gpu_types)):
                held, types = ",".join(plan.gpu_types), ",".join(gpu_types)
                kinds = "" if held == types else f" (of types {held}, not {types})"
                raise ClusterError(
                    f"{self.folder} holds a cluster of {plan.nodes} nodes x {plan.gpus_per_node} "
                    f"GPUs, not {nodes} x {gpus_per_node}{kinds}; `down --purge` removes it"
                )
            if shared and not plan.shared:
                raise ClusterError(
                    f"{self.folder} holds a cluster of one user; `down --purge` removes it"
                )
            return plan
        plan = Plan(
            folder=str(self.folder),
            nodes=nodes,
            gpus_per_node=gpus_per_node,
            real_gpus=real_gpus,
            gpu_types=tuple(gpu_types),
            port=free_ports(),
            host=socket.gethostname().partition(".")[0],
            user=pwd.getpwuid(os.getuid()).pw_name,
            shared=shared,
        )
        for name in ("etc", "run", "log", "state", "spool", "dev", "munge", "db", "tmp"):
            (self.folder / name).mkdir(mode=0o700)
        if shared:
            # To be passed through, not listed: keys, books and states stay root's own.
            for name in ("", *_PASSED_THROUGH):
                (self.folder / name).chmod(0o711)
        write_configuration(plan)
        (self.folder / "munge" / "key").write_bytes(secrets.token_bytes(128))
        (self.folder / "munge" / "key").chmod(0o400)
        # Written last: a folder without it is no cluster.
        self._plan_path.write_text(json.dumps(asdict(plan)))
        return plan

    @property
    def _plan_path(self) -> Path:
        return self.folder / "cluster.json"

    def _record(self, name: str) -> Path:
        return self.folder / "run" / f"{name}.json"

    def _start_munge(self) -> None:
        munge = self.folder / "munge"
        command = ["munged", "--foreground", "--force", "--num-threads=2"]
        command += [f"--key-file={munge / 'key'}", f"--socket={self.folder / 'run' / 'munge'}"]
        command += [f"--pid-file={munge / 'pid'}", f"--seed-file={munge / 'seed'}"]
        command += [f"--log-file={self.folder / 'log' / 'munge.log'}"]
        self._start("munged", command)
        self._wait("munge", lambda: listens(self.folder / "run" / "munge"), "munged")

    def _start_accounting(self, plan: Plan) -> None:
        data = self.folder / "db"
        user = f"--user={plan.user}"
        # A server that starts deletes the temporary tables of every other one in its tmpdir.
        scratch = f"--tmpdir={self.folder / 'tmp'}"
        if not (data / "mysql").is_dir():
            self._ask(
                ["mariadb-install-db", "--no-defaults", f"--datadir={data}", scratch, user,
                 "--auth-root-authentication-method=normal", "--skip-test-db"]
            )  # fmt: skip
        # Small, without a network, and free to lose its last second: nobody's accounts.
        self._start(
            "mariadbd",
            ["mariadbd", "--no-defaults", f"--datadir={data}", scratch, user, "--skip-networking",
             f"--socket={self.folder / 'run' / 'mariadb'}", f"--pid-file={data / 'pid'}",
             "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0",
             "--innodb-fast-shutdown=2", "--innodb-lock-wait-timeout=900"],
        )  # fmt: skip
        self._wait("MariaDB", lambda: listens(self.folder / "run" / "mariadb"), "mariadbd")
        self._start("slurmdbd", ["slurmdbd", "-D"])
        self._wait("slurmdbd", lambda: answers(plan.port + 1), "slurmdbd")

    def _start_controller(self) -> None:
        if not (self.folder / "state" / "clustername").is_file():
            self._wait("the cluster's accounts", self._add_cluster, "slurmdbd")
        self._start("slurmctld", ["slurmctld", "-D"])
        self._wait("slurmctld", lambda: "is UP" in self._try(["scontrol", "ping"]), "slurmctld")

    def _add_cluster(self) -> bool:
        said = self._try(["sacctmgr", "-i", "add", "cluster", "devcluster"])
        return "Adding Cluster" in said or "already exists" in said

    def _ready_nodes(self) -> int:
        """Nodes that slurmctld hears of, drained ones too; it marks the silent with a star."""
        states = self._try(["sinfo", "-h", "-N", "-p", "main", "-o", "%T"]).split()
        return sum(not (state.endswith("*") or state.startswith(_ABSENT)) for state in states)

    def _start(self, name: str, command: Sequence[str], *, on_node: bool = False) -> None:
        daemon = Daemon.read(self._record(name))
        if daemon is not None and daemon.alive():
            return
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        if on_node:
            # Until the node's namespace is made, it is the machine's own.
            mine = uts_namespace(os.getpid())
            self._wait(f"{name}'s host name", lambda: uts_namespace(process.pid) != mine, name)
        if process.poll() is not None:
            raise ClusterError(f"{name} ended with {process.returncode}: {self._last_words(name)}")
        Daemon.of(process.pid, on_node=on_node).write(self._record(name))

    def _end(self, name: str, sign: signal.Signals) -> None:
        daemon = Daemon.read(self._record(name))
        if daemon is not None:
            daemon.end(sign, _END_S)

    def _check_node(self, node: str) -> None:
        names = self.plan.node_names
        if node not in names:
            raise ClusterError(f"`NODE` must be one of {', '.join(names)}, but is {node!r} instead")

    def _wait(self, what: str, condition: Callable[[], bool], log: str) -> None:
        if not within(_PATIENCE_S, condition):
            raise ClusterError(f"waited {_PATIENCE_S:g} s for {what}: {self._last_words(log)}")

    def _last_words(self, name: str) -> str:
        path = self.folder / "log" / f"{name}.log"
        words = path.read_text(errors="replace")[-1500:] if path.is_file() else "(nothing)"
        return f"{path} ends:\n{words}"

    def _try(self, command: Sequence[str]) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=self._environment, timeout=30
        )
        return done.stdout + done.stderr

    def _ask(self, command: Sequence[str]) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=self._environment, timeout=60
        )
        if done.returncode:
            raise ClusterError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout


def default_folder() -> Path:
    """Where the cluster lies when nobody says."""
    if named := os.environ.get("JOULEGRID_DEVCLUSTER"):
        return Path(named)
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "joulegrid"
    return Path(f"/tmp/joulegrid-{os.getuid()}")  # noqa: S108 (see open_folder)


def open_folder(folder: Path) -> Path:
    """The cluster's folder, made if need be, and nobody else's.

    Raises:
        ClusterError: its path is too long or odd, or it is another user's.
    """
    folder = folder.absolute()
    if len(os.fsencode(folder)) > _MOST_FOLDER_BYTES or not _FOLDER.fullmatch(str(folder)):
        raise ClusterError(
            f"`folder` must be a path of at most {_MOST_FOLDER_BYTES} letters, digits and / . _ -, "
            f"but is {str(folder)!r} instead"
        )
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    # A folder in /tmp may have been put there by somebody else.
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ClusterError(f"{folder} must be a folder of yours, but is not")
    if not (folder / "cluster.json").is_file() and any(folder.iterdir()):
        raise ClusterError(f"{folder} must be empty or a cluster's, but holds something else")
    if not _is_shared(folder):
        folder.chmod(0o700)
    return folder


def _is_shared(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "cluster.json").read_text()).get("shared"))
    except FileNotFoundError:
        return False
