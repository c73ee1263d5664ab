"""Base backups by the stock tools, and what the stock tools say about them."""

import os
import re
import shutil
import subprocess


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
    os.chmod(folder, os.stat(cluster.data).st_mode)  # Its own, had it made it.
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
    for path in (folder, f"{folder}.tablespaces"):
        cluster.folder(os.path.relpath(path, cluster.scratch))
    mapping = [f"-T{place}={tablespace_folder(folder, oid)}" for oid, place in links(newer).items()]
    cluster.run("pg_combinebackup", "--no-sync", *mapping, "-o", folder, older, newer)
    return folder


def _archives(folder):
    """name -> path, of the archives a backup in tar format consists of."""
    return {name.split(".tar")[0]: os.path.join(folder, name) for name in sorted(os.listdir(folder))
            if ".tar" in name}


def unpack(archives, folder):
    """The plain form of a backup in tar format: a folder of archives, or one archive.

    As pg_basebackup would have made it, but for tablespace_map.
    """
    found = _archives(archives) if os.path.isdir(archives) else {"base": archives}
    os.makedirs(folder, mode=0o700)
    _extract(found.pop("base"), folder)
    if os.path.isdir(archives) and os.path.exists(os.path.join(archives, "backup_manifest")):
        shutil.copy2(os.path.join(archives, "backup_manifest"), folder)
    if "pg_wal" in found:
        _extract(found.pop("pg_wal"), os.path.join(folder, "pg_wal"))
    for oid, archive in found.items():
        place = tablespace_folder(folder, oid)
        if _is_mapped(folder, oid):
            os.symlink(place, os.path.join(folder, "pg_tblspc", oid))
        else:
            place = os.path.join(folder, "pg_tblspc", oid)
        _extract(archive, place)
    return folder


def _extract(archive, folder):
    os.makedirs(folder, mode=0o700, exist_ok=True)
    # GNU tar knows all others by their first bytes.
    program = ["--use-compress-program=lz4"] if archive.endswith(".lz4") else []
    subprocess.run(["tar", "-xpf", archive, *program, "--numeric-owner", "-C", folder], check=True)


def _is_mapped(folder, oid):
    try:
        with open(os.path.join(folder, "tablespace_map"), encoding="utf-8") as file:
            return any(line.startswith(f"{oid} ") for line in file)
    except FileNotFoundError:
        return False


def copy(folder, target):
    """A data directory and its tablespaces, with links to the copies."""
    shutil.copytree(folder, target, symlinks=True)
    for oid, place in links(target).items():
        copied = tablespace_folder(target, oid)
        shutil.copytree(place, copied, symlinks=True)
        link = os.path.join(target, "pg_tblspc", oid)
        os.unlink(link)
        os.symlink(copied, link)
    return target


def verify(cluster, folder):
    cluster.run("pg_verifybackup", "-q", folder)


def remove(folder):
    for path in (folder, f"{folder}.tablespaces"):
        shutil.rmtree(path, ignore_errors=True)


class Chain:
    """Backups of one cluster, each relative to the one before, and what the newest one combines to.

    `given` is the newest backup as pg_basebackup made it, `newest` its plain form. `state` is the
    oracle: full, then pg_combinebackup of state and increment, pair by pair.
    """

    def __init__(self, cluster, folder):
        self.cluster = cluster
        self.folder = folder
        self.count = 0
        self.given = self.newest = self.state = None
        cluster.folder(os.path.relpath(folder, cluster.scratch))

    def _place(self, kind):
        return os.path.join(self.folder, f"{kind}-{self.count}")

    def take(self, cluster=None, full=False, tar=False, options=()):
        """Takes the next backup, of another server of the same history when one is given."""
        cluster = cluster or self.cluster
        old = {self.given, self.newest, self.state} - {None}
        self.given = take(cluster, self._place("backup"), None if full else self.newest, tar=tar,
                          options=options)
        self.newest = unpack(self.given, self._place("unpacked")) if tar else self.given
        os.chmod(self.newest, os.stat(cluster.data).st_mode)
        cluster.installation.own(self.newest)
        if full or self.state is None:
            self.state = self.newest
        else:
            self.state = combine(cluster, self.state, self.newest, self._place("state"))
        for path in old:
            remove(path)
        self.count += 1
        return self.given
