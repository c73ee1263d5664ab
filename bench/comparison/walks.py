"""Walks: each takes one tool through states of a source, in a fresh repository, and measures."""

import filecmp
import os
import shutil

from comparison import measure, sqlite_data


def selected(case, only):
    """Whether --only names the case: chain selects chain and chain:restore."""
    return case.split(":")[0] in only


class Walk:
    """What all walks do. `note` is told every wanted case, with command and result."""

    cases = ()
    tools = ("pagevault", "restic", "borg")
    once = False  # However many runs: too long, or many measurements in itself.
    prepare = None  # Runs in each command's process before it.

    def __init__(self, tool, source, only, note):
        self.tool = tool
        self.source = source
        self.only = only
        self.note = note

    @classmethod
    def wanted(cls, only):
        return any(selected(case, only) for case in cls.cases)

    def run(self):
        self.source.reset()
        self.tool.fresh()
        self.walk()

    def walk(self):
        raise NotImplementedError

    def step(self, case, command, cwd=None, synced=None, **facts):
        """Runs the command, when the tool has one, and notes the case, when it is wanted.

        `facts` are noted with it.
        """
        if command is None:
            return None
        measure.settle_disk(self.tool.scratch)
        self.source.warm()
        before = measure.usage_of(self.tool.repository)
        measure.prepare_memory(self.tool.scratch, self.source.bytes())
        result = {**measure.run(command, self.tool.env, cwd, synced, self.prepare), **facts}
        after = measure.usage_of(self.tool.repository)
        result["growth_bytes"] = after["size"] - before["size"]
        result["growth_allocated_bytes"] = after["allocated"] - before["allocated"]
        result["repository_bytes"] = after["size"]
        result["read_bytes"] = self.tool.bytes_read(result)
        if selected(case, self.only):
            self.note(self.tool.name, case, command, result)
        return result

    def backup(self, case=""):
        self.step(case, self.tool.backup(self.source))

    def restore(self, case, target, command):
        """Restores, and compares every file with the source."""
        os.makedirs(target, exist_ok=True)
        result = self.step(case, command, self.tool.restore_cwd(target), synced=target)
        if result and selected(case, self.only):
            synced = {**result, "seconds": result["synced_seconds"]}
            self.note(self.tool.name, f"{case}:synced", [*command, "&& sync"], synced)
        self.verify(self.tool.restored(target, self.source))

    def restore_anew(self, case):
        target = os.path.join(self.tool.scratch, "restored")
        self.restore(case, target, self.tool.restore(target))
        shutil.rmtree(target)

    def verify(self, restored):
        names = self.source.names() if self.tool.saves_folders else [sqlite_data.DATABASE]
        for name in names:
            path = os.path.join(restored, name)
            if not os.path.exists(path) or \
                    not filecmp.cmp(path, os.path.join(self.source.folder, name), shallow=False):
                raise measure.Failed(f"{self.tool.name}: {name} differs after a restore")


class SqliteWalk(Walk):
    data = "sqlite"
    cases = ("first", "unchanged", "force", "step-0.1", "step-1", "step-3", "restore", "check",
             "check-data", "copy-name", "vacuum")
    tools = ("pagevault", "restic", "borg", "cp", "zstd")

    def walk(self):
        tool, source = self.tool, self.source
        self.backup("first")
        if "unchanged" in self.only:
            self.step("unchanged", tool.unchanged(source))
        if "force" in self.only:
            self.step("force", tool.force(source))
        self.steps()
        if "restore" in self.only:
            self.restore_anew("restore")
        if "check" in self.only:
            self.step("check", tool.check())
        if "check-data" in self.only:
            self.step("check-data", tool.check_data())
        if "copy-name" in self.only and tool.saves_folders:
            source.copy_name()
            self.backup("copy-name")
            source.remove_copy()
        if "vacuum" in self.only:
            source.vacuum()
            self.backup("vacuum")

    def steps(self):
        """Up to the last one asked for: a step is relative to the one before."""
        shares = sqlite_data.SHARES
        wanted = [i for i, share in enumerate(shares) if f"step-{share:g}" in self.only]
        for share in shares[:wanted[-1] + 1] if wanted else ():
            self.source.step(share)
            self.backup(f"step-{share:g}")


class LoneStepWalk(Walk):
    """The same step of 3 % right after a first backup, with no other steps in between."""

    data = "sqlite"
    cases = ("step-3-alone",)

    def walk(self):
        *before, last = sqlite_data.SHARES
        for share in before:
            self.source.step(share)
        self.backup()
        self.source.step(last)
        self.backup("step-3-alone")


class FastestWalk(Walk):
    data = "sqlite"
    cases = ("first-fastest",)
    tools = ("pagevault",)

    def walk(self):
        self.step("first-fastest", self.tool.backup_fastest(self.source))


class DeltaRestoreWalk(Walk):
    """The target holds the state before the step of 1 %, all of it in the page cache."""

    data = "sqlite"
    cases = ("delta-restore", "delta-restore:full")
    tools = ("pagevault", "restic")

    def walk(self):
        target = os.path.join(self.tool.scratch, "target")
        command = self.tool.restore_delta(target)
        if command is None:
            return
        first, second = sqlite_data.SHARES[:2]
        self.source.step(first)
        self.backup()
        self.restore("", target, self.tool.restore(target))
        self.source.step(second)
        self.backup()
        self.restore("delta-restore", target, command)
        shutil.rmtree(target)
        self.restore_anew("delta-restore:full")


class ChainWalk(Walk):
    data = "chain"
    cases = ("chain", "chain:restore", "chain:restore-fresh")
    tools = ("pagevault", "restic")
    once = True
    length = 100
    restores = 3

    def walk(self):
        self.backup()
        for number in range(1, self.length + 1):
            self.source.chain_step(number)
            self.backup("chain")
        for _ in range(self.restores):
            self.restore_anew("chain:restore")
        self.tool.fresh()
        self.backup()
        for _ in range(self.restores):
            self.restore_anew("chain:restore-fresh")


class PostgresWalk(Walk):
    data = "postgres"
    cases = ("pg-first", "pg-step", "pg-restore")

    def walk(self):
        self.backup("pg-first")
        if "pg-step" in self.only:
            self.source.step()
            self.backup("pg-step")
        if "pg-restore" in self.only:
            self.restore_anew("pg-restore")


class SmallFilesWalk(Walk):
    data = "small"
    cases = ("unchanged-10000",)

    def walk(self):
        self.backup()
        self.step("unchanged-10000", self.tool.unchanged(self.source))


WALKS = (SqliteWalk, LoneStepWalk, FastestWalk, DeltaRestoreWalk, PostgresWalk, SmallFilesWalk, ChainWalk)
