"""Results of bench/compare_postgres as Markdown tables, and the ratios that were asked for."""

import statistics

from comparison.targets import Target

MEBIBYTE = 1 << 20
CASES = {"first": "first backup", "step-1": "step 1", "step-2": "step 2", "step-3": "step 3",
         "restore": "restore of step 3"}
STEPS = ("step-1", "step-2", "step-3")
METRICS = [
    ("Seconds", "seconds", CASES, lambda v: f"{v:.2f}"),
    ("Seconds until all is on the disk", "synced_seconds", ("restore",), lambda v: f"{v:.2f}"),
    ("Growth of the repository, WAL apart, MiB", "growth_bytes", ("first", *STEPS),
     lambda v: f"{v / MEBIBYTE:.2f}"),
    ("Processor seconds", "cpu_seconds", CASES, lambda v: f"{v:.2f}"),
    ("Peak memory, MiB", "peak_bytes", CASES, lambda v: f"{v / MEBIBYTE:.0f}"),
]


def _figure(document, tool, case, metric):
    """The median; of "steps" the mean of the medians of each."""
    if case == "steps":
        figures = [_figure(document, tool, step, metric) for step in STEPS]
        return None if None in figures else statistics.mean(figures)
    runs = document["results"].get(tool, {}).get(case)
    return statistics.median(run[metric] for run in runs) if runs else None


def _ratio(case, metric, tool):
    """That tool's figure over ours."""
    def measure(document):
        theirs, ours = (_figure(document, name, case, metric) for name in (tool, "pagevault"))
        return theirs / ours if theirs is not None and ours else None
    return measure


TARGETS = (
    Target("Step: pgBackRest's growth / ours", _ratio("steps", "growth_bytes", "pgbackrest"), 15, True),
    Target("Step: restic's growth / ours", _ratio("steps", "growth_bytes", "restic"), 40, True),
    Target("Step: pgBackRest's time / ours", _ratio("steps", "seconds", "pgbackrest"), 2, True),
    Target("Step: restic's time / ours", _ratio("steps", "seconds", "restic"), 6, True),
    Target("First: pgBackRest's time / ours", _ratio("first", "seconds", "pgbackrest"), 1, True),
    Target("First: restic's time / ours", _ratio("first", "seconds", "restic"), 2.5, True),
    Target("Restore: pairwise pg_combinebackup's time / ours",
           _ratio("restore", "seconds", "pg_combinebackup"), 1, True),
    Target("Restore, and all on the disk: pairwise pg_combinebackup's time / ours",
           _ratio("restore", "synced_seconds", "pg_combinebackup"), 1, True),
    Target("Restore: restic's time / ours", _ratio("restore", "seconds", "restic"), 2, True),
)


def _cell(document, tool, case, metric, show):
    value, ours = (_figure(document, name, case, metric) for name in (tool, "pagevault"))
    if value is None:
        return "-"
    return show(value) if tool == "pagevault" or not ours else f"{show(value)} (x{value / ours:.2f})"


def _tables(document):
    tools = document["results"]
    for title, metric, cases, show in METRICS:
        yield ""
        yield f"| {title} | " + " | ".join(f"{t} {document['versions'][t]}" for t in tools) + " |"
        yield "|---|" + "---:|" * len(tools)
        for case in cases:
            cells = [_cell(document, tool, case, metric, show) for tool in tools]
            yield f"| {CASES[case]} | " + " | ".join(cells) + " |"


def _targets(document):
    yield from ("", "| ratio | measured | wanted | met |", "|---|---:|---:|---|")
    for target in TARGETS:
        value = target.measure(document)
        measured = "not measured" if value is None else target.show(value)
        yield f"| {target.name} | {measured} | {target.wanted} | {target.verdict(document)} |"


def markdown(document):
    data = document["data"]
    sent = ", ".join(f"{b['bytes'] / MEBIBYTE:.0f} MiB in {b['seconds']:.2f} s" for b in data["backups"])
    return "\n".join([
        f"{data['bytes'] / 1e6:.0f} MB data directory of PostgreSQL 17, WAL apart; {data['transactions']} "
        f"transactions in each step. pg_basebackup, full and incremental: {sent}.",
        f"{document['machine']}; {document['date']}; median of {document['runs']} run(s); source warm in "
        "the page cache. In brackets: times pagevault's figure.",
        *_tables(document), *_targets(document)])
