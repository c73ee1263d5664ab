#!/usr/bin/env python3
"""Random work on real servers, backed up step by step; every snapshot beside the oracle.

Usage: postgres_workloads.py PAGEVAULT [WORKLOADS [FIRST_SEED]]

Each workload is a cluster, a seed and a way of backing up: pg_basebackup's plain directories, its tar
archives, or straight from the server. After each step the restored snapshot must equal what pairwise
pg_combinebackup makes of the same backups, byte for byte; in the end every snapshot is restored once
more, and the last one verified, started, compared with the source row by row, its indexes with its
tables (but where the server itself may have sent too little: D1 and D2 of the documents). There is no such oracle for backups straight from the server: there all this holds of each
snapshot instead.

Every third workload fails over to a standby between two steps.
"""

import collections
import os
import sys
import unittest

ARGUMENTS = [sys.argv.pop() for _ in sys.argv[2:]][::-1]

from cli_e2e import OK  # noqa: E402  It takes the program from sys.argv.
from postgres import acceptance, basebackup, trees  # noqa: E402
from postgres.installation import Failed  # noqa: E402
from postgres.workload import Workload  # noqa: E402
from postgres_vault import OWN_FILES, PostgresVault  # noqa: E402

WORKLOADS = int(ARGUMENTS[0]) if ARGUMENTS else 30
FIRST_SEED = int(ARGUMENTS[1]) if len(ARGUMENTS) > 1 else 1
STEPS = 5
ACTIONS = 12  # Of each step.
WAYS = ("plain", "tar", "tar.gz", "tar.zst", "server")
TAR_OPTIONS = {"tar": (), "tar.gz": ("-Zgzip:1",), "tar.zst": ("-Zserver-zstd:1",)}


class Workloads(PostgresVault):
    """counted: what was compared, over all workloads."""

    counted = collections.Counter()

    def begin(self, seed):
        self.init()
        primary = self.cluster(checksums=seed % 4 != 0)
        self.work_on = Workload(primary, seed).begin()
        self.addCleanup(self.work_on.stop)
        self.chain = basebackup.Chain(primary, self.place("chain"))
        self.states = []  # What each snapshot must be.

    def do_step(self, number, seed, state):
        if number == 3 and seed % 3 == 0 and state is not None:
            self.work_on.fail_over(state, ACTIONS // 2)
        self.work_on.step(ACTIONS)

    def restore_newest(self):
        tablespaces = self.work_on.cluster.tablespaces()
        return self.restore_cluster(tablespaces=tablespaces)

    def check_step(self, way):
        self.chain.take(self.work_on.cluster, tar=way != "plain", options=TAR_OPTIONS.get(way, ()))
        self.backup_postgres(self.chain.given)
        target = self.restore_newest()
        self.assert_same_tree(target, self.chain.state)
        self.states.append((trees.digests(target, OWN_FILES), list(self.work_on.cluster.tablespaces())))
        self.counted["snapshots equal to the oracle"] += 1
        return target

    def check_all_again(self):
        """Each alone, whatever came after it."""
        for age, (expected, tablespaces) in enumerate(reversed(self.states)):
            target = self.restore_cluster(f"latest~{age}", tablespaces)
            self.assertEqual(trees.digests(target, OWN_FILES), expected, f"latest~{age}")
            basebackup.remove(target)
        self.run_it("check", "--read-data")

    def by_pg_basebackup(self, seed, way):
        truncated = set()
        since = None
        for number in range(STEPS + 1):
            if number > 0:
                self.do_step(number, seed, self.chain.state)
            target = self.check_step(way)
            until = basebackup.start_lsn(self.chain.newest)
            if since is not None:
                truncated |= self.work_on.cluster.truncated_forks(since, until)
            since = until
            rows = self.work_on.cluster.row_hashes()
            if number < STEPS:
                basebackup.remove(target)
        self.check_last(target, rows, truncated)
        self.check_all_again()

    def check_last(self, target, rows, truncated):
        """What the server left out of its incremental backups (D1, D2) no tool can know from them: then
        rows or indexes may be wrong, as they are with the oracle."""
        if not truncated:
            self.assert_accepted(self.work_on.cluster, target, rows)
        elif self.is_faulty(target, rows):
            self.counted["wrong by what the server sent after truncating (D1, D2)"] += 1
            return
        self.counted["snapshots verified, started, with the source's rows"] += 1

    def is_faulty(self, target, rows):
        basebackup.verify(self.work_on.cluster, self.owned(target))
        try:
            return acceptance.faults(self.work_on.cluster, target, "last", rows, verify=False)
        except Failed:
            return True

    def owned(self, target):
        self.installation.own(target)
        return target

    def from_server(self, seed):
        state = None
        for number in range(STEPS + 1):
            if number > 0:
                self.do_step(number, seed, state)
            cluster = self.work_on.cluster
            self.backup_postgres("--connect", cluster.conninfo())
            rows = cluster.row_hashes()
            target = self.restore_newest()
            self.states.append((trees.digests(target, OWN_FILES), list(cluster.tablespaces())))
            if state:
                basebackup.remove(state)
            state = basebackup.copy(target, self.place(f"copy-{number}"))
            self.assert_accepted(cluster, target, rows)
            basebackup.remove(target)
            self.counted["snapshots verified, started, with the source's rows"] += 1
        self.check_all_again()


def add_workload(seed):
    way = WAYS[seed % len(WAYS)]

    def test(self):
        self.begin(seed)
        try:
            if way == "server":
                self.from_server(seed)
            else:
                self.by_pg_basebackup(seed, way)
        except BaseException:
            print(f"seed {seed}, done: {self.work_on.done}", file=sys.stderr)
            raise
        self.counted["workloads"] += 1

    setattr(Workloads, f"test_every_snapshot_is_right_{way.replace('.', '_')}_seed_{seed:03}", test)


def main():
    for seed in range(FIRST_SEED, FIRST_SEED + WORKLOADS):
        add_workload(seed)
    result = unittest.main(exit=False, verbosity=2).result
    for what, count in sorted(Workloads.counted.items()):
        print(f"{count} {what}")
    sys.exit(OK if result.wasSuccessful() and Workloads.counted["workloads"] == WORKLOADS else 1)


if __name__ == "__main__":
    main()
