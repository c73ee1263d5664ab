"""A standby takes over: the next backups are of another server, on another timeline."""

import os
import shutil

from postgres import basebackup
from postgres.cluster import Cluster


def _copy(primary, state, folder):
    """A combined backup and its tablespaces, with links to the copies."""
    shutil.copytree(state, folder, symlinks=True)
    for oid, place in basebackup.links(folder).items():
        copied = basebackup.tablespace_folder(folder, oid)
        shutil.copytree(place, copied)
        link = os.path.join(folder, "pg_tblspc", oid)
        os.unlink(link)
        os.symlink(copied, link)
    primary.installation.own(folder)


def standby(primary, state, name):
    """A running standby of `primary`, made from a backup that starts by itself."""
    folder = os.path.join(primary.scratch, name)
    _copy(primary, state, folder)
    with open(os.path.join(folder, "standby.signal"), "w", encoding="ascii"):
        pass
    cluster = Cluster(primary.installation, primary.scratch, name)
    cluster.settings["primary_conninfo"] = f"'host={primary.socket} user=postgres'"
    cluster.start()
    return cluster


def take_over(primary, follower):
    """Stops the primary, which sends all it has first, and promotes the standby."""
    primary.stop("fast")
    follower.promote()
    follower.settings.pop("primary_conninfo")
    # The end-of-recovery record of a promotion is no checkpoint: a backup would wait for one.
    follower.psql("CHECKPOINT")
