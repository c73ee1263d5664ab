"""Results as Markdown tables."""

import statistics

CASES = {
    "first": "first backup",
    "unchanged": "unchanged, by metadata",
    "force": "unchanged, every byte read again",
    "change-0.1": "0.1 % of pages changed",
    "change-1": "1 % of pages changed",
    "change-3": "3 % of pages changed",
    "restore": "restore",
    "check": "check, structure",
    "check-data": "check, every byte",
}
MEBIBYTE = 1 << 20

METRICS = [
    ("Seconds", "seconds", lambda v: f"{v:.2f}"),
    ("Repository growth, MiB", "growth_bytes", lambda v: f"{v / MEBIBYTE:.1f}"),
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


def markdown(document):
    """All tables; in brackets each tool's figure divided by pagevault's."""
    results, versions = document["results"], document["versions"]
    tools = [t for t in versions if t in results]
    cases = [c for c in CASES if any(c in results[t] for t in tools)]
    machine, data = document["machine"], document["data"]
    lines = [
        f"{data['bytes'] / 1e6:.0f} MB SQLite file, {data['pages']} pages; changed pages: "
        + ", ".join(f"{share} %: {count}" for share, count in data["changed_pages"].items()) + ".",
        f"{machine['cpu']}, {machine['processors']} processors, Linux {machine['kernel']}, "
        f"{machine['filesystem']}; {document['date']}; median of {document['runs']} run(s); "
        "source warm in the page cache, the tools' caches as the step before left them. "
        "In brackets: times pagevault's figure.",
    ]
    for title, metric, show in METRICS:
        shown = [c for c in cases if metric != "growth_bytes" or c not in ("restore", "check", "check-data")]
        if not shown:
            continue
        lines += ["", f"| {title} | " + " | ".join(f"{t} {versions[t]}" for t in tools) + " |",
                  "|---|" + "---:|" * len(tools)]
        for case in shown:
            cells = [_cell(results, tool, case, metric, show) for tool in tools]
            lines.append(f"| {CASES[case]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
