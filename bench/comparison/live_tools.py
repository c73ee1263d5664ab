"""What people do today about a SQLite database in use: a copy made by SQLite itself, and then perhaps
a tool that saves the copy. Each is one command of a shell, timed as a whole."""

import os
import shlex
import shutil

from comparison import measure, tools
from comparison.sqlite_data import DATABASE


def sqlite_version():
    return measure.output_of(["sqlite3", "--version"]).split()[0]


def _shell(*words):
    return ["sh", "-c", " ".join(words)]


def _backup_into(database, copy):
    # Onto an old copy SQLite would write through a rollback journal.
    return f"rm -f {shlex.quote(copy)} && sqlite3 {shlex.quote(database)} {shlex.quote(f'.backup {copy!r}')}"


class _FullCopy(tools.Copy):
    """The newest copy alone is kept, so that many steps fit on the disk: growth is its size."""

    def version(self):
        return sqlite_version()

    def saves_live(self):
        return True

    def live(self, source):
        for name in os.listdir(self.repository):
            os.unlink(os.path.join(self.repository, name))
        return self.copy(source.database, self._next())

    def copy(self, database, path):
        raise NotImplementedError


class OnlineBackup(_FullCopy):
    name = "sqlite3 .backup"

    def copy(self, database, path):
        return ["sqlite3", database, f".backup {path!r}"]


class VacuumInto(_FullCopy):
    name = "VACUUM INTO"

    def copy(self, database, path):
        return ["sqlite3", database, f"VACUUM INTO '{path}'"]


class DumpToZstd(_FullCopy):
    name = ".dump | zstd"
    suffix = ".sql.zst"

    def copy(self, database, path):
        return _shell("sqlite3", shlex.quote(database), ".dump", "| zstd -q -T2 -o", shlex.quote(path))

    def bytes_read(self, result):
        # zstd reads from the pipe what sqlite3 wrote there; only the compressed dump is written elsewhere.
        return result["read_bytes"] - (result["written_bytes"] - result["growth_bytes"])

    def restore(self, target):
        return _shell("zstd -q -dc", shlex.quote(self._newest()), "| sqlite3",
                      shlex.quote(os.path.join(target, DATABASE)))


class _SavedCopy:
    """A tool that saves a copy made by .backup, which stays on the same path."""

    def _copied(self):
        folder = os.path.join(self.scratch, "copy")
        os.makedirs(folder, exist_ok=True)
        return Copied(folder)

    def saves_live(self):
        return True

    def live(self, source):
        copied = self._copied()
        return _shell(_backup_into(source.database, copied.database), "&&",
                      shlex.join(self.backup(copied)))

    def version(self):
        return f"{sqlite_version()} + {super().version()}"

    def restored(self, target, _source):
        return super().restored(target, self._copied())


class Copied:
    """The part of Source that tools need."""

    def __init__(self, folder):
        self.folder = folder
        self.database = os.path.join(folder, DATABASE)


class BackupToRestic(_SavedCopy, tools.Restic):
    name = ".backup + restic"


class BackupToBorg(_SavedCopy, tools.Borg):
    name = ".backup + borg"


def create(name, scratch, peers_root):
    """The tool of that name, or None when a part of it is not installed."""
    folder = os.path.join(scratch, name)
    if shutil.which("sqlite3") is None:
        return None
    if name == "backup-restic":
        binary = tools.restic_binary(peers_root)
        return BackupToRestic(folder, binary) if binary else None
    if name == "backup-borg":
        prefix = tools.borg_prefix(peers_root, scratch)
        return BackupToBorg(folder, prefix) if prefix else None
    if name == "dump-zstd":
        return DumpToZstd(folder) if shutil.which("zstd") else None
    return {"backup": OnlineBackup, "vacuum-into": VacuumInto}[name](folder)


NAMES = ("backup", "vacuum-into", "backup-restic", "backup-borg", "dump-zstd")
