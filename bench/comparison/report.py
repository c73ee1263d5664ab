"""Results as Markdown tables."""

import statistics

from comparison import targets

CASES = {
    "first": "first backup",
    "first-fastest": "first backup, `--compression fastest`",
    "unchanged": "unchanged, by metadata",
    "force": "unchanged, every byte read again",
    "step-0.1": "0.1 % of pages changed",
    "step-1": "1 % of pages changed",
    "step-3": "3 % of pages changed",
    "step-3-alone": "3 %, right after a first backup",
    "restore": "restore",
    "restore:synced": "restore, and all on the disk",
    "delta-restore": "restore over a target that differs in 1 %",
    "delta-restore:synced": "the same, and all on the disk",
    "delta-restore:full": "full restore of the same state",
    "delta-restore:full:synced": "the same, and all on the disk",
    "check": "check, structure",
    "check-data": "check, every byte",
    "copy-name": "a copy under a second name",
    "vacuum": "after VACUUM",
    "pg-first": "PostgreSQL, first backup",
    "pg-step": "PostgreSQL, 3 % of pages changed",
    "pg-restore": "PostgreSQL, restore",
    "pg-restore:synced": "PostgreSQL, restore, and all on the disk",
    "unchanged-10000": "10,000 small files, unchanged",
    "sqlite-live-first": "SQLite in use, first backup",
    "sqlite-live-step": "SQLite in use, 3 % of pages changed, empty WAL",
    "sqlite-live-wal": "SQLite in use, 100 pages changed, all in the WAL",
    "sqlite-live-reset": "SQLite in use, 100 pages changed, empty WAL",
    "chain": "one of many steps of 1 %",
    "chain:restore": "restore after all of them",
    "chain:restore:synced": "the same, and all on the disk",
    "chain:restore-fresh": "restore of that state from a fresh full backup",
    "chain:restore-fresh:synced": "the same, and all on the disk",
}
NAMES = sorted({case.split(":")[0] for case in CASES}, key=list(CASES).index)
MEBIBYTE = 1 << 20

METRICS = [
    ("Seconds", "seconds", lambda v: f"{v:.2f}"),
    ("Repository growth, MiB", "growth_bytes", lambda v: f"{v / MEBIBYTE:.2f}"),
    ("Bytes read, MiB", "read_bytes", lambda v: f"{v / MEBIBYTE:.2f}"),
    ("Processor seconds", "cpu_seconds", lambda v: f"{v:.2f}"),
    ("Peak memory, MiB", "peak_bytes", lambda v: f"{v / MEBIBYTE:.0f}"),
]


def median(runs, metric):
    return statistics.median(run[metric] for run in runs)


def _cell(results, tool, case, metric, show):
    runs = results.get(tool, {}).get(case)
    if not runs:
        return "-"
    value = median(runs, metric)
    ours = results.get("pagevault", {}).get(case)
    own = median(ours, metric) if ours else 0
    if tool == "pagevault" or own <= 0:
        return show(value)
    return f"{show(value)} (x{value / own:.2f})"


def _shown(case, metric):
    """Syncing adds to the time alone, and reading to the repository nothing.

    What is read was counted in full for the databases in use alone.
    """
    if case.endswith(":synced"):
        return metric == "seconds"
    if metric == "read_bytes":
        return _is_live(case)
    return metric != "growth_bytes" or not ("restore" in case or "check" in case)


def _is_live(case):
    return case.startswith("sqlite-live")


def _metric_tables(results, versions, wanted):
    """Of the wanted cases, with the tools that have any of them."""
    tools = [t for t in versions if any(map(wanted, results.get(t, {})))]
    cases = [c for c in CASES if wanted(c) and any(c in results[t] for t in tools)]
    for title, metric, show in METRICS:
        shown = [c for c in cases if _shown(c, metric)]
        if not shown:
            continue
        yield ""
        heads = (f"{t} {versions[t]}".replace("|", r"\|") for t in tools)
        yield f"| {title} | " + " | ".join(heads) + " |"
        yield "|---|" + "---:|" * len(tools)
        for case in shown:
            cells = [_cell(results, tool, case, metric, show) for tool in tools]
            yield f"| {CASES[case]} | " + " | ".join(cells) + " |"


def _growth(results, tool, case):
    runs = results.get(tool, {}).get(case)
    return median(runs, "growth_bytes") if runs else None


def _over(dividend, divisor):
    return f"{dividend / divisor:.2f}" if dividend is not None and divisor else "-"


def _floor_table(document):
    """Each step beside what it must cost at least."""
    results = document["results"]
    floors = {case: document["floors"][case] for case in CASES
              if case in document["floors"] and any(case in cases for cases in results.values())}
    if not floors:
        return
    yield from ("", "The floor: every changed 64 KiB, compressed with zstd level 3 against what was there "
                "before, summed (`bench/delta_floor`).", "",
                "| Step | changed pages | changed 64 KiB | floor, MiB | pagevault / floor | "
                "restic / floor | restic / pagevault | borg / pagevault |", "|---|" + "---:|" * 7)
    for case, floor in floors.items():
        ours, restic, borg = (_growth(results, tool, case) for tool in ("pagevault", "restic", "borg"))
        yield (f"| {CASES[case]} | {floor['pages_changed']} | {floor['pieces_changed']} | "
               f"{floor['bytes'] / MEBIBYTE:.2f} | {_over(ours, floor['bytes'])} | "
               f"{_over(restic, floor['bytes'])} | {_over(restic, ours)} | {_over(borg, ours)} |")


def _chain_table(results, tools):
    chains = {tool: results[tool]["chain"] for tool in tools if "chain" in results[tool]}
    if not chains:
        return
    length = len(next(iter(chains.values())))
    marks = sorted({1, length // 4, length // 2, length} - {0})
    yield from ("", "| Repository after steps of 1 %, MiB | " + " | ".join(chains) + " |",
                "|---|" + "---:|" * len(chains))
    for mark in marks:
        sizes = (f"{chain[mark - 1]['repository_bytes'] / MEBIBYTE:.1f}" for chain in chains.values())
        yield f"| {mark} | " + " | ".join(sizes) + " |"


def _live_lines(results):
    """How many pages each step of a database in use changed."""
    changed = {}
    for cases in results.values():
        for case, runs in cases.items():
            if _is_live(case):
                changed[case] = median(runs, "changed_pages")
    counts = (f"{CASES[case]}: {count:.0f}" for case, count in changed.items() if count)
    if line := "; ".join(counts):
        yield from ("", f"Changed pages: {line}. Bytes read: by all programs, from any file, as /proc counts "
                    "them; for pagevault in a walk of its own without io_uring, which is not counted.")


def _targets_table(document):
    yield from ("", "What the issues asked for:", "", "| ratio | measured | wanted | met |",
                "|---|---:|---:|---|")
    for target in targets.TARGETS:
        value = target.measure(document)
        measured = "not measured" if value is None else target.show(value)
        yield f"| {target.name} | {measured} | {target.wanted} | {target.verdict(document)} |"


def _data_lines(data):
    if "sqlite" in data:
        sqlite = data["sqlite"]
        yield (f"{sqlite['bytes'] / 1e6:.0f} MB SQLite file, {sqlite['pages']} pages; changed pages: "
               + ", ".join(f"{share} %: {count}" for share, count in sqlite["changed_pages"].items()) + ".")
    if "postgres" in data:
        postgres = data["postgres"]
        yield (f"{postgres['bytes'] / 1e6:.0f} MB data directory of PostgreSQL {postgres['version']}, "
               f"stopped, without `pg_wal`, {postgres['pages']} pages of 8 KiB; changed in the step: "
               f"{postgres['changed_pages']}.")


def markdown(document):
    """All tables; in brackets each tool's figure divided by pagevault's."""
    results, versions, machine = document["results"], document["versions"], document["machine"]
    tools = [t for t in versions if t in results]
    return "\n".join([
        *_data_lines(document["data"]),
        f"{machine['cpu']}, {machine['processors']} processors, Linux {machine['kernel']}, "
        f"{machine['filesystem']}; {document['date']}; median of {document['runs']} run(s); "
        "source warm in the page cache, the tools' caches as the step before left them. "
        "In brackets: times pagevault's figure.",
        *_metric_tables(results, versions, lambda case: not _is_live(case)),
        *_live_lines(results),
        *_metric_tables(results, versions, _is_live),
        *_floor_table(document),
        *_chain_table(results, tools),
        *_targets_table(document),
    ])
