"""Repository size over the steps of the chain, as an SVG that reads well on light and dark pages."""

import math

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 130, 46, 52
COLOURS = {"pagevault": "#2f81f7", "restic": "#d9822b", "borg": "#3fa45b"}
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 15px; font-weight: 600; }
.axis { stroke: #57606a; } .grid { stroke: #57606a; opacity: 0.25; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .axis, .grid { stroke: #8b949e; } }
"""


def _tick(highest, wanted=5):
    """A round distance between ticks, so that about `wanted` of them reach the highest value."""
    rough = highest / wanted
    unit = 10 ** math.floor(math.log10(rough))
    return next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)


def _amount(gigabytes):
    return f"{gigabytes:.1f} GB" if gigabytes >= 1 else f"{gigabytes * 1000:.0f} MB"


class _Scale:
    def __init__(self, steps, highest):
        self.steps = steps
        self.tick = _tick(highest)
        self.top = self.tick * math.ceil(highest / self.tick)

    def x(self, step):
        return LEFT + (WIDTH - LEFT - RIGHT) * step / self.steps

    def y(self, gigabytes):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * gigabytes / self.top


def _axes(scale):
    for number in range(round(scale.top / scale.tick) + 1):
        value = number * scale.tick
        y = scale.y(value)
        kind = "grid" if number else "axis"
        yield f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g} GB</text>'
    for number in range(6):
        step = round(scale.steps * number / 5)
        yield (f'<text x="{scale.x(step):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">'
               f'{step}</text>')
    yield (f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">'
           'steps, each changing 1 % of the pages</text>')


def _line(scale, tool, sizes):
    colour = COLOURS.get(tool, "#888888")
    points = " ".join(f"{scale.x(step):.1f},{scale.y(size):.1f}" for step, size in enumerate(sizes))
    yield f'<polyline fill="none" stroke="{colour}" stroke-width="2.5" points="{points}"/>'
    y = scale.y(sizes[-1])
    yield (f'<text x="{WIDTH - RIGHT + 8}" y="{y + 4:.1f}" style="fill: {colour}; font-weight: 600">'
           f'{tool} {_amount(sizes[-1])}</text>')


def svg(series, title):
    """`series`: by tool, the bytes of its repository after the first backup and after each step.

    The axis is linear and begins at zero: what is asked is how much disk each tool takes.
    """
    gigabytes = {tool: [size / 1e9 for size in sizes] for tool, sizes in series.items()}
    scale = _Scale(max(len(sizes) for sizes in series.values()) - 1,
                   max(max(sizes) for sizes in gigabytes.values()))
    lines = [part for tool, sizes in gigabytes.items() for part in _line(scale, tool, sizes)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{title}</title>", f"<style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="24">{title}</text>', *_axes(scale), *lines, "</svg>", ""])


def of_document(document):
    """The plot of the chain that was measured, or None."""
    series = {}
    for tool, cases in document["results"].items():
        if steps := cases.get("chain"):
            first = steps[0]["repository_bytes"] - steps[0]["growth_bytes"]
            series[tool] = [first, *(step["repository_bytes"] for step in steps)]
    if not series:
        return None
    size = document["data"]["sqlite"]["bytes"] / 1e6
    return svg(series, f"Repository of a {size:.0f} MB SQLite database")
