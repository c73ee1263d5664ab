"""Ten thousand small files in a hundred folders. They never change."""

import os
import random

from comparison.source import Source

SEED = 20240229
COUNT = 10_000
FOLDERS = 100


class SmallFilesSource(Source):
    def reset(self):
        rng = random.Random(SEED)
        for number in range(COUNT):
            folder = os.path.join(self.folder, f"{number % FOLDERS:03}")
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, f"{number}.bin"), "wb") as file:
                file.write(rng.randbytes(rng.randint(100, 8000)))
        self.settle()
