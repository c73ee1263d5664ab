"""What tests of PostgreSQL backups share: a server, a repository, and what must hold of a snapshot."""

import os

from cli_e2e import Vault
from postgres import acceptance, basebackup, trees
from postgres.cluster import Cluster
from postgres.installation import Installation

# Made by pagevault and by the oracle each in its own way.
OWN_FILES = ("backup_manifest", "tablespace_map")


class PostgresVault(Vault):
    """Everything of a test lies below self.work, also for servers in a root of their own."""

    version = int(os.environ.get("PAGEVAULT_POSTGRES_VERSION", "17"))

    def setUp(self):
        super().setUp()
        self.installation = Installation(self.version)
        self.clusters = []
        self.targets = 0
        self.addCleanup(self._stop_all)

    def _stop_all(self):
        for cluster in self.clusters:
            cluster.stop("immediate")
        self.installation.forget(self.work)

    def cluster(self, name="primary", start=True, **options):
        cluster = Cluster(self.installation, self.work, name).init(**options)
        self.clusters.append(cluster)
        return cluster.start() if start else cluster

    def place(self, name):
        return os.path.join(self.work, name)

    def backup_postgres(self, *words, **options):
        return self.summary("backup", "postgres", *words, **options)

    def restore_cluster(self, snapshot="latest", tablespaces=(), words=()):
        """Without recovery.signal: as the backup was. Tablespaces go beside the target."""
        self.targets += 1
        target = self.place(f"target-{self.targets}")
        mapping = [f"--tablespace-map={oid}={basebackup.tablespace_folder(target, oid)}"
                   for oid in tablespaces]
        self.run_it("restore", snapshot, "--target", target, "--no-recovery-signal", *mapping, *words)
        return target

    def assert_same_tree(self, target, expected):
        found = trees.differences(target, expected, OWN_FILES)
        self.assertEqual(found, [], f"{target} beside {expected}")

    def assert_accepted(self, like, target, rows, verify=True):
        """Verifies, starts, has the rows and sound indexes. The target is changed by it."""
        found = acceptance.faults(like, target, os.path.basename(target), rows, verify=verify)
        self.assertEqual(found, [])
