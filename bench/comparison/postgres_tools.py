"""The tools of bench/compare_postgres, each as its users would run it on the same cluster."""

import contextlib
import os
import shutil

from comparison import measure, postgres_chain, tools
from comparison.postgres_chain import Installation

NAMES = ("pagevault", "pgbackrest", "restic", "pg_combinebackup")

STANZA = "bench"
PGBACKREST_SETTINGS = """[global]
repo1-path={repository}
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass={password}
repo1-bundle=y
repo1-block=y
repo1-retention-full=9
compress-type=zst
compress-level=1
process-max=2
start-fast=y
archive-check=n
log-level-file=off
log-level-console=warn
lock-path={scratch}/lock
spool-path={scratch}/spool
log-path={scratch}/log

[{stanza}]
pg1-path={data}
pg1-socket-path={socket}
pg1-user=postgres
"""


class PostgresTool:
    """What the walk asks of each."""

    def serving(self, _source):
        """Holds while a backup is measured."""
        return contextlib.nullcontext()

    def grown(self):
        """Bytes of the repository, WAL apart."""
        return measure.usage_of(self.repository)["size"]


class Pagevault(PostgresTool, tools.Pagevault):
    """Takes the base backups: the full one, then the incremental ones, from the disk."""

    def backup_of(self, source, _number):
        return [self.binary, "backup", "postgres", source.backup]

    def restore(self, target):
        return [self.binary, "restore", "latest", "--target", target, "--no-recovery-signal"]

    def restored(self, target, _source):
        return target


class Restic(PostgresTool, tools.Restic):
    """Takes the stopped server's directory."""

    def backup_of(self, source, _number):
        return [self.binary, "backup", "--exclude", os.path.join(source.data, "pg_wal"), source.data]

    def restored(self, target, source):
        return os.path.join(target, source.data.lstrip("/"))


class InRoot(PostgresTool, tools.Tool):
    """Runs where PostgreSQL is installed, as its user. `shared`: what it must see."""

    def __init__(self, scratch, installation):
        super().__init__(scratch)
        self.installation = installation
        self.shared = os.path.dirname(scratch)
        self.env = {**installation.environment(), "HOME": scratch}

    def command(self, program, *words):
        return self.installation.command(self.shared, program, *words)

    def fresh(self):
        shutil.rmtree(self.scratch, ignore_errors=True)
        for folder in (self.scratch, self.repository):
            self.own_folder(folder)

    def own_folder(self, folder):
        os.makedirs(folder, exist_ok=True)
        os.chown(folder, self.installation.uid, self.installation.gid)

    def restored(self, target, _source):
        return target


class PgBackRest(InRoot):
    """Takes the running server's directory: of changed files, the blocks that changed."""

    name = "pgbackrest"

    def version(self):
        return self.installation.run(self.shared, "pgbackrest", "version").stdout.decode().split()[1]

    def _pgbackrest(self, *words):
        settings = os.path.join(self.scratch, "pgbackrest.conf")
        return self.command("pgbackrest", f"--config={settings}", f"--stanza={STANZA}", *words)

    @contextlib.contextmanager
    def serving(self, source):
        cluster = postgres_chain.cluster_over(self.shared, source.data)
        settings = os.path.join(self.scratch, "pgbackrest.conf")
        is_first = not os.path.exists(settings)
        with open(settings, "w", encoding="ascii") as file:
            file.write(PGBACKREST_SETTINGS.format(
                repository=self.repository, password=tools.PASSWORD, scratch=self.scratch, stanza=STANZA,
                data=source.data, socket=cluster.socket))
        cluster.start()
        try:
            if is_first:
                measure.run(self._pgbackrest("stanza-create"), self.env)
            yield
        finally:
            cluster.stop()

    def backup_of(self, _source, number):
        return self._pgbackrest("--type=full" if number == 0 else "--type=incr", "backup")

    def grown(self):
        return measure.usage_of(os.path.join(self.repository, "backup"))["size"]

    def restore(self, target):
        self.own_folder(target)
        return self._pgbackrest(f"--pg1-path={target}", "--type=none", "restore")


class CombineBackup(InRoot):
    """Keeps the base backups as the server sent them; a restore makes a full one of them, pair by pair:
    of a longer chain pg_combinebackup inherits blocks that were truncated in between."""

    name = "pg_combinebackup"

    def version(self):
        words = self.installation.run(self.shared, "pg_combinebackup", "--version").stdout.decode().split()
        return words[2]

    def backup_of(self, source, number):
        return ["cp", "-a", source.backup, os.path.join(self.repository, f"backup-{number}")]

    def restore(self, target):
        self.own_folder(os.path.dirname(target))
        os.rmdir(target)
        chain = [os.path.join(self.repository, f"backup-{n}") for n in range(postgres_chain.STEPS + 1)]
        pairs, state = [], chain[0]
        for number, newer in enumerate(chain[1:], start=1):
            output = target if newer == chain[-1] else os.path.join(self.scratch, f"state-{number}")
            pairs.append(f"pg_combinebackup --no-sync -o {output} {state} {newer}")
            state = output
        return self.command("sh", "-ec", "\n".join(pairs))


def create(name, scratch, pagevault, peers_root):
    """The tool of that name, or None when it is not installed."""
    folder = os.path.join(scratch, name)
    if name == "pagevault":
        return Pagevault(folder, pagevault) if os.access(pagevault, os.X_OK) else None
    installation = Installation(17)
    if name == "restic":
        binary = tools.restic_binary(installation.root or peers_root)
        return Restic(folder, binary) if binary else None
    if name == "pg_combinebackup":
        return CombineBackup(folder, installation)
    if not os.path.exists((installation.root or "") + "/usr/bin/pgbackrest"):
        return None
    return PgBackRest(folder, installation)
