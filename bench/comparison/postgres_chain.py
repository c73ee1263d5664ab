"""A PostgreSQL 17 cluster in use: a full base backup, three incremental ones, and the stopped server's
directory at the time of each.

Made by a real server (tests/postgres, scripts/postgres-root) once and kept. The tables are those of
postgres_data. WAL is left out of all: the base backups are made with -X none.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from comparison import measure, postgres_data
from comparison.source import Source

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests"))
from postgres import basebackup  # noqa: E402
from postgres.cluster import Cluster  # noqa: E402
from postgres.installation import Installation  # noqa: E402

SEED = postgres_data.SEED
STEPS = 3
TRANSACTIONS = 10_000
SETTINGS = {"shared_buffers": "512MB", "min_wal_size": "64MB", "max_wal_size": "512MB",
            "archive_mode": "on", "archive_command": "true", "unix_socket_permissions": "0777"}


def cluster_over(scratch, data):
    """A server of `data`, which lies below scratch."""
    cluster = Cluster(Installation(17), scratch, "server", data=data)
    cluster.settings.update(SETTINGS)
    return cluster


def backup_folder(folder, number):
    return os.path.join(folder, f"backup-{number}")


def state_folder(folder, number):
    return os.path.join(folder, f"state-{number}")


class _Maker:
    def __init__(self, folder, scale):
        self.folder = folder
        self.scale = scale
        self.names = {"documents": max(1, int(postgres_data.DOCUMENTS * scale)),
                      "customers": max(1, int(postgres_data.CUSTOMERS * scale))}
        self.cluster = cluster_over(folder, os.path.join(folder, "live"))
        self.scripts = self.cluster.folder("scripts")

    def make(self):
        """Returns what each base backup cost: seconds, bytes."""
        self.cluster.folder("live")
        self.cluster.run("initdb", "-D", self.cluster.data, "-k", "-A", "trust", "-E", "UTF8",
                         "--locale=C", "--no-sync")
        self.cluster.start()
        try:
            self._fill()
            costs = [self._step(0)]
            for number in range(1, STEPS + 1):
                self._transactions(SEED + number)
                costs.append(self._step(number))
        finally:
            self.cluster.remove()
        return costs

    def _fill(self):
        scale = max(1, round(postgres_data.PGBENCH_SCALE * self.scale))
        self.cluster.pgbench("-i", "-q", "-F", "90", "-s", str(scale))
        self.cluster.psql(postgres_data.CREATE_TABLE)
        lines = postgres_data.document_lines(self.names)
        with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=self.scripts, delete=False) as file:
            file.writelines(lines)
        os.chmod(file.name, 0o644)
        self.cluster.psql(f"COPY documents FROM '{file.name}'")
        os.unlink(file.name)
        self._transactions(SEED)
        self.cluster.psql("VACUUM ANALYZE")

    def _transactions(self, seed):
        words = []
        for text, weight in ((postgres_data.CHANGE_SCRIPT, 3), (postgres_data.ADD_SCRIPT, 1)):
            path = os.path.join(self.scripts, f"{weight}.sql")
            with open(path, "w", encoding="ascii") as file:
                file.write(text.format(**self.names))
            words += ["-f", f"{path}@{weight}"]
        self.cluster.pgbench("-n", f"--random-seed={seed}", "-t", str(TRANSACTIONS), "-b",
                             "tpcb-like@4", *words)

    def _step(self, number):
        """A base backup, and a copy of the server's directory."""
        folder = backup_folder(self.folder, number)
        parent = backup_folder(self.folder, number - 1) if number > 0 else None
        start = time.monotonic()
        basebackup.take(self.cluster, folder, parent, wal="none")
        seconds = time.monotonic() - start
        self.cluster.stop()
        subprocess.run(["cp", "-a", self.cluster.data, state_folder(self.folder, number)], check=True)
        self.cluster.start()
        return {"seconds": seconds, "bytes": measure.usage_of(folder)["size"]}


def make(folder, scale):
    """Makes backups and states in `folder` unless they are there."""
    if os.path.exists(os.path.join(folder, "chain.json")):
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    costs = _Maker(folder, scale).make()
    state = state_folder(folder, 0)
    size = measure.usage_of(state)["size"] - measure.usage_of(os.path.join(state, "pg_wal"))["size"]
    with open(os.path.join(folder, "chain.json"), "w", encoding="ascii") as file:
        json.dump({"bytes": size, "transactions": TRANSACTIONS, "backups": costs}, file)


def describe(folder):
    with open(os.path.join(folder, "chain.json"), encoding="ascii") as file:
        return json.load(file)


class ChainSource(Source):
    """The server's directory, always at the same path, and the base backup that belongs to it."""

    def __init__(self, made, folder):
        super().__init__(folder)
        self.made = made
        self.data = os.path.join(folder, "pgdata")
        self.backup = None

    def go_to(self, number):
        shutil.rmtree(self.data, ignore_errors=True)
        subprocess.run(["cp", "-a", state_folder(self.made, number), self.data], check=True)
        self.backup = backup_folder(self.made, number)
        self.settle()

    def warm(self):
        """The base backup too."""
        super().warm()
        for directory, _, names in os.walk(self.backup):
            for name in names:
                with open(os.path.join(directory, name), "rb", buffering=0) as file:
                    while file.read(1 << 20):
                        pass
