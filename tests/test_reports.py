"""Reports: the same bytes for the same database, inert whatever it holds, honest about what is missing."""

import hashlib
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from kminer import catalogue, queries, reports
from kminer.errors import CatalogueError, KminerError, QueryError, UsageError
from kminer.records import Change, ChangedPath, Classification, Label, Moment, Person, Reference, Release
from kminer.store import labels, writer
from kminer.store.database import open_for_reading, open_for_writing

HOSTILE = (
    "<script>alert(1)</script> [x](javascript:1) ![p](http://evil.example/p.png) | `c` **b** \x1b[31m\u202e <!-- #1 @me"
)
WEEK = 7 * 86400
START = 1_200_000_000


def key(number: int) -> str:
    return hashlib.sha1(str(number).encode()).hexdigest()


def change(
    number: int, title: str, tracked: Sequence[str] = (), *, type: str = "commit", references: Sequence[Reference] = (),
    author: str = "Ada", text: str = "",
) -> Change:  # fmt: skip
    when, who = Moment(START + number * WEEK), Person("author", author, f"{author[:3]}@example.org")
    return Change(
        type=type, key=key(number), title=title, text=f"{title}\n\n{text}", encoding="utf-8",
        authored=when, committed=when,
        people=(who, Person("committer", who.name, who.email)),
        paths=tuple(ChangedPath(path + ("x.c" if path.endswith("/") else ""), "M", path) for path in tracked),
        references=tuple(references), matched_by=("path",) if tracked else ("words",),
    )  # fmt: skip


def linux_changes(hostile: bool = False) -> list[Change]:
    bad = HOSTILE if hostile else "plain"
    return [
        change(1, f"cgroup: {bad}", ["kernel/cgroup/"]),
        change(2, f"memcg: {bad}", ["mm/memcontrol.c"], author=bad),
        change(3, "memcg: mend it", ["mm/memcontrol.c", "kernel/cgroup/"],
               references=[Reference("fixes", key(2)[:12], key(2))]),
        change(30, f"userns: {bad}", ["kernel/user_namespace.c"], references=[Reference("cve", "CVE-2010-0001")]),
        change(31, 'Revert "memcg: two"', ["mm/memcontrol.c"], references=[Reference("reverts", key(2), key(2))]),
        change(32, f"sched: groups {bad}"),
        change(60, f"Merge tag 'cgroup' of git://example.org/{'x' if not hostile else bad}", type="pull",
               text=f"Pull cgroup updates from Ada:\n\n {bad} is what it brings.\n\nMore."),
        change(61, "memcg: soon", ["mm/memcontrol.c"]),
    ]  # fmt: skip


RELEASES = {"v2.6.24": range(0, 10), "v2.6.26": range(10, 40), "v2.6.28-rc1": range(40, 61)}


def fill(
    file: Path, source: str = "linux", changes: Sequence[Change] = (), releases: dict[str, range] | None = None
) -> None:
    """A store holding `changes`; each belongs to the release whose numbers hold its own."""
    releases = RELEASES if releases is None else releases
    with open_for_writing(file) as db:
        db.execute("BEGIN")
        writer.save_source(db, catalogue.load_sources()[source])
        writer.save_changes(db, source, "x", changes)
        previous: str | None = None
        rows, firsts = [], []
        for position, (tag, numbers) in enumerate(releases.items()):
            version = tag.removeprefix("v")
            kind, series = "rc" if "-rc" in tag else "final", version.split("-")[0]
            moment = Moment(START + numbers.stop * WEEK)
            rows.append(Release(tag, version, kind, series, position, key(9000 + position), moment, previous))
            first = (tag, None) if kind == "rc" else (None, tag)
            firsts += [(key(number), *first) for number in numbers]
            previous = tag
        writer.save_releases(db, source, rows)
        writer.save_first_releases(db, source, firsts)
        facts = {"location": "/x", "definition": "x", "since": None, "shallow": 0, "commits": 1000, "synced_at": "now"}
        writer.save_cursor(db, source, [], facts)
        db.execute("COMMIT")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    fill(tmp_path / "k.db", changes=linux_changes())
    return tmp_path / "k.db"


UPGRADE = {"from": "v2.6.24", "to": "v2.6.26"}
BOTH = [("timeline", {}), ("upgrade", UPGRADE)]


def written(
    file: Path, name: str, settings: dict[str, str] | None = None, out: str = "out"
) -> tuple[str, dict[str, str]]:
    """The report's Markdown and its pictures by name."""
    md = reports.write(open_for_reading(file), catalogue.find_report(name), settings or {}, file.parent / out)
    assert md == file.parent / out / f"{name}.md"
    return md.read_text(), {svg.name: svg.read_text() for svg in md.parent.glob(f"{name}-*.svg")}


class _Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses |= {value or "" for name, value in attrs if name in ("href", "src")}

    def handle_comment(self, data: str) -> None:
        self.tags.add("comment")

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(text: str) -> _Elements:
    """The Markdown as a code host would render it, raw HTML let through."""
    return _Elements(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))


@pytest.mark.parametrize(("name", "settings"), BOTH)
def test_same_database_gives_the_same_bytes(store, name, settings):
    """Two writes agree, byte for byte, in Markdown and pictures."""
    assert written(store, name, settings, "one") == written(store, name, settings, "two")


@pytest.mark.parametrize(("name", "settings"), BOTH)
def test_when_it_was_synced_does_not_show(store, tmp_path, name, settings):
    """The wall clock of a sync and the clone's place are no part of a report."""
    before = written(store, name, settings, "one")
    with open_for_writing(store) as db:
        db.execute("UPDATE sources SET synced_at = 'later', location = '/elsewhere'")
    assert written(store, name, settings, "two") == before


@pytest.mark.parametrize(
    ("name", "settings"), [("timeline", {}), ("upgrade", {"from": "v2.6.24", "to": "v2.6.28-rc1"})]
)
def test_hostile_text_is_inert(tmp_path, name, settings):
    """Markup, links, pictures, control and direction characters in titles, names and texts show as written."""
    fill(tmp_path / "k.db", changes=linux_changes(hostile=True))
    text, pictures = written(tmp_path / "k.db", name, settings)
    page = shown(text)
    assert page.tags <= {
        "h1", "h2", "h3", "p", "a", "img", "ul", "li", "code", "strong", "em", "details", "summary", "blockquote",
        "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    ours = re.compile(r"https://git\.kernel\.org/linus/\w+$|\w+-.*\.svg$")
    assert all(ours.match(address) for address in page.addresses)
    assert "<script>alert(1)</script>" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text + "".join(pictures.values()))
    for svg in pictures.values():
        assert not {tag.tag.split("}")[1] for tag in ElementTree.fromstring(svg).iter()} & {"script", "image", "a"}


def test_tables_keep_their_columns(tmp_path):
    """A pipe or a line break in a name adds no cell and no row."""
    fill(tmp_path / "k.db", changes=[change(1, "a", ["mm/memcontrol.c"], author="a | b\n| c\n\n# d")])
    lines = [line for line in written(tmp_path / "k.db", "timeline")[0].splitlines() if line.startswith("| 2008 ")]
    assert [len(re.split(r"(?<!\\)\|", line)) for line in lines] == [5]


def test_a_template_cannot_forget_to_escape(store, tmp_path):
    """Bare values, joined values, macros and even Jinja's own `safe` come out escaped."""
    template = tmp_path / "mine.md.j2"
    template.write_text(
        "{#\n-- title: t\n-- why: w\n-- param text: x\n#}\n{% macro m(t) %}{{ t }}{% endmacro %}\n"
        "{{ text }}\n\n{{ text|safe }}\n\n{{ ('a' ~ text)|upper }}\n\n{{ m(text) }}\n\n"
        "{{ [text]|join }}\n\n{{ [text] }}\n\n{{ text|md ~ text }}\n"
    )
    md = reports.write(open_for_reading(store), template, {"text": HOSTILE}, tmp_path / "out").read_text()
    assert shown(md).tags <= {"p"} and not shown(md).addresses


def test_settings_are_inert(store):
    """What a user gives as a setting cannot inject either, and an error shows it plainly."""
    with pytest.raises(UsageError) as error:
        written(store, "upgrade", {"from": "v2.6.24", "to": "\x1b[31m' OR 1=1 --"})
    assert "\x1b" not in str(error.value)
    text, _ = written(store, "upgrade", {"project": HOSTILE, "from": "v1", "to": "v2"})
    assert not shown(text).tags & {"script", "img", "a", "comment"}


def test_unknown_tag_names_the_nearest(store):
    """A release that is not there is an error with what there is near it, and nothing is written."""
    with pytest.raises(UsageError, match=r"'v2\.6\.28' is not a release of linux") as error:
        written(store, "upgrade", {"from": "v2.6.24", "to": "v2.6.28"})
    assert "v2.6.28-rc1" in error.value.next and "v2.6.26" in error.value.next
    assert not (store.parent / "out").exists()


def test_versions_serve_as_tags(store):
    """A release can be named by its version."""
    assert written(store, "upgrade", {"from": "2.6.24", "to": "2.6.26"}) == written(store, "upgrade", UPGRADE)


def test_releases_the_wrong_way_round(store):
    """From must be the older one."""
    with pytest.raises(UsageError, match=r"v2\.6\.24 does not come after v2\.6\.26"):
        written(store, "upgrade", {"from": "v2.6.26", "to": "v2.6.24"})


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"from": "v2.6.24"}, "needs --set to="), ({**UPGRADE, "form": "x"}, "no parameter 'form'"),
     ({**UPGRADE, "most": "many"}, "whole number")],
)  # fmt: skip
def test_wrong_settings(store, settings, says):
    """A setting that is missing, unknown, or no number is a usage error."""
    with pytest.raises(UsageError, match=says):
        written(store, "upgrade", settings)


def test_upgrade_holds_each_change_between_once(store):
    """All of the newer release and nothing else: each once, under its narrowest mechanism, with id and link."""
    text, _ = written(store, "upgrade", UPGRADE)
    for number in (30, 31, 32):
        assert text.count(f"[`{key(number)[:12]}`](https://git.kernel.org/linus/{key(number)})") == 1
    for number in (1, 2, 3, 60, 61):
        assert f"[`{key(number)[:12]}`]" not in text
    headings = [line.removeprefix("### ").split(":")[0] for line in text.splitlines() if line.startswith("### ")]
    shown_headings = [re.sub(r"\\", "", heading) for heading in headings]
    assert [name for name in shown_headings if name in ("ns.user", "cg.memory", "(no mechanism)")] == [
        "ns.user", "cg.memory", "(no mechanism)"
    ]  # fmt: skip
    assert "CVE" in text and f"reverts {key(2)[:12]}" in text


def test_a_candidate_can_be_the_end(store):
    """Up to a release candidate: what it brought is there, with the maintainer's summary."""
    page = shown(written(store, "upgrade", {"from": "v2.6.26", "to": "v2.6.28-rc1"})[0])
    assert "plain is what it brings." in page.text and "git://" not in page.text
    assert "More." not in page.text


def _table(text: str, head: str) -> list[list[str]]:
    """Cells of the first table whose head line begins with `head`."""
    lines = text[text.index(head) :].split("\n\n")[0].splitlines()[2:]
    return [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in line.strip("|").split(" | ")] for line in lines]


def _ask(file: Path, name: str, **settings: str) -> list[dict[str, object]]:
    return list(queries.run(open_for_reading(file), queries.find(name), settings).dicts())


def test_numbers_are_those_of_the_queries(store):
    """Each number of a report's tables is what `kminer query` answers."""
    timeline, _ = written(store, "timeline")
    pivot = _table(timeline, "| release line | ns.user")
    columns = re.search(r"\| release line \| (ns.user.*) \|", timeline)[1].replace("\\", "").split(" | ")
    cells = [(row[0], pair) for row in pivot for pair in zip(columns, row[1:], strict=True)]
    counted = {(line, column): int(cell) for line, (column, cell) in cells if cell}
    assert counted == {(r["release_line"], r["mechanism"]): r["changes"] for r in _ask(store, "report-releases")}
    lines = _table(timeline, "| release line | first final")
    assert [(row[0], int(row[-1])) for row in lines] == [
        (row["release_line"], row["changes"]) for row in _ask(store, "report-release-lines")
    ]
    people = _table(timeline, "| year | most changes by")
    assert people[0][1] == ", ".join(
        f"{row['author']} ({row['changes']})" for row in _ask(store, "report-people") if row["year"] == people[0][0]
    )
    upgrade, _ = written(store, "upgrade", UPGRADE)
    between = [row for row in _ask(store, "new-between", **UPGRADE) if row["type"] == "commit"]
    numbers = {row[0].strip("* "): row[1].strip("* ") for row in _table(upgrade, "| between the two")}
    assert numbers["changes, each counted once"] == str(len(between)) == "3"
    evidence = [row["evidence"] for row in _ask(store, "report-evidence") if row["release"] == "v2.6.26"]
    assert numbers["changes that name a CVE"] == str(evidence.count("cve")) == "1"
    assert numbers["changes that revert a commit"] == str(evidence.count("revert")) == "1"


def test_every_named_command_works(store):
    """Each `kminer query` that a report names can be run as it stands."""
    for name, settings in BOTH:
        for line in set(re.findall(r"`kminer query ([^`]+)`", written(store, name, settings)[0])):
            asked, *pairs = line.split(" --set ")
            _ask(store, asked, **dict(pair.split("=", 1) for pair in pairs))


def label(file: Path, given: dict[int, tuple[str, ...]], relevant: bool = True) -> None:
    """Give changes by number their kind, mechanisms (with a dot) and flags."""
    with open_for_writing(file) as db:
        db.execute("BEGIN")
        found = []
        for number, (kind, *others) in given.items():
            change_id = db.execute("SELECT id FROM changes WHERE key = ?", (key(number),)).fetchone()[0]
            pairs = [("relevant", "yes" if relevant else "no"), ("kind", kind)]
            pairs += [("mechanism" if "." in other else "flag", other) for other in others]
            found.append(
                Classification(str(change_id), "1", "", tuple(Label(axis, label, 0.9) for axis, label in pairs))
            )
        labels.save_classifications(db, found, {}, "votes", {})
        db.execute("COMMIT")


@pytest.fixture
def labelled(store: Path) -> Path:
    """The store labelled: 32 is not about isolation; 2, 3 and 31 are bugs, 31 against its path in cg.io."""
    label(store, {
        1: ("feature", "cg.core"), 2: ("bug", "cg.memory"), 3: ("bug", "cg.core", "cg.memory"),
        30: ("feature", "ns.user", "cg.io"), 31: ("bug", "cg.io", "revert"), 60: ("maintenance",),
        61: ("maintenance", "cg.memory"),
    })  # fmt: skip
    label(store, {32: ("bug",)}, relevant=False)
    return store


def test_timeline_shows_kinds_by_year(labelled):
    """A picture, the share of bugs in a sentence, and the numbers that the query gives."""
    text, pictures = written(labelled, "timeline")
    assert "timeline-linux-kinds.svg" in pictures and "](timeline-linux-kinds.svg)" in text
    assert "3 of 6 labelled changes mend a bug: 50.0 %." in text
    head = "| year | feature | bug | maintenance"
    counted = {
        (row[0], kind): int(cell)
        for row in _table(text, head)
        for kind, cell in zip(("feature", "bug", "maintenance"), row[1:], strict=True)
        if cell
    }
    assert counted == {(row["year"], row["kind"]): row["changes"] for row in _ask(labelled, "report-kinds")}
    assert "ot labelled.**" not in text


def test_timeline_leaves_out_what_is_off_topic(labelled):
    """What was labelled as not about isolation is told as a number, and counts nowhere else."""
    text, _ = written(labelled, "timeline")
    assert "6 changes out of 1,000 commits read" in text and "1 more were kept" in text
    assert [int(row[-1]) for row in _table(text, "| release line | first final")] == [3, 2, 0]
    label(labelled, dict.fromkeys((1, 2, 3, 30, 31, 61), ("bug",)), relevant=False)
    text, pictures = written(labelled, "timeline", out="none")
    assert "None of the 7 changes kept of this source is about isolation." in text
    assert not [name for name in pictures if "milestones" not in name]


def test_upgrade_groups_by_mechanism_and_kind(labelled):
    """Labels give the mechanism; features stand before bugs, what concerns security first; off-topic ones nowhere."""
    label(labelled, {30: ("bug", "cg.io", "security"), 31: ("bug", "cg.io"), 3: ("feature", "cg.io")})
    with open_for_writing(labelled) as db:
        db.execute("UPDATE changes SET first_final = 'v2.6.26' WHERE key = ?", (key(3),))
        db.execute("UPDATE changes SET date = '2001-01-01T00:00:00Z' WHERE key = ?", (key(31),))
    text, _ = written(labelled, "upgrade", UPGRADE)
    body = text[text.index("## Changes by mechanism") : text.index("## How to read it")]
    assert body.index("### cg.io: ") < body.index("**Features: 1") and body.count("[`") == 3
    assert re.findall(r"\*\*(?:Features|Bugs mended): \d|\[`\w+`\]", body) == [
        "**Features: 1", f"[`{key(3)[:12]}`]", "**Bugs mended: 2", f"[`{key(30)[:12]}`]", f"[`{key(31)[:12]}`]",
    ]  # fmt: skip
    assert body.count("**security:**") == 1 and key(32)[:12] not in text
    numbers = {row[0].strip("* "): row[1].strip("* ") for row in _table(text, "| between the two")}
    assert numbers["changes: features"] == "1" and numbers["changes: bugs mended"] == "2"
    assert numbers["changes that concern security"] == "1" and numbers["changes, each counted once"] == "3"


@pytest.mark.parametrize(("name", "settings"), BOTH)
def test_store_without_labels_says_how_to_label(store, name, settings):
    """Where nothing is labelled the report says so, with the command, and shows the rest without kinds."""
    text, pictures = written(store, name, settings)
    assert "**Not labelled.**" in text and "`kminer classify`" in text
    assert pictures and not [picture for picture in pictures if "kinds" in picture]
    assert "mend a bug" not in text and "Bugs mended" not in text


@pytest.mark.parametrize(("name", "settings"), BOTH)
def test_store_labelled_in_part_says_how_much_is_not(store, name, settings):
    """Where some changes are labelled, the others are counted, and go by paths."""
    label(store, {30: ("feature", "ns.user"), 1: ("bug", "cg.core")})
    text, _ = written(store, name, settings)
    assert "**Not all labelled.** 5 of 7 changes of `linux` are not labelled" in text
    assert "**Not labelled.**" not in text and "(not labelled" in text.replace("\\", "")


@pytest.mark.parametrize(("name", "settings"), BOTH)
def test_empty_store_says_how_to_fill_it(tmp_path, name, settings):
    """Without any source, a report says what is missing and what to run; no picture is drawn."""
    with open_for_writing(tmp_path / "k.db"):
        pass
    text, pictures = written(tmp_path / "k.db", name, settings)
    assert "**Missing: " in text and "`kminer sync linux`" in text
    assert not pictures


def test_missing_source_is_named_and_the_rest_is_there(store):
    """With Linux alone, the timeline says how to get Docker, and shows Linux."""
    text, pictures = written(store, "timeline")
    assert "`kminer sync docker`" in text and "`kminer sync linux`" not in text
    assert "timeline-linux-mechanisms.svg" in text and "timeline-linux-mechanisms.svg" in pictures


def test_upgrade_without_the_project_shows_the_catalogue(store):
    """For a project that was never synced, the catalogue's features still show."""
    text, pictures = written(store, "upgrade", {"project": "docker", "from": "v19.03.0", "to": "v20.10.0"})
    assert "`kminer sync docker`" in text and "Support of cgroup v2" in text
    assert not pictures


def test_no_releases(tmp_path):
    """A clone without tags: said, with the command that mends it; years still show."""
    fill(tmp_path / "k.db", changes=linux_changes(), releases={})
    text, pictures = written(tmp_path / "k.db", "timeline")
    assert "git fetch --tags" in text and "timeline-linux-years.svg" in pictures
    text, pictures = written(tmp_path / "k.db", "upgrade", UPGRADE)
    assert "**Missing: the releases of linux.**" in text and not pictures


def test_source_without_changes(tmp_path):
    """A source that kept nothing is said to, and draws nothing."""
    fill(tmp_path / "k.db", changes=[])
    text, pictures = written(tmp_path / "k.db", "timeline")
    assert "No change is kept" in text
    assert not [name for name in pictures if "years" in name or "mechanisms" in name]


@pytest.mark.parametrize(("name", "settings"), BOTH)
def test_demo_is_labelled_everywhere(tmp_path, name, settings):
    """A demo's reports say so at the top and in each picture; they miss no real source."""
    fill(tmp_path / "k.db", "linux-demo", linux_changes())
    text, pictures = written(tmp_path / "k.db", name, settings)
    assert "**Demo data.**" in "\n".join(text.splitlines()[:6])
    assert pictures and "Missing" not in text
    for svg in pictures.values():
        tree = ElementTree.fromstring(svg)
        assert tree.find("{http://www.w3.org/2000/svg}title").text.startswith("Demo data: ")
        assert tree.find("{http://www.w3.org/2000/svg}text").text.startswith("Demo data: ")
    assert all("![Demo data: " in text for _ in pictures)


@pytest.mark.parametrize(("name", "settings"), BOTH)
def test_real_data_is_not_called_a_demo(store, name, settings):
    """No demo label where the history is real."""
    text, pictures = written(store, name, settings)
    assert "Demo" not in text + "".join(pictures.values())


def test_pictures_are_the_ones_linked(store):
    """Each picture written is shown, each shown is written."""
    for name, settings in BOTH:
        text, pictures = written(store, name, settings)
        assert {address for address in shown(text).addresses if address.endswith(".svg")} == set(pictures)


def test_dates_out_of_any_calendar(tmp_path):
    """Commits of 1901 and 2150 neither break a report nor stretch its years without end."""
    odd = [change(-3600, "long ago", ["mm/memcontrol.c"]), change(7400, "far off", ["mm/memcontrol.c"])]
    fill(tmp_path / "k.db", changes=[*linux_changes(), *odd])
    _, pictures = written(tmp_path / "k.db", "timeline")
    assert len(re.findall(r"<text", pictures["timeline-linux-years.svg"])) < 60


def test_folder_that_cannot_be_written(store, tmp_path):
    """A file in the folder's place, or a folder in the report's, is an error with what next."""
    (tmp_path / "file").write_text("")
    for out in ("file", "file/below"):
        with pytest.raises(reports.ReportError, match="cannot be written") as error:
            written(store, "timeline", out=out)
        assert error.value.exit_code == 1 and "--out" in error.value.next


def _template(tmp_path: Path, body: str, head: str = "-- title: t\n-- why: w") -> Path:
    file = tmp_path / "mine.md.j2"
    file.write_text("{#\n" + head + "\n#}\n" + body)
    return file


@pytest.mark.parametrize(
    ("body", "error"),
    [("{% if %}", CatalogueError), ("{{ nothing }}", CatalogueError), ("{{ 1 / 0 }}", CatalogueError),
     ("{{ query('no-such') }}", UsageError), ("{% include 'no' %}", CatalogueError),
     ("{{ query('files', nonsense=1) }}", UsageError), ("{{ ''.__class__.__mro__ }}", CatalogueError)],
)  # fmt: skip
def test_wrong_template(store, tmp_path, body, error):
    """A template that is wrong is named, without a traceback, and writes nothing."""
    with pytest.raises(error):
        reports.write(open_for_reading(store), _template(tmp_path, body), {}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_failing_query_is_named(store, tmp_path, home):
    """A query that fails inside a report is named."""
    folder = home / "xdg_config_home" / "kminer" / "queries"
    folder.mkdir(parents=True)
    (folder / "broken.sql").write_text("-- title: t\n-- why: w\nSELECT nothing FROM nowhere\n")
    with pytest.raises(QueryError, match="Query 'broken' failed"):
        reports.write(open_for_reading(store), _template(tmp_path, "{{ query('broken') }}"), {}, tmp_path / "out")


def test_every_report_says_why():
    """The head of each shipped report is understood."""
    known = catalogue.load_reports()
    assert {"timeline", "upgrade"} <= known.keys()
    assert all(reports.describe(file).strip() for file in known.values())


def test_head_without_why(tmp_path):
    """A template must say why one would want it."""
    with pytest.raises(KminerError, match="why"):
        reports.describe(_template(tmp_path, "", "-- title: t"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Merge tag 'x'\n\nPull cgroup updates from Tejun Heo:\n\n - one\n - two\n\nrest", "- one - two"),
        ("Merge branch 'y' of z\n\n* 'y' of git://z: (2 commits)\n  sched: a\n  sched: b\n", "sched: a; sched: b"),
        ("Merge branch 'y'", ""), ("", ""), ("t\n\n" + "word " * 500, None),
    ],
)  # fmt: skip
def test_first_paragraph(text, says):
    """What a pull says first: the maintainer's own words, or the titles of an old merge; never too long."""
    found = reports.first_paragraph(text)
    assert len(found) <= 330
    assert says is None or found == says


def test_links_lead_to_the_web_only():
    """An address that is not of the web, or that would leave the brackets, makes no link."""
    assert reports.link("t", "javascript:alert(1)") == "t"
    assert reports.link("t", None) == "t"
    assert reports.link("t", "https://x.org/a) [b](c <d>\n") == "[t](https://x.org/a%29%20%5Bb%5D%28c%20%3Cd%3E%0A)"
