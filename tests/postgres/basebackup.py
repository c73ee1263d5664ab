"""Base backups by the stock tools, and what the stock tools say about them."""

import os
import re
import shutil


def label(folder):
    """The lines of a backup's label: what is before and what is behind the colon."""
    with open(os.path.join(folder, "backup_label"), encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(": ", 1) for line in file)


def start_lsn(folder):
    return re.match(r"[0-9A-F]+/[0-9A-F]+", label(folder)["START WAL LOCATION"])[0]


def links(folder):
    """oid -> path, of the tablespaces of a data directory that are links."""
    place = os.path.join(folder, "pg_tblspc")
    return {name: os.readlink(os.path.join(place, name)) for name in sorted(os.listdir(place))
            if os.path.islink(os.path.join(place, name))}


def tablespace_folder(folder, oid):
    """Where this module puts a tablespace of the data directory `folder`."""
    return f"{folder}.tablespaces/{oid}"


def take(cluster, folder, parent=None, tar=False, wal="stream", options=()):
    """pg_basebackup into `folder`; incremental when `parent`, a backup or its manifest, is given.

    Plain: tablespaces go beside it (tablespace_folder).
    """
    command = ["-h", cluster.socket, "-D", folder, "-c", "fast", "--no-sync", "-X", wal, *options]
    if parent is not None:
        manifest = os.path.join(parent, "backup_manifest") if os.path.isdir(parent) else parent
        command.append(f"--incremental={manifest}")
    cluster.folder(os.path.relpath(folder, cluster.scratch))
    if tar:
        command.append("-Ft")
    else:
        cluster.folder(os.path.relpath(f"{folder}.tablespaces", cluster.scratch))
        command += [f"-T{place}={tablespace_folder(folder, oid)}"
                    for oid, place in cluster.tablespaces().items()]
    cluster.run("pg_basebackup", *command)
    return folder


def take_to_stdout(cluster, path, parent=None, options=()):
    """One tar with the manifest inside. Only without tablespaces that are links."""
    command = ["-h", cluster.socket, "-D", "-", "-Ft", "-c", "fast", "--no-sync", "-X", "fetch", *options]
    if parent is not None:
        command.append(f"--incremental={os.path.join(parent, 'backup_manifest')}")
    with open(path, "wb") as file:
        cluster.run("pg_basebackup", *command, output=file)
    return path


def combine(cluster, older, newer, folder):
    """pg_combinebackup of two: never of a longer chain, which inherits what was truncated (D3)."""
    cluster.folder(os.path.relpath(f"{folder}.tablespaces", cluster.scratch))
    mapping = [f"-T{place}={tablespace_folder(folder, oid)}" for oid, place in links(newer).items()]
    cluster.run("pg_combinebackup", "--no-sync", *mapping, "-o", folder, older, newer)
    return folder


def verify(cluster, folder):
    cluster.run("pg_verifybackup", "-q", folder)


def remove(folder):
    for path in (folder, f"{folder}.tablespaces"):
        shutil.rmtree(path, ignore_errors=True)


class Chain:
    """Backups of one cluster, each relative to the one before, and what the newest one combines to.

    `state` is the oracle: full, then pg_combinebackup of state and increment, pair by pair.
    """

    def __init__(self, cluster, folder):
        self.cluster = cluster
        self.folder = folder
        self.count = 0
        self.newest = None
        self.state = None
        cluster.folder(os.path.relpath(folder, cluster.scratch))

    def take(self, cluster=None, full=False, options=()):
        """Takes the next backup, of another server of the same history when one is given."""
        cluster = cluster or self.cluster
        newest = os.path.join(self.folder, f"backup-{self.count}")
        take(cluster, newest, None if full else self.newest, options=options)
        if self.newest is None or full:
            state = newest
        else:
            state = combine(cluster, self.state, newest, os.path.join(self.folder, f"state-{self.count}"))
        self._remove_old()
        self.newest, self.state = newest, state
        self.count += 1
        return newest

    def _remove_old(self):
        for old in {self.newest, self.state} - {None}:
            remove(old)
