"""The folder that the tools back up."""

import os
import time

from comparison import patches

BLOCK = 1 << 20


class Source:
    """Subclasses know its states and how to get from one to the next.

    Beside the data lies a small newer file. It is for Borg, which never trusts the metadata of the
    newest file of a backup.
    """

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)

    def names(self):
        return patches.names_below(self.folder)

    def bytes(self):
        return sum(os.path.getsize(os.path.join(self.folder, name)) for name in self.names())

    def warm(self):
        """Brings all of it into the page cache."""
        for name in self.names():
            with open(os.path.join(self.folder, name), "rb", buffering=0) as file:
                while file.read(BLOCK):
                    pass

    def settle(self):
        time.sleep(0.05)  # A later time stamp than the data's, on any file system's clock.
        with open(os.path.join(self.folder, "newest.txt"), "w", encoding="ascii") as file:
            file.write(f"{time.time_ns()}\n")
