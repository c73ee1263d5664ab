"""What a restored data directory must do: verify, start, hold the rows, have sound indexes."""

import os
import time

from postgres import basebackup
from postgres.cluster import Cluster
from postgres.installation import Failed

# No archive to ask: recovery ends where the WAL in the directory ends.
RECOVERY = {"restore_command": "false", "archive_mode": "off"}
RECOVERY_SECONDS = 60


def started(like, folder, name, **settings):
    """A server over a restored directory that is its own, beside the one it came from; the caller
    stops it.
    """
    cluster = Cluster(like.installation, like.scratch, name, data=folder)
    cluster.settings.pop("summarize_wal", None)
    cluster.settings.update(RECOVERY, **settings)
    if os.path.exists(os.path.join(folder, "recovery.signal")):
        del cluster.settings["restore_command"]  # What the restore left must do.
    cluster.start()
    _wait_for_end_of_recovery(cluster)
    return cluster


def _wait_for_end_of_recovery(cluster):
    """With recovery.signal a server answers while it still recovers."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    while cluster.value("SELECT pg_is_in_recovery()") == "t":
        if time.monotonic() > deadline:
            raise Failed(f"{cluster.name} still recovers after {RECOVERY_SECONDS} s:\n{cluster.log_tail()}")
        time.sleep(0.02)


def row_differences(found, expected, ignore=()):
    """One line for each relation whose rows differ."""
    return [f"{'.'.join(key)}: {found.get(key)}, not {expected.get(key)}"
            for key in sorted(found.keys() | expected.keys())
            if key not in ignore and found.get(key) != expected.get(key)]


def faults(like, folder, name, expected, ignore=(), verify=True):
    """Verifies, starts and checks a restored directory; stops the server again.

    `expected`: row_hashes() of the source when it was backed up. Raises Failed where a tool says so;
    returns the relations whose rows differ.
    """
    like.installation.own(folder)
    if verify:
        basebackup.verify(like, folder)
    cluster = started(like, folder, name)
    try:
        found = row_differences(cluster.row_hashes(), expected, ignore)
        if not found:
            cluster.check_indexes()
        return found
    finally:
        cluster.stop("immediate")
