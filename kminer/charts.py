"""Pictures as plain SVG: legible on white paper and on dark pages, for colour-blind readers and screen readers.

Each function returns one whole SVG document, at most 900 px wide; the same arguments give the same bytes.
Labels may be foreign text: they are escaped, made inert and cut to the room there is.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape

from kminer.foreign import inert

WIDTH = 900
"""Width of a picture in px at most; a code host shows it unscaled."""

LEVELS = 7
"""Shades of a heat map above nothing."""

COLOURS = 8
"""Colours a stack can have: those of Okabe and Ito, "Color Universal Design" (2008), and a grey."""

Values = Mapping[tuple[str, str], int]
_EDGE = 16
_NARROWEST = 640.0
_LABEL = 170.0
_EVENT = 280.0
_SIZE = 12.0
_TITLE = 18.5
_NOT_XML = re.compile("[\ufffe\uffff]")

# The ramp is ColorBrewer's sequential Blues; on dark pages it runs from dim to bright, so that more is always
# what stands out from the page.
_RAMP = ("#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#084594")
_RAMP_ON_DARK = ("#10253d", "#13375b", "#17507f", "#1c69a8", "#3f8fd0", "#85bdec", "#d3e8fb")
_STACK = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#8c8c8c")
_STACK_ON_DARK = ("#3d9ad8", "#e69f00", "#1fb58c", "#e8743b", "#d993b7", "#8fd0f5", "#f0e442", "#a3a3a3")


def _rules(ink: str, quiet: str, line: str, ramp: Sequence[str], on_ramp: Sequence[str], stack: Sequence[str]) -> str:
    rules = [f"text{{fill:{ink}}}", f".quiet{{fill:{quiet}}}", f".line{{stroke:{line}}}", f".none{{stroke:{line}}}"]
    rules += [f".h{level}{{fill:{colour}}}" for level, colour in enumerate(ramp, 1)]
    rules += [f".n{level}{{fill:{colour}}}" for level, colour in enumerate(on_ramp, 1)]
    rules += [f".c{index}{{fill:{colour}}}" for index, colour in enumerate(stack)]
    return "".join(rules)


_STYLE = (
    "text{font-family:system-ui,-apple-system,'Segoe UI','Liberation Sans','DejaVu Sans',sans-serif;font-size:12px}"
    ".title{font-size:16px;font-weight:600}.small{font-size:11px}.middle{text-anchor:middle}.end{text-anchor:end}"
    ".none{fill:none;stroke-width:.5}.line{stroke-width:1;stroke-opacity:.6}"
    + _rules("#1f2328", "#59636e", "#d1d9e0", _RAMP, ["#1f2328"] * 5 + ["#ffffff"] * 2, _STACK)
    + "@media screen and (prefers-color-scheme:dark){"
    + _rules("#e6edf3", "#9da7b3", "#3d444d", _RAMP_ON_DARK, ["#e6edf3"] * 4 + ["#0d1117"] * 3, _STACK_ON_DARK)
    + "}"
)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a stack: its key in the values, its name in the legend, its colour (0 to COLOURS - 1)."""

    key: str
    name: str
    colour: int


@dataclass(frozen=True, slots=True)
class Event:
    """A point on a timeline: `day` is ISO 8601."""

    day: str
    text: str


def heat_map(
    title: str, rows: Sequence[str], columns: Sequence[str], values: Values, *, row_axis: str, column_axis: str,
    unit: str,
) -> str:  # fmt: skip
    """Rows against columns: the more of `unit`, the stronger the shade. Row sums stand to the right."""
    left = _EDGE + _widest((*rows, row_axis)) + 10
    sums = {row: sum(values.get((row, column), 0) for column in columns) for row in rows}
    right = _EDGE + _wide(f"{max(sums.values()):,}") + 14
    wide = min(48.0, (WIDTH - left - right) / len(columns))
    high, slanted = 22, _widest(columns, 11) > wide - 2
    top = 54 + (0.72 * _widest(columns, 11) + 8 if slanted else 18)
    steps = _steps(max(values.values()))
    body = [_text(_EDGE, top - 8, row_axis, "quiet"), _text(left, 46, column_axis + " →", "quiet")]
    body += _column_labels(columns, left, top - 7, wide, slanted)
    body.append(_text(left + wide * len(columns) + right - _EDGE, top - 7, "all", "quiet end"))
    numbers = max(_wide(f"{value}", 11) for value in values.values()) <= wide - 3
    for index, row in enumerate(rows):
        y = top + index * high
        body.append(_text(left - 8, y + 15, row, "end", room=_LABEL))
        body += _cells(row, columns, values, steps, left, y, wide, high, numbers)
        body.append(_text(left + wide * len(columns) + right - _EDGE, y + 15, f"{sums[row]:,}", "end"))
    bottom = top + len(rows) * high
    legend, end = _ramp_legend(steps, left, bottom + 16, unit)
    body += legend
    most = max(values, key=lambda key: (values[key], key))
    about = (
        f"{len(rows)} rows ({row_axis}) by {len(columns)} columns ({column_axis}), in {unit}; "
        f"the most is {values[most]:,}, {most[0]} in {most[1]}."
    )
    return _svg(title, about, max(left + wide * len(columns) + right, end + _EDGE, _NARROWEST), bottom + 46, body)


def _cells(
    row: str, columns: Sequence[str], values: Values, steps: Sequence[int], left: float, y: float, wide: float,
    high: float, numbers: bool,
) -> Iterable[str]:  # fmt: skip
    for index, column in enumerate(columns):
        x, value = left + index * wide, values.get((row, column), 0)
        level = _level(value, steps)
        kind, hint = f"h{level}" if level else "none", f"{row}, {column}: {value:,}"
        yield _rect(x + 0.5, y + 0.5, wide - 1, high - 1, kind, hint if level else "")
        if level and numbers:
            yield _text(x + wide / 2, y + 15, str(value), f"small middle n{level}")


def _column_labels(columns: Sequence[str], left: float, y: float, wide: float, slanted: bool) -> Iterable[str]:
    for index, column in enumerate(columns):
        x = left + (index + 0.5) * wide
        if slanted:
            yield _text(x + 3, y, column, "small", turn=-45, room=_LABEL)
        else:
            yield _text(x, y, column, "small middle")


def _steps(most: int) -> list[int]:
    """Lower bounds of the shades, 1-2-5 a decade, at most LEVELS of them."""
    steps = [digit * 10**power for power in range(len(str(most))) for digit in (1, 2, 5) if digit * 10**power <= most]
    while len(steps) > LEVELS:
        del steps[1]
    return steps


def _level(value: int, steps: Sequence[int]) -> int:
    index = sum(value >= step for step in steps)
    if not index or len(steps) == 1:
        return index and LEVELS // 2
    return 1 + round((index - 1) * (LEVELS - 1) / (len(steps) - 1))


def _ramp_legend(steps: Sequence[int], x: float, y: float, unit: str) -> tuple[list[str], float]:
    """Marks of the shades' legend, and where it ends."""
    marks = [_text(x, y + 12, unit, "quiet")]
    x += _wide(unit) + 12
    for index, step in enumerate(steps):
        upper = steps[index + 1] - 1 if index + 1 < len(steps) else None
        label = f"{step:,}+" if upper is None else f"{step:,}" if upper == step else f"{step:,}–{upper:,}"
        marks += [_rect(x, y, 18, 16, f"h{_level(step, steps)}"), _text(x + 23, y + 12, label, "small")]
        x += 23 + _wide(label, 11) + 14
    return marks, x - 14


def stacked_bars(
    title: str, columns: Sequence[str], parts: Sequence[Part], values: Values, *, axis: str, unit: str
) -> str:
    """Standing bars, one a column, of parts on top of each other; values by (part, column). Sums stand above."""
    sums = [sum(values.get((part.key, column), 0) for part in parts) for column in columns]
    ticks = _ticks(max(sums))
    left, plot = _EDGE + _wide(f"{ticks[-1]:,}") + 10, 220.0
    wide = min(64.0, (WIDTH - left - _EDGE) / len(columns))
    right = max(left + wide * len(columns), _NARROWEST - _EDGE)
    shown = [part for part in parts if any(values.get((part.key, column)) for column in columns)]
    legend, used = _legend(shown, _EDGE, 40, right)
    top = 40 + used + 26
    body = [*legend, _text(_EDGE, top - 12, unit, "quiet")]
    for tick in ticks:
        y = top + plot * (1 - tick / ticks[-1])
        body += [_line(left, y, right, y), _text(left - 6, y + 4, f"{tick:,}", "small quiet end")]
    for index, column in enumerate(columns):
        body += _stack(column, parts, values, left + index * wide, top + plot, wide, plot / ticks[-1])
        body += _above(sums[index], left + (index + 0.5) * wide, top + plot * (1 - sums[index] / ticks[-1]) - 4, wide)
    slanted = _widest(columns, 11) > wide - 2
    body += _bar_labels(columns, left, top + plot + 16, wide, slanted)
    low = top + plot + (0.72 * _widest(columns, 11) + 14 if slanted else 20)
    body.append(_text(left + wide * len(columns) / 2, low + 14, axis, "quiet middle"))
    about = "; ".join(f"{column}: {count:,}" for column, count in zip(columns, sums, strict=True))
    return _svg(title, f"{unit} by {axis}. {about}.", right + _EDGE, low + 26, body)


def _stack(
    column: str, parts: Sequence[Part], values: Values, x: float, y: float, wide: float, scale: float
) -> Iterable[str]:
    gap = min(3.0, wide * 0.12)
    for part in parts:
        value = values.get((part.key, column), 0)
        if value:
            y -= value * scale
            high = max(value * scale - 0.75, 0.4)
            yield _rect(x + gap, y, wide - 2 * gap, high, f"c{part.colour}", f"{column}, {part.name}: {value:,}")


def _above(value: int, x: float, y: float, wide: float) -> Iterable[str]:
    if value and _wide(f"{value:,}", 11) <= wide + 2:
        yield _text(x, y, f"{value:,}", "small middle")


def _bar_labels(columns: Sequence[str], left: float, y: float, wide: float, slanted: bool) -> Iterable[str]:
    for index, column in enumerate(columns):
        x = left + (index + 0.5) * wide
        if slanted:
            yield _text(x + 4, y - 4, column, "small end", turn=-45, room=_LABEL)
        else:
            yield _text(x, y, column, "small middle")


def bars(title: str, rows: Sequence[str], parts: Sequence[Part], values: Values, *, axis: str, unit: str) -> str:
    """Lying bars, one a row, of parts side by side; values by (part, row). Sums stand at their ends."""
    sums = [sum(values.get((part.key, row), 0) for part in parts) for row in rows]
    left = _EDGE + _widest((*rows, axis)) + 10
    room = WIDTH - left - _EDGE - _wide(f"{max(sums):,}") - 8
    shown = [part for part in parts if any(values.get((part.key, row)) for row in rows)]
    legend, used = _legend(shown, _EDGE, 40, WIDTH)
    top = 40 + used + 26
    body = [*legend, _text(_EDGE, top - 8, axis, "quiet"), _text(left, top - 8, unit + " →", "quiet")]
    for index, row in enumerate(rows):
        x, y = left, top + index * 22
        body.append(_text(left - 8, y + 15, row, "end", room=_LABEL))
        for part in parts:
            value = values.get((part.key, row), 0)
            wide = value * room / max(sums)
            if value:
                hint = f"{row}, {part.name}: {value:,}"
                body.append(_rect(x, y + 3, max(wide - 0.75, 0.75), 16, f"c{part.colour}", hint))
            x += wide
        body.append(_text(x + 6, y + 15, f"{sums[index]:,}", "small"))
    about = "; ".join(f"{row}: {count:,}" for row, count in zip(rows, sums, strict=True))
    return _svg(title, f"{unit} by {axis}. {about}.", WIDTH, top + len(rows) * 22 + 14, body)


def timeline(title: str, lanes: Mapping[str, Sequence[Event]], colours: Mapping[str, int], *, axis: str) -> str:
    """Events as dots with their texts over the years, in lanes with their colours (0 to COLOURS - 1).

    A lane grows as high as its texts need; days must lie in the years 1 to 9999.
    """
    days = [_years(event.day) for events in lanes.values() for event in events]
    first, last = math.floor(min(days)), math.floor(max(days)) + 1
    left = _EDGE + _widest((*lanes, axis)) + 30
    scale = (WIDTH - left - _EDGE) / (last - first)
    top, y = 68, 68.0
    body = []
    for lane, events in lanes.items():
        dots, used = _lane(events, left, y + 6, scale, first, colours[lane])
        body += [_line(_EDGE, y, WIDTH - _EDGE, y), _text(_EDGE, y + 19, lane, room=_LABEL), *dots]
        y += used + 8
    every = next(step for step in (1, 2, 5, 10, 50, 100, 10000) if step * scale >= 40)
    years = [year for year in range(first, last + 1) if year % every == 0]
    grid = [_line(left + (year - first) * scale, top - 4, left + (year - first) * scale, y) for year in years]
    names = [_text(left + (year - first) * scale, top - 10, str(year), "small quiet middle") for year in years]
    about = "; ".join(f"{lane}: {', '.join(f'{e.text} ({e.day})' for e in events)}" for lane, events in lanes.items())
    return _svg(title, about, WIDTH, y + 10, [_text(_EDGE, top - 10, axis, "quiet"), *names, *grid, *body])


def _lane(
    events: Sequence[Event], left: float, top: float, scale: float, first: int, colour: int
) -> tuple[list[str], float]:
    """Marks of a lane's events, each in the highest row with room for it, and the height they take."""
    ends: list[list[tuple[float, float]]] = []
    marks = []
    for event in sorted(events, key=lambda event: (event.day, event.text)):
        x, text = left + (_years(event.day) - first) * scale, _cut(event.text, _EVENT, 11)
        room = _wide(text, 11) + 14
        sides = [(x - 6, x + room, False), (x - room, x + 6, True)]
        row, leftwards = _place(ends, [side for side in sides if side[0] > left - 20 and side[1] < WIDTH] or sides[1:])
        y = top + row * 17 + 9
        hint = _xml(f"{event.day} {event.text[:400]}")
        marks.append(f'<circle class="c{colour}" cx="{_n(x)}" cy="{_n(y)}" r="4"><title>{hint}</title></circle>')
        marks.append(_text(x - 8 if leftwards else x + 8, y + 4, text, "small end" if leftwards else "small"))
    return marks, 17.0 * len(ends) + 6


def _place(rows: list[list[tuple[float, float]]], sides: Sequence[tuple[float, float, bool]]) -> tuple[int, bool]:
    """The first row with room for one of `sides` (begin, end, leftwards), which is then taken there."""
    for index in range(len(rows) + 1):
        if index == len(rows):
            rows.append([])
        for begin, end, leftwards in sides:
            if all(end <= taken[0] or begin >= taken[1] for taken in rows[index]):
                rows[index].append((begin, end))
                return index, leftwards
    raise AssertionError("a new row has room")


def _years(day: str) -> float:
    moment = date.fromisoformat(day[:10])
    return moment.year + (moment.timetuple().tm_yday - 1) / 366


def _ticks(most: int) -> list[int]:
    """Even, round steps from 0 to at least `most`, four to seven of them where numbers are not tiny."""
    size = 10 ** max(len(str(most)) - 2, 0)
    step = next(size * digit for digit in (1, 2, 5, 10, 20, 25, 50) if math.ceil(most / (size * digit)) <= 6)
    return [step * index for index in range(math.ceil(most / step) + 1)]


def _legend(parts: Sequence[Part], left: float, y: float, right: float) -> tuple[list[str], float]:
    """Marks of a legend that wraps at `right`, and the height it takes."""
    marks, x, top = [], left, y
    for part in parts:
        wide = 19 + _wide(part.name) + 18
        if x > left and x + wide > right:
            x, y = left, y + 20
        marks += [_rect(x, y, 13, 13, f"c{part.colour}"), _text(x + 19, y + 11, part.name)]
        x += wide
    return marks, y - top + 20


def _svg(title: str, about: str, width: float, height: float, body: Iterable[str]) -> str:
    width = max(width, min(WIDTH, _EDGE * 2 + _wide(title, _TITLE)))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(width)}" height="{_n(height)}" '
        f'viewBox="0 0 {_n(width)} {_n(height)}" role="img" aria-labelledby="title desc">\n'
        f'<title id="title">{_xml(title)}</title>\n<desc id="desc">{_xml(about)}</desc>\n<style>{_STYLE}</style>\n'
    )
    shown = _text(_EDGE, 24, _cut(title, WIDTH - 2 * _EDGE, _TITLE), "title")
    return head + "\n".join([shown, *body]) + "\n</svg>\n"


def _text(x: float, y: float, text: str, kind: str = "", turn: int = 0, room: float = WIDTH) -> str:
    turned = f' transform="rotate({turn} {_n(x)} {_n(y)})"' if turn else ""
    marked = f' class="{kind}"' if kind else ""
    return f'<text x="{_n(x)}" y="{_n(y)}"{marked}{turned}>{_xml(_cut(text, room, _SIZE))}</text>'


def _rect(x: float, y: float, wide: float, high: float, kind: str, hint: str = "") -> str:
    inside = f"><title>{_xml(hint)}</title></rect>" if hint else "/>"
    return f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" width="{_n(wide)}" height="{_n(high)}"{inside}'


def _line(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line class="line" x1="{_n(x)}" y1="{_n(y)}" x2="{_n(to_x)}" y2="{_n(to_y)}"/>'


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _xml(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", inert(text, keep="")))


def _widest(labels: Iterable[str], size: float = _SIZE) -> float:
    return max(min(_wide(label[:200], size), _LABEL * size / _SIZE) for label in labels)


def _wide(text: str, size: float = _SIZE) -> float:
    """Width of `text` in px, on the generous side: fonts differ from reader to reader."""
    return sum(_character(character) for character in text) * size


def _character(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if character in " .,:;|!'iljtf()[]":
        return 0.32
    return 0.9 if character in "mwMW@" else 0.7 if character.isupper() else 0.61


def _cut(text: str, room: float, size: float) -> str:
    text = inert(text[:400], keep="")
    if _wide(text, size) <= room:
        return text
    while text and _wide(text, size) > room - size:
        text = text[: min(len(text) - 1, int(len(text) * 0.98))]
    return text.rstrip() + "…"
