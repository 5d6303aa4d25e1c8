"""Pictures: well-formed, within their bounds, inert whatever their labels hold."""

import itertools
import re
from xml.etree import ElementTree

import pytest

from kminer import charts

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '</text><script>alert(1)</script><a href="javascript:1">&amp;\x1b[31m\x00\u202e\ufffe"\'' + "x" * 5000
PARTS = [charts.Part("a", "first part", 0), charts.Part("b", HOSTILE, 7)]


def heat(rows=("ns.mnt", HOSTILE), columns=("2.6.24", HOSTILE), values=None) -> str:
    values = values or {(rows[0], columns[0]): 12, (rows[-1], columns[-1]): 3}
    return charts.heat_map("A " + HOSTILE, rows, columns, values, row_axis="mechanism", column_axis="release", unit="n")


def stack(columns=("2009", HOSTILE)) -> str:
    values = {("a", columns[0]): 1234, ("b", columns[-1]): 5}
    return charts.stacked_bars(HOSTILE, columns, PARTS, values, axis="year", unit="changes")


def lying(rows=("ns.mnt", HOSTILE)) -> str:
    return charts.bars(HOSTILE, rows, PARTS, {("a", rows[0]): 7, ("b", rows[-1]): 1}, axis="mechanism", unit="changes")


def lanes(events=None) -> str:
    events = events or {
        "ns.mnt": [charts.Event("2002-08-03", HOSTILE)],
        HOSTILE: [charts.Event("2010-02-24", "v1 blkio")],
    }
    return charts.timeline(HOSTILE, events, dict.fromkeys(events, 2), axis="mechanism")


@pytest.mark.parametrize("draw", [heat, stack, lying, lanes])
def test_hostile_text_adds_no_element(draw):
    """Foreign text stays text: only the elements that the charts draw with are there."""
    tree = ElementTree.fromstring(draw())
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} <= {
        "svg", "title", "desc", "style", "text", "rect", "line", "circle"
    }  # fmt: skip
    names = {name for element in tree.iter() for name in element.attrib}
    assert not {name for name in names if name.startswith("on") or "href" in name}
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\ufffe]", draw())


@pytest.mark.parametrize("draw", [heat, stack, lying, lanes])
def test_same_arguments_give_the_same_bytes(draw):
    """A picture depends on nothing but its arguments."""
    assert draw() == draw()


@pytest.mark.parametrize("draw", [heat, stack, lying, lanes])
def test_is_told_to_screen_readers(draw):
    """Each picture has a title and a description that its root points at."""
    tree = ElementTree.fromstring(draw())
    assert tree.attrib["role"] == "img"
    assert [tree.find(f"{SVG}{name}").attrib["id"] for name in ("title", "desc")] == ["title", "desc"]
    assert tree.find(f"{SVG}desc").text


@pytest.mark.parametrize("draw", [heat, stack, lying, lanes])
def test_stands_on_any_page(draw):
    """No background, no foreign fonts or scripts; dark colours on a dark screen only, so that print stays light."""
    svg = draw()
    assert "@media screen and (prefers-color-scheme:dark)" in svg
    assert "url(" not in svg and "@import" not in svg and "@font-face" not in svg
    assert not re.search(r'<rect[^>]*width="(900|100%)"', svg)


MANY = [f"{major}.{minor}" for major in range(1, 12) for minor in range(10)]
CROWD = {"cg.memory": [charts.Event(f"20{year:02}-0{month}-01", f"memory.file{month}" * 3)
                       for year in range(5, 27) for month in range(1, 8)]}  # fmt: skip


@pytest.mark.parametrize(
    "svg",
    [heat(), stack(), lying(), lanes(), heat(["a"] * 40, MANY), stack(MANY), lying(MANY), lanes(CROWD)],
    ids=["heat", "stack", "bars", "timeline", "wide heat", "wide stack", "long bars", "crowded timeline"],
)
def test_fits_a_page(svg):
    """At most 900 px wide; what is drawn lies inside; letters are never under 11 px."""
    tree = ElementTree.fromstring(svg)
    width, height = float(tree.attrib["width"]), float(tree.attrib["height"])
    assert width <= charts.WIDTH
    for element in tree.iter(f"{SVG}rect"):
        box = {key: float(element.attrib[key]) for key in ("x", "y", "width", "height")}
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        assert box["y"] >= 0 and box["y"] + box["height"] <= height
    for element in tree.iter(f"{SVG}text"):
        assert 0 <= float(element.attrib["x"]) <= width and 0 <= float(element.attrib["y"]) <= height
    assert min(float(size) for size in re.findall(r"font-size:([\d.]+)px", svg)) >= 11


def test_labels_of_a_lane_do_not_overlap():
    """Two texts of a timeline never lie on each other."""
    spans: dict[str, list[tuple[float, float]]] = {}
    for element in ElementTree.fromstring(lanes(CROWD)).iter(f"{SVG}text"):
        if (element.text or "").startswith("memory.file"):
            x, wide = float(element.attrib["x"]), charts._wide(element.text, 11)
            span = (x - wide, x) if "end" in element.attrib["class"] else (x, x + wide)
            spans.setdefault(element.attrib["y"], []).append(span)
    assert len(spans) > 3
    for row in spans.values():
        row.sort()
        assert all(left[1] <= right[0] for left, right in itertools.pairwise(row))


@pytest.mark.parametrize("most", [1, 2, 7, 10, 99, 1000, 123456])
def test_more_is_never_paler(most):
    """A heat map's shades rise with the value, from none at 0 to the strongest."""
    steps = charts._steps(most)
    levels = [charts._level(value, steps) for value in (0, *steps, most)]
    assert levels == sorted(levels)
    assert levels[0] == 0 and levels[1] >= 1 and levels[-1] <= charts.LEVELS and len(steps) <= charts.LEVELS


@pytest.mark.parametrize("most", [1, 3, 9, 10, 11, 99, 101, 1865, 98765])
def test_axis_ends_above_the_most(most):
    """The value axis begins at nought, ends at or above the greatest value, and has few ticks."""
    ticks = charts._ticks(most)
    assert ticks[0] == 0 and ticks[-1] >= most and 2 <= len(ticks) <= 8


def _contrast(first: str, second: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((light(first), light(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_numbers_can_be_read_on_their_shades(dark):
    """WCAG's 4.5 : 1 for each number of a heat map, on light pages and on dark ones."""
    light_rules, dark_rules = charts._STYLE.split("@media", 1)
    colours = dict(re.findall(r"\.([hn]\d)\{fill:(#\w{6})\}", dark_rules if dark else light_rules))
    for level in range(1, charts.LEVELS + 1):
        assert _contrast(colours[f"h{level}"], colours[f"n{level}"]) >= 4.5, level
