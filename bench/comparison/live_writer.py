"""bench/live_writer in the background, and what its log says about a stretch of time."""

import array
import bisect
import dataclasses
import json
import os
import signal
import statistics
import subprocess

from comparison.measure import Failed

SECOND = 1_000_000_000  # In nanoseconds, like all times here, of CLOCK_MONOTONIC.
CHECKPOINT_FRAMES = 1000  # From so many on the writer wants a checkpoint.
NUMBERS_PER_COMMIT = 3  # Begun, committed, frames in the WAL.


@dataclasses.dataclass(frozen=True)
class Stretch:
    """From one time to another: a phase of the measurement, or a snapshot."""

    begin: int
    end: int

    @property
    def seconds(self):
        return (self.end - self.begin) / SECOND

    def overlaps(self, other):
        return self.begin < other.end and other.begin < self.end


class Log:
    """The transactions of one run, numbered without gaps."""

    def __init__(self, summary, numbers):
        self.first = summary["first"]
        self.begun, self.ended, self.frames = (numbers[i::NUMBERS_PER_COMMIT]
                                               for i in range(NUMBERS_PER_COMMIT))
        self.checkpoints = summary["checkpoints"]
        self.seconds = summary["seconds"]

    def committed(self, time):
        """The number of the last transaction committed by then."""
        return self.first + bisect.bisect_right(self.ended, time) - 1

    def describe(self, phase):
        """Commits per second, latencies in ms, frames in the WAL at most."""
        low, high = (bisect.bisect_right(self.ended, time) for time in (phase.begin, phase.end))
        latencies = sorted((self.ended[i] - self.begun[i]) / 1e6 for i in range(low, high))
        if not latencies:
            raise Failed("the writer committed nothing in a whole phase: make it longer")
        return {"seconds": phase.seconds, "per_second": (high - low) / phase.seconds,
                "latency_ms_p50": statistics.median(latencies),
                "latency_ms_p99": latencies[int(0.99 * (len(latencies) - 1))],
                "latency_ms_max": latencies[-1], "wal_frames_max": max(self.frames[low:high])}

    def waits(self, phase):
        """The stretches from when a checkpoint was wanted to when one began that reached the WAL's end."""
        until_end = [Stretch(one["wanted_ns"], one["last_attempt_ns"] if one["finished_ns"] else phase.end)
                     for one in self.checkpoints]
        return [wait for wait in until_end if phase.begin <= wait.begin < phase.end]

    def reset_waits(self, phase):
        """The stretches from when a checkpoint was wanted to the first commit at the WAL's beginning.

        A checkpoint can reach the WAL's end while a reader still uses it; then the file grows on.
        """
        waits, wanted = [], None
        for end, frames in zip(self.ended, self.frames):
            if wanted is None and frames >= CHECKPOINT_FRAMES:
                wanted = end
            elif wanted is not None and frames < CHECKPOINT_FRAMES:
                waits.append(Stretch(wanted, end))
                wanted = None
        if wanted is not None:
            waits.append(Stretch(wanted, max(wanted, phase.end)))
        return [wait for wait in waits if phase.begin <= wait.begin < phase.end]


class Writer:
    """`rate` in transactions per second, or None for as many as it can."""

    def __init__(self, binary, database, rate, folder):
        self.commits = os.path.join(folder, "commits")
        limit = ["--unlimited"] if rate is None else ["--rate", str(rate)]
        self.process = subprocess.Popen([binary, database, *limit, "--commits", self.commits],
                                        stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "writing\n":
            raise Failed(f"{binary} ended with {self.process.wait()}")

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Ends it and returns its log."""
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate()
        if self.process.returncode != 0:
            raise Failed(f"the writer ended with {self.process.returncode}")
        numbers = array.array("Q")
        with open(self.commits, "rb") as file:
            numbers.frombytes(file.read())
        return Log(json.loads(output), numbers)
