"""The ratios that the issues "Page deltas and speed" and "SQLite: incremental snapshots of live
databases" ask for, computed from one run's medians."""

import dataclasses
import statistics
from typing import Callable, Optional

GIGABYTE = 1e9


@dataclasses.dataclass(frozen=True)
class Target:
    """`measure` gives None when a part of the ratio was not measured."""

    name: str
    measure: Callable[[dict], Optional[float]]
    bound: float
    at_least: bool
    show: Callable[[float], str] = "{:.2f}".format
    # Whether all was measured that the target is about.
    complete: Callable[[dict], bool] = lambda document: True

    @property
    def wanted(self):
        return f"{'at least' if self.at_least else 'at most'} {self.bound:g}"

    def verdict(self, document):
        """yes, no, "so far" when more cases could still change a yes, or "-" when not measured."""
        value = self.measure(document)
        if value is None:
            return "-"
        if value < self.bound if self.at_least else value > self.bound:
            return "**no**"
        return "yes" if self.complete(document) else "so far"


def _figure(document, tool, case, metric):
    runs = document["results"].get(tool, {}).get(case)
    return statistics.median(run[metric] for run in runs) if runs else None


def _quotient(dividend, divisor):
    return dividend / divisor if dividend is not None and divisor else None


def _ratio(metric, dividend, divisor):
    """Of two (tool, case)."""
    return lambda document: _quotient(_figure(document, *dividend, metric),
                                      _figure(document, *divisor, metric))


def _faster(tool, case, ours=None):
    """How many times as fast as that tool we are."""
    return _ratio("seconds", (tool, case), ("pagevault", ours or case))


def _smaller(tool, case):
    return _ratio("growth_bytes", (tool, case), ("pagevault", case))


def _size_of_restic(ours):
    return _ratio("growth_bytes", ("pagevault", ours), ("restic", "first"))


def _over_floor(case):
    return lambda document: _quotient(
        _figure(document, "pagevault", case, "growth_bytes"),
        document["floors"].get(case.removesuffix("-alone"), {}).get("bytes"))


def _gigabytes_per_second(case):
    """Of the SQLite file, which the case reads as a whole."""
    def measure(document):
        seconds = _figure(document, "pagevault", case, "seconds")
        return _quotient(document["data"]["sqlite"]["bytes"] / GIGABYTE, seconds) if seconds else None
    return measure


def _milliseconds(case):
    def measure(document):
        seconds = _figure(document, "pagevault", case, "seconds")
        return None if seconds is None else seconds * 1000
    return measure


def _growth_kibibytes(case):
    def measure(document):
        growth = _figure(document, "pagevault", case, "growth_bytes")
        return None if growth is None else growth / 1024
    return measure


def _best_other(case, metric):
    """The least of the other tools over ours."""
    def measure(document):
        others = [_figure(document, tool, case, metric)
                  for tool in document["results"] if tool != "pagevault"]
        return _quotient(min((other for other in others if other is not None), default=None),
                         _figure(document, "pagevault", case, metric))
    return measure


def _first_in_all(title, case):
    return tuple(Target(f"{title}: least {name} of the others / ours", _best_other(case, metric), 1, True)
                 for name, metric in (("time", "seconds"), ("reading", "read_bytes"),
                                      ("growth", "growth_bytes")))


def _peak(document):
    runs = [run for case in document["results"].get("pagevault", {}).values() for run in case]
    return max((run["peak_bytes"] / (1 << 20) for run in runs), default=None)


def _peak_at_ten(document):
    return _peak(document) if document["scale"] >= 10 else None


def _every_case(document):
    """Of those that can be asked for; the parts of a case come with it."""
    measured = {case.split(":")[0] for case in document["results"].get("pagevault", {})}
    return measured >= set(document["cases"])


def _sqlite_step(title, case):
    return (
        Target(f"{title}: restic's growth / ours", _smaller("restic", case), 80, True),
        Target(f"{title}: our growth / floor", _over_floor(case), 1.6, False),
        Target(f"{title}: restic's time / ours", _faster("restic", case), 10, True),
        Target(f"{title}: borg's time / ours", _faster("borg", case), 8, True),
    )


TARGETS = (
    *_sqlite_step("SQLite 3 % after a first backup", "step-3-alone"),
    *_sqlite_step("SQLite 3 % as third step of three", "step-3"),
    Target("PostgreSQL 3 %: restic's growth / ours", _smaller("restic", "pg-step"), 40, True),
    Target("PostgreSQL 3 %: restic's time / ours", _faster("restic", "pg-step"), 8, True),
    Target("First backup: our size / restic's", _size_of_restic("first"), 1.05, False),
    Target("First backup: restic's time / ours", _faster("restic", "first"), 2.2, True),
    Target("First backup, fastest: our size / restic's default", _size_of_restic("first-fastest"), 1.25,
           False),
    Target("First backup, fastest: restic's default time / ours",
           _faster("restic", "first", "first-fastest"), 3.5, True),
    Target("Restore: restic's time / ours", _faster("restic", "restore"), 2.2, True),
    Target("Restore: `cp`'s time / ours", _faster("cp", "restore"), 0.6, True),
    Target("Restore, and all on the disk: `cp`'s time / ours", _faster("cp", "restore:synced"), 0.6, True),
    Target("Delta restore at 1 %: full restore's time / its time",
           _faster("pagevault", "delta-restore:full", "delta-restore"), 3, True),
    Target("After the chain: restore's time / that of a fresh full",
           _ratio("seconds", ("pagevault", "chain:restore"), ("pagevault", "chain:restore-fresh")), 1.3,
           False),
    Target("Unchanged data read again, GB/s", _gigabytes_per_second("force"), 2.5, True),
    Target("10,000 unchanged files, ms", _milliseconds("unchanged-10000"), 100, False, "{:.0f}".format),
    Target("SQLite in use, 100 pages in the WAL, ms", _milliseconds("sqlite-live-wal"), 50, False,
           "{:.0f}".format),
    Target("SQLite in use, 100 pages in the WAL: our growth, KiB", _growth_kibibytes("sqlite-live-wal"), 100,
           False),
    Target("SQLite in use, 100 pages, whole file compared, GB/s",
           _gigabytes_per_second("sqlite-live-reset"), 2, True),
    *_first_in_all("SQLite in use, 3 %, empty WAL", "sqlite-live-step"),
    *_first_in_all("SQLite in use, 100 pages in the WAL", "sqlite-live-wal"),
    *_first_in_all("SQLite in use, 100 pages, empty WAL", "sqlite-live-reset"),
    Target("Our peak memory in every case, MiB", _peak, 256, False, "{:.0f}".format, _every_case),
    Target("The same at `--scale 10`, MiB", _peak_at_ten, 256, False, "{:.0f}".format, _every_case),
)
