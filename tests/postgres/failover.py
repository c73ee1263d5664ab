"""A standby takes over: the next backups are of another server, on another timeline."""

import contextlib
import os

from postgres import basebackup
from postgres.cluster import Cluster


def standby(primary, state, name):
    """A running standby of `primary`, made from a backup that starts by itself."""
    folder = basebackup.copy(state, os.path.join(primary.scratch, name))
    # A server makes its links anew from the map that backups as tar have: to the primary's places.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, "tablespace_map"))
    primary.installation.own(folder)
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
