"""The small analysis through a real SLURM: two nodes on this machine, started for the test and stopped after it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.workflow.conftest import Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.slurm]

SYSTEM_CONF = Path("/etc/slurm/slurm.conf")

CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={port}
AuthType=auth/munge
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdLogFile={folder}/log/slurmd.%n.log
SlurmdSpoolDir={folder}/spool.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2,sched_min_interval=0
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/log/jobcomp.txt
ReturnToService=2
MinJobAge=300
KillWait=5
InactiveLimit=0
DefMemPerCPU=500
NodeName=n1,n2 NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs=2 RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=8:00:00 DefaultTime=10:00 State=UP
"""


def free_ports(number: int) -> int:
    """The first of ``number`` free ports in a row."""
    for first in range(16817, 17817, number):
        try:
            for port in range(first, first + number):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    pytest.skip("no free ports for SLURM's daemons")


def stop(pid_file: Path) -> None:
    """End a daemon and wait until it has gone."""
    if not pid_file.is_file():
        return
    pid = int(pid_file.read_text())
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, kind)
            for _ in range(50):
                os.kill(pid, 0)
                time.sleep(0.1)
        except ProcessLookupError:
            return


def start_munge() -> Callable[[], None]:
    """Start the authentication daemon unless one runs; return what stops it."""
    if subprocess.run(["sh", "-c", "munge -n | unmunge"], capture_output=True, check=False).returncode == 0:
        return lambda: None
    for name in ("/run/munge", "/var/log/munge", "/var/lib/munge"):
        Path(name).mkdir(exist_ok=True)
        shutil.chown(name, "munge", "munge")
    Path("/run/munge").chmod(0o755)
    subprocess.run(["runuser", "-u", "munge", "--", "/usr/sbin/munged"], check=True)
    return lambda: stop(Path("/run/munge/munged.pid"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A SLURM of two nodes; gives the folder of its logs."""
    missing = [
        name for name in ("slurmctld", "slurmd", "sbatch", "squeue", "munged") if not shutil.which(name)
    ]
    if missing:
        pytest.skip(f"SLURM is not installed here ({', '.join(missing)} missing); on Debian: slurm-wlm munge")
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="needs the slurm extra")
    if os.geteuid() != 0:
        pytest.skip("starting SLURM's daemons for a test needs root")
    if SYSTEM_CONF.exists() or SYSTEM_CONF.is_symlink():
        pytest.skip(f"{SYSTEM_CONF} exists: the test does not touch a SLURM that is set up already")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool.n1", "spool.n2", "log"):
        (folder / name).mkdir()
    host, first = socket.gethostname().split(".")[0], free_ports(3)
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=host, folder=folder, port=first, first=first + 1, last=first + 2))
    stop_munge = start_munge()
    SYSTEM_CONF.parent.mkdir(exist_ok=True)
    SYSTEM_CONF.symlink_to(conf)
    environment = pytest.MonkeyPatch()
    environment.setenv("SLURM_CONF", str(conf))
    try:
        for command in (["slurmctld", "-c"], ["slurmd", "-N", "n1"], ["slurmd", "-N", "n2"]):
            subprocess.run(command, check=True)
        wait_until_idle(folder)
        yield folder
    finally:
        for name in ("slurmd.n1", "slurmd.n2", "slurmctld"):
            stop(folder / f"{name}.pid")
        environment.undo()
        SYSTEM_CONF.unlink()
        stop_munge()


def wait_until_idle(folder: Path) -> None:
    """Wait for both nodes."""
    for _ in range(60):
        seen = subprocess.run(
            ["sinfo", "-h", "-o", "%T %D"], capture_output=True, text=True, check=False
        ).stdout
        if seen.split() == ["idle", "2"]:
            return
        time.sleep(0.5)
    pytest.fail(
        f"SLURM's nodes are not idle after 30 s: {seen}; {(folder / 'log/slurmctld.log').read_text()[-2000:]}"
    )


def test_an_analysis_runs_through_slurm(cluster: Path, new_workspace: Callable[[], Workspace]) -> None:
    """Files to metrics of a network, with few jobs: each costs a start of Snakemake on its node."""
    workspace = new_workspace()
    workspace.rows = [row for row in workspace.rows if row["sample"] in ("signal_H1000", "qcd_4b")]
    mlp = {"kind": "kinematics_mlp", "streams": ["kinematics"], "head": [16]}
    workspace.config["models"] = {"mlp": mlp}
    workspace.config["training"]["variants"] = ["mlp"]
    workspace.config["explanation"]["variants"] = []
    workspace.config["inference"]["variants"] = []
    workspace.config["figures"].pop("variants", None)
    profile = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text(encoding="utf-8"))
    # two nodes share one small host: shorter waits, less memory asked for
    profile |= {"jobs": 8, "latency-wait": 10, "slurm-init-seconds-before-status-checks": 1, "retries": 0}
    profile |= {"seconds-between-status-checks": 1, "set-resources": ["train_network:mem_mb=2500"]}
    folder = workspace.folder / "profile"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(profile))
    metrics = workspace.results("evaluation", "mlp", "metrics.json")
    done = workspace.snakemake("--workflow-profile", str(folder), str(metrics.relative_to(workspace.folder)))
    assert done.returncode == 0, done.stdout
    assert metrics.is_file()
    completed = (cluster / "log" / "jobcomp.txt").read_text()
    # of each sample selection, sum of parts, event vector, stream; classes, normalisation, training, evaluation
    assert completed.count("JobState=COMPLETED") == 2 * 4 + 4, "the steps did not go through SLURM"
    assert "JobState=FAILED" not in completed
