#!/usr/bin/env python3
"""Starts the servers that postgres_server_test talks to, and runs it once beside each.

Usage: postgres_server_test.py POSTGRES_SERVER_TEST [GoogleTest arguments]

PAGEVAULT_POSTGRES_VERSION=18 takes that version instead of 17.
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
hostssl all all 127.0.0.0/8 trust
hostssl replication shut_out 127.0.0.0/8 reject
hostssl replication all 127.0.0.0/8 trust
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


def encrypt(cluster):
    """Connections over TLS, too: on an address of the loopback network that is ours alone."""
    process = os.getpid()
    address = f"127.{1 + process // 40000 % 200}.{1 + process // 200 % 200}.{1 + process % 200}"
    cluster.folder("tls")
    key, certificate = (os.path.join(cluster.scratch, "tls", name) for name in ("key", "certificate"))
    subprocess.run(["openssl", "req", "-new", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2",
                    "-subj", "/CN=test", "-keyout", key, "-out", certificate],
                   check=True, stderr=subprocess.DEVNULL)
    for path in (key, certificate):
        os.chown(path, cluster.installation.uid, cluster.installation.gid)
    cluster.settings.update(listen_addresses=address, ssl="on", ssl_key_file=key,
                            ssl_cert_file=certificate)
    return f"host={address} user=postgres dbname=postgres sslmode=require"


def primary(version, scratch):
    cluster = Cluster(Installation(version), scratch, f"primary-{version}").init()
    with open(os.path.join(cluster.data, "pg_hba.conf"), "w", encoding="ascii") as file:
        file.write(HBA)
    cluster.settings["max_wal_senders"] = "4"
    over_tls = encrypt(cluster)
    if cluster.settings.pop("summarize_wal", None):  # On the command line it could not be changed.
        with open(os.path.join(cluster.data, "postgresql.conf"), "a", encoding="ascii") as file:
            file.write("summarize_wal = on\n")
    cluster.start()
    cluster.psql(ROLES)
    cluster.psql(TABLESPACES)
    cluster.psql(f"CREATE TABLESPACE linked LOCATION '{cluster.folder(f'linked {version}')}'")
    cluster.psql(TABLES)
    return cluster, over_tls


class Runner:
    def __init__(self, program, arguments):
        self.program = program
        self.arguments = arguments
        self.failed = False

    def run(self, cluster, names, over_tls=""):
        environment = dict(os.environ, PAGEVAULT_TEST_SERVER=cluster.conninfo(),
                           PAGEVAULT_TEST_SERVER_TLS=over_tls)
        # What the caller filters comes last, and wins.
        done = subprocess.run([self.program, f"--gtest_filter={names}", *self.arguments],
                              env=environment, check=False)
        if done.returncode != 0:
            self.failed = True
            print(cluster.log_tail(), file=sys.stderr)


def run_on_newest(runner, scratch, clusters):
    version = int(os.environ.get("PAGEVAULT_POSTGRES_VERSION", "17"))
    source, over_tls = primary(version, scratch)
    clusters.append(source)
    runner.run(source, "Server.*:ServerWithSummaries.*:ServerOverTls.*", over_tls)
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
            run_on_newest(runner, scratch, clusters)
            clusters.append(primary(15, scratch)[0])
            runner.run(clusters[-1], "OldServer.*:Server.TellsWhatItIs:Server.Sends*Compressed:Server.Keeps*:"
                       "Server.Takes*:Server.Skips*:Server.*Dropped*:Server.Stops*:Server.Says*")
        finally:
            for cluster in clusters:
                cluster.stop("immediate")
            for cluster in clusters:
                cluster.installation.forget(scratch)
    sys.exit(runner.failed)


main()
