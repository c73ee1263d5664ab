#!/usr/bin/env python3
"""Starts the servers that postgres_server_test talks to, and runs it once beside each.

Usage: postgres_server_test.py POSTGRES_SERVER_TEST [GoogleTest arguments]
"""

import os
import subprocess
import sys
import tempfile

from postgres import basebackup, failover
from postgres.cluster import Cluster
from postgres.installation import Installation

ROLES = """
CREATE ROLE mere LOGIN;
CREATE ROLE backup LOGIN REPLICATION;
CREATE ROLE shut_out LOGIN REPLICATION;
CREATE ROLE only_replication LOGIN REPLICATION;
"""
HBA = """
local replication shut_out reject
local postgres only_replication reject
local all all trust
local replication all trust
"""
TABLESPACES = """
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE inside LOCATION '';
"""
TABLES = """
CREATE TABLE far TABLESPACE linked AS SELECT generate_series(1, 1000) a;
CREATE TABLE near TABLESPACE inside AS SELECT generate_series(1, 1000) a;
VACUUM; VACUUM FULL pg_class; VACUUM pg_class;
CHECKPOINT;
"""


def primary(version, scratch):
    cluster = Cluster(Installation(version), scratch, f"primary-{version}").init()
    with open(os.path.join(cluster.data, "pg_hba.conf"), "w", encoding="ascii") as file:
        file.write(HBA)
    cluster.settings["max_wal_senders"] = "4"
    if cluster.settings.pop("summarize_wal", None):  # On the command line it could not be changed.
        with open(os.path.join(cluster.data, "postgresql.conf"), "a", encoding="ascii") as file:
            file.write("summarize_wal = on\n")
    cluster.start()
    cluster.psql(ROLES)
    cluster.psql(TABLESPACES)
    cluster.psql(f"CREATE TABLESPACE linked LOCATION '{cluster.folder(f'linked {version}')}'")
    cluster.psql(TABLES)
    return cluster


class Runner:
    def __init__(self, program, arguments):
        self.program = program
        self.arguments = arguments
        self.failed = False

    def run(self, cluster, names):
        environment = dict(os.environ, PAGEVAULT_TEST_SERVER=cluster.conninfo())
        # What the caller filters comes last, and wins.
        done = subprocess.run([self.program, f"--gtest_filter={names}", *self.arguments],
                              env=environment, check=False)
        if done.returncode != 0:
            self.failed = True
            print(cluster.log_tail(), file=sys.stderr)


def run_on_17(runner, scratch, clusters):
    source = primary(17, scratch)
    clusters.append(source)
    runner.run(source, "Server.*:ServerWithSummaries.*")
    source.psql("DROP TABLE far, near")
    source.psql("DROP TABLESPACE linked")
    source.psql("DROP TABLESPACE inside")
    state = basebackup.take(source, os.path.join(scratch, "for-the-standby"))
    follower = failover.standby(source, state, "standby")
    clusters.append(follower)
    source.psql("CHECKPOINT")
    lsn = source.value("SELECT pg_current_wal_lsn()")
    while follower.value(f"SELECT pg_last_wal_replay_lsn() >= '{lsn}'") != "t":
        follower.psql("SELECT pg_sleep(0.01)")
    runner.run(follower, "Standby.*")
    failover.take_over(source, follower)
    runner.run(follower, "Promoted.*")


def main():
    runner = Runner(os.path.abspath(sys.argv[1]), sys.argv[2:])
    clusters = []
    with tempfile.TemporaryDirectory(prefix="pagevault-") as scratch:
        os.chmod(scratch, 0o755)
        try:
            run_on_17(runner, scratch, clusters)
            clusters.append(primary(15, scratch))
            runner.run(clusters[-1], "OldServer.*:Server.TellsWhatItIs:Server.Sends*Compressed:Server.Keeps*:"
                       "Server.Takes*:Server.Skips*:Server.*Dropped*:Server.Stops*:Server.Says*")
        finally:
            for cluster in clusters:
                cluster.stop("immediate")
            for cluster in clusters:
                cluster.installation.forget(scratch)
    sys.exit(runner.failed)


main()
