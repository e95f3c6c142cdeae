"""Charts drawn on the server: where each point goes. Pure; the template only writes it down."""

from msgspec import Struct

from janani.kernel.i18n import _
from janani.portals.chart.view import Chart

WIDTH, HEIGHT = 420, 230
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 14, 34
# Lines differ by stroke and mark, not by colour alone.
_STROKES = ("", "6 4", "2 3")
_STEPS = (1, 2, 5, 10, 20, 50, 100, 1000)
_MARKS = ("circle", "square", "diamond")


class Drawn(Struct):
    """One line: its polyline, its points with the words that belong to them, its stroke and mark."""

    name: str
    polyline: str
    points: list[tuple[float, float, str]]
    stroke: str
    mark: str


class Drawing(Struct):
    """A chart as coordinates in a box of WIDTH by HEIGHT."""

    title: str
    unit: str
    says: str
    lines: list[Drawn]
    limits: list[tuple[float, str]]
    weeks: list[tuple[float, int]]
    values: list[tuple[float, str]]


def draw(chart: Chart) -> Drawing:
    """The coordinates of `chart`: weeks across, values up, both with a few round marks."""
    points = [point for series in chart.series for point in series.points]
    limits = [limit.at for limit in chart.definition.limits]
    low, high = _span([*(point.value for point in points), *limits])
    first = min(8.0, min(point.week for point in points))
    last = max(first + 4, max(point.week for point in points) + 1)

    def across(week: float) -> float:
        return round(LEFT + (week - first) / (last - first) * (WIDTH - LEFT - RIGHT), 1)

    def up(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    lines = []
    for place, series in enumerate(chart.series):
        spots = [
            (across(point.week), up(point.value), f"{int(point.week)}: {point.value:g} {chart.definition.unit}")
            for point in series.points
        ]
        polyline = " ".join(f"{x},{y}" for x, y, _words in spots)
        lines.append(Drawn(series.name, polyline, spots, _STROKES[place % 3], _MARKS[place % 3]))
    return Drawing(
        title=chart.definition.title,
        unit=chart.definition.unit,
        says="; ".join(f"{_(line.name)} {', '.join(words for _x, _y, words in line.points)}" for line in lines),
        lines=lines,
        limits=[(up(limit.at), limit.says) for limit in chart.definition.limits],
        weeks=[(across(week), week) for week in range(int(first) + 1, int(last) + 1) if week % 4 == 0],
        values=[(up(low + (high - low) * part / 4), f"{low + (high - low) * part / 4:g}") for part in range(5)],
    )


def _span(values: list[float]) -> tuple[float, float]:
    """A little more than the values cover, in round steps."""
    low, high = min(values), max(values)
    step = next((size for size in _STEPS if (high - low) / size <= 12), 10 ** len(str(int(high - low))) / 10)
    low, high = (low // step) * step - step, (high // step + 1) * step + step
    return low, low + -(-(high - low) // (4 * step)) * 4 * step  # four parts of whole steps
