"""The database of the SQLite cases in WAL mode, and an application that has it open and changes it.

The application is a process of its own: closing any descriptor of the file, as warming the page cache
does, would drop the locks of a connection in the same process (POSIX), and its memory must not be
counted for the tools (measure.run).
"""

import contextlib
import multiprocessing
import os
import sqlite3
import struct

from comparison import sqlite_data
from comparison.measure import Failed

STEP_SHARE = 3.0  # Per cent of the pages.
FEW_PAGES = 100
WAL_HEADER_BYTES = 32
FRAME_HEADER = struct.Struct(">II16x")  # Page number, pages of the database; salts and checksums.


def wal_pages(database):
    """The distinct pages in the WAL, which begins with frames of the present generation."""
    frame_bytes = FRAME_HEADER.size + sqlite_data.PAGE
    pages = set()
    with open(database + "-wal", "rb") as file:
        size = os.fstat(file.fileno()).st_size
        for at in range(WAL_HEADER_BYTES, size - frame_bytes + 1, frame_bytes):
            file.seek(at)
            pages.add(FRAME_HEADER.unpack(file.read(FRAME_HEADER.size))[0])
    return pages


class _Work:
    """What the application can be asked to do. It commits as often as it is said, syncs nothing."""

    def __init__(self, path):
        self.path = path
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.executescript("PRAGMA cache_size = -400000; PRAGMA journal_mode = wal; "
                              "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = off")

    def change_share(self, seed):
        """Changes STEP_SHARE; returns how many pages."""
        pages = self.db.execute("PRAGMA page_count").fetchone()[0]
        sqlite_data.advance(self.db, seed, STEP_SHARE, pages, lambda: len(wal_pages(self.path)))
        return len(wal_pages(self.path))

    def change_few(self, seed):
        """Changes FEW_PAGES, a row in each transaction; returns how many, in frames that are new."""
        maker, newest = sqlite_data.change_maker(self.db, seed)
        changes = list(sqlite_data.updates(maker, newest).values())
        weights = [sqlite_data.UPDATED[table] for table in sqlite_data.updates(maker, newest)]
        before, changed = self._frames(), 0
        while changed < FEW_PAGES:
            statement, arguments = maker.rng.choices(changes, weights)[0]
            self.db.execute(statement, arguments())
            changed = self._frames() - before  # A page seldom changes twice.
        return changed

    def _frames(self):
        size = os.path.getsize(self.path + "-wal")
        return max(0, size - WAL_HEADER_BYTES) // (FRAME_HEADER.size + sqlite_data.PAGE)

    def checkpoint(self, _nothing):
        busy, _, _ = self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError("checkpoint: busy")
        self.db.execute("PRAGMA shrink_memory")


def _serve(channel, path):
    work = _Work(path)
    channel.send(None)
    while request := channel.recv():
        method, argument = request
        channel.send(getattr(work, method)(argument))
    work.db.close()


class Application:
    """Asks the other process; each call returns when it is done. It is idle in between."""

    def __init__(self, channel):
        self.channel = channel

    def _ask(self, method, argument=None):
        self.channel.send((method, argument))
        return self.channel.recv()

    def change_share(self, seed):
        return self._ask("change_share", seed)

    def change_few(self, seed):
        return self._ask("change_few", seed)

    def checkpoint(self):
        """Writes the WAL into the database and empties it."""
        self._ask("checkpoint")


class LiveSource(sqlite_data.SqliteSource):
    @contextlib.contextmanager
    def application(self):
        context = multiprocessing.get_context("spawn")
        channel, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self.database), daemon=True)
        process.start()
        theirs.close()
        try:
            channel.recv()
            yield Application(channel)
            channel.send(None)
            process.join()
        except EOFError as error:
            raise Failed("the application that changes the database has died") from error
        finally:
            process.kill()
            process.join()
