"""Walks through states of a SQLite database that an application has open, in WAL mode."""

import os
import shutil
import sys

from comparison import live_tools, measure, plain_reads
from comparison.sqlite_data import DATABASE
from comparison.walks import Walk

HEADER_BYTES = 100  # .backup writes its own change counter and journal mode there.
BLOCK = 1 << 20
STEPS = 3


def _same_pages(one, other):
    if os.path.getsize(one) != os.path.getsize(other):
        return False
    with open(one, "rb") as a, open(other, "rb") as b:
        a.seek(HEADER_BYTES)
        b.seek(HEADER_BYTES)
        while block := a.read(BLOCK):
            if block != b.read(BLOCK):
                return False
    return True


def _content(database):
    """A hash of all rows and the schema, however they lie in pages."""
    return measure.output_of(["sqlite3", "-readonly", database, ".sha3sum --schema"])


class _LiveWalk(Walk):
    data = "sqlite-live"
    tools = ("pagevault", *live_tools.NAMES)

    def run(self):
        if not self.tool.saves_live():
            print(f"compare: {self.tool.name} cannot save databases in use: left out", file=sys.stderr)
            return
        if self.tool.reads_unseen:
            self._count_reads()
        super().run()

    def _count_reads(self):
        """The same walk without io_uring before, for the bytes that are read, and for nothing else."""
        note, counted = self.note, {}
        self.note = lambda _tool, case, _command, result: counted.setdefault(case, []).append(
            result["read_bytes"])
        self.prepare = plain_reads.forbid_io_uring
        super().run()
        self.prepare = None
        self.note = lambda tool, case, command, result: note(
            tool, case, command, {**result, "read_bytes": counted[case].pop(0)})

    def walk(self):
        with self.source.application() as application:
            self.live_walk(application)
            application.checkpoint()  # So that the file is the whole database.
            self.verify_last()

    def live_walk(self, application):
        raise NotImplementedError

    def save(self, case="", changed=0):
        self.step(case, self.tool.live(self.source), changed_pages=changed)

    def verify_last(self):
        target = os.path.join(self.tool.scratch, "restored")
        os.makedirs(target)
        measure.run(self.tool.restore(target), self.tool.env, self.tool.restore_cwd(target))
        restored = os.path.join(self.tool.restored(target, self.source), DATABASE)
        if not _same_pages(restored, self.source.database) and \
                _content(restored) != _content(self.source.database):
            raise measure.Failed(f"{self.tool.name}: {DATABASE} differs after a restore")
        shutil.rmtree(target)


class LiveStepWalk(_LiveWalk):
    """Nothing but the file itself tells what changed: the WAL is empty again at each step."""

    cases = ("sqlite-live-first", "sqlite-live-step")

    def live_walk(self, application):
        application.checkpoint()  # The change of the journal mode.
        self.save("sqlite-live-first")
        if "sqlite-live-step" not in self.only:
            return
        for number in range(STEPS):
            changed = application.change_share(f"live-{number}")
            application.checkpoint()
            self.save("sqlite-live-step", changed)


class LiveWalWalk(_LiveWalk):
    """A hundred pages: with the WAL since the last snapshot, then with one that began anew."""

    cases = ("sqlite-live-wal", "sqlite-live-reset")

    def live_walk(self, application):
        application.change_few("live-before")  # The WAL is not empty at the snapshot.
        self.save()
        for number in range(STEPS):
            changed = application.change_few(f"live-few-{number}")
            self.save("sqlite-live-wal", changed)
        application.checkpoint()
        self.save()
        if "sqlite-live-reset" not in self.only:
            return
        for number in range(STEPS):
            changed = application.change_few(f"live-reset-{number}")
            application.checkpoint()
            self.save("sqlite-live-reset", changed)


WALKS = (LiveStepWalk, LiveWalWalk)
