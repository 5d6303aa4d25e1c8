"""References and people in messages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from syncing import sample_source

from kminer.history.references import find_people, find_references
from kminer.records import Reference

LONG = "0123456789abcdef0123456789abcdef01234567"
OTHER = "fedcba9876543210fedcba9876543210fedcba98"
MOBY = sample_source(repository="moby/moby", repository_was=("docker/docker", "dotcloud/docker"))
LINUX = sample_source(repository="", repository_was=())


def found(text: str, kind: str, source: object = MOBY) -> list[str]:
    """Values of the references of one type, in the order in which they are found."""
    return [reference.value for reference in find_references(text, source) if reference.type == kind]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        ('Fixes: 0123456789ab ("cgroup: a title")', ["0123456789ab"]),
        ('Fixes: 0123456 ("cgroup: a title")', ["0123456"]),
        (f"Fixes: {LONG}", [LONG]),
        (f"Fixes: {LONG.upper()}", [LONG]),
        ("Fixes: 0123456789ab (cgroup: a title without quotes)", ["0123456789ab"]),
        ('Fixes: commit 0123456789ab ("cgroup: a title")', ["0123456789ab"]),
        ('fixes: 0123456789ab ("small letters")', ["0123456789ab"]),
        ('FIXES: 0123456789ab ("large letters")', ["0123456789ab"]),
        ('   Fixes: 0123456789ab ("indented")', ["0123456789ab"]),
        ('\tFixes:\t0123456789ab ("tabs")', ["0123456789ab"]),
        ('Fixes 0123456789ab ("no colon")', ["0123456789ab"]),
        ("Fixes:0123456789ab", ["0123456789ab"]),
        ('Fixes: 0123456789ab ("one")\nFixes: ba9876543210 ("two")', ["0123456789ab", "ba9876543210"]),
        ('Fixes: 0123456789ab ("one")\r\nFixes: ba9876543210 ("two")\r\n', ["0123456789ab", "ba9876543210"]),
        ("Fixes: 0123456789ab\nFixes: 0123456789ab", ["0123456789ab"]),
        ("Fixes: 012345", []),
        (f"Fixes: {LONG}0", []),
        ("Fixes: #12", []),
        ("Fixes: the deadbeef0 bug in words", []),
        ("This fixes 0123456789ab in the middle of a line", []),
        ("Fixes\n\ncommit 0123456789ab\nAuthor: A", ["0123456789ab"]),
    ],
)
def test_fixes_in_many_spellings(line: str, ids: list[str]) -> None:
    """A Fixes line names the commit it mends, however it is written; words that only look like one do not."""
    assert found(f"title\n\n{line}\n", "fixes") == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (f"This reverts commit {LONG}.", [LONG]),
        ("This reverts commit 0123456789ab.", ["0123456789ab"]),
        (f"This partially reverts commit {LONG}", [LONG]),
        (f"This reverts\ncommit {LONG}, which broke things", [LONG]),
        (f"This reverts commits {LONG} and {OTHER}.", [LONG, OTHER]),
        ("This reverts commits 0123456, 1234567, and 2345678.", ["0123456", "1234567", "2345678"]),
        ("This reverts commit 0123456 and commit 1234567.", ["0123456", "1234567"]),
        ("Revert the commit 0123456789ab", ["0123456789ab"]),
        ("Reverts: commit 0123456789ab", []),
        ("This reverts the damage", []),
        ("reverts commit 012345", []),
    ],
)
def test_reverts(text: str, ids: list[str]) -> None:
    """A revert names one commit or a list of them."""
    assert found(f"Revert something\n\n{text}\n", "reverts") == ids


@pytest.mark.parametrize(
    "line",
    [
        f"commit {LONG} upstream.",
        f"Commit {LONG} upstream",
        f"[ Upstream commit {LONG} ]",
        f"[Upstream commit {LONG}]",
        f"    [ Upstream commit {LONG} ]",
        f"upstream commit {LONG}",
        f"Upstream commit: {LONG}",
        f"(cherry picked from commit {LONG})",
        f"(cherry-picked from commit {LONG})",
        f"(backported from commit {LONG})",
    ],
)
def test_backports(line: str) -> None:
    """Every spelling of "this is a backport of" gives the upstream commit as target, known here or not."""
    references = [r for r in find_references(f"cgroup: fix\n\n{line}\n\nWhy.\n", LINUX) if r.type == "backport-of"]
    assert references == [Reference("backport-of", LONG, LONG)]


def test_a_short_id_is_no_backport() -> None:
    """A commit "upstream" without its whole id in the stable trees' form is not taken for a backport."""
    assert found("title\n\ncommit 0123456789ab upstream.\n", "backport-of") == []


def test_links_and_message_ids() -> None:
    """Link lines are kept as written; the mail that an archive's address stands for is a message-id, decoded."""
    text = (
        "title\n\nSee https://lore.kernel.org/all/20200101.1@example.org/ for more.\n"
        "Link: https://lore.kernel.org/r/a%2Bb@example.org\n"
        "Link: <https://patch.msgid.link/c@example.org>\n"
        "link: http://lkml.kernel.org/r/d@example.org [1]\n"
        "Link: https://example.org/page # about it\n"
        "Link: https://lore.kernel.org/cgroups/e@example.org/T/#u\n"
        "Message-Id: <f@example.org>\n"
        "Message-ID: g@example.org\n"
    )
    assert found(text, "link") == [
        "https://lore.kernel.org/r/a%2Bb@example.org",
        "https://patch.msgid.link/c@example.org",
        "http://lkml.kernel.org/r/d@example.org",
        "https://example.org/page",
        "https://lore.kernel.org/cgroups/e@example.org/T/#u",
    ]
    expected = ["20200101.1@", "a+b@", "c@", "d@", "e@", "f@", "g@"]
    assert found(text, "message-id") == [f"{name}example.org" for name in expected]


def test_an_empty_link_takes_nothing_from_the_next_line() -> None:
    """A trailer without a value does not swallow the line that follows it."""
    assert found("title\n\nLink:\nhttps://example.org\n", "link") == []
    assert found("title\n\nLink: \n---\n", "link") == []


@pytest.mark.parametrize(
    ("text", "closes", "issues"),
    [
        ("Fixes #12", ["moby/moby#12"], []),
        ("fixes: #12", ["moby/moby#12"], []),
        ("Closes #12, closes #13", ["moby/moby#12", "moby/moby#13"], []),
        ("Resolves https://github.com/moby/moby/issues/12", ["moby/moby#12"], []),
        ("Resolves: https://github.com/containerd/containerd/pull/7", ["containerd/containerd#7"], []),
        ("closed opencontainers/runc#5", ["opencontainers/runc#5"], []),
        ("Fixes docker/docker#12", ["moby/moby#12"], []),
        ("Fixes https://github.com/dotcloud/docker/issues/12", ["moby/moby#12"], []),
        ("See #12 and docker/docker#13.", [], ["moby/moby#12", "moby/moby#13"]),
        ("related to (moby/moby#12)", [], ["moby/moby#12"]),
        ("prefixes #12", [], ["moby/moby#12"]),
        ("https://example.org/page/x#12", [], []),
        ("https://example.org/page#12", [], []),
        ("color: &#123; a#12 12#13 ##14", [], []),
        ("#123456789 is too long for a number", [], []),
    ],
)
def test_issues(text: str, closes: list[str], issues: list[str]) -> None:
    """Issue numbers carry their repository under its present name, and whether the change closes them."""
    assert found(f"title\n\n{text}\n", "closes") == closes
    assert found(f"title\n\n{text}\n", "issue") == issues


def test_pull_requests() -> None:
    """The pull request that a merge or a squashed commit came by is one, once, and no mere issue."""
    merge = "Merge pull request #123 from someone/docker/docker#7\n\nfix #9\n"
    assert found(merge, "pull-request") == ["moby/moby#123"]
    assert found(merge, "closes") == ["moby/moby#9"]
    squashed = "daemon: fix a leak (#456)\n\nCloses #400. See moby/moby#456.\n"
    assert found(squashed, "pull-request") == ["moby/moby#456"]
    assert found(squashed, "closes") == ["moby/moby#400"]
    assert found(squashed, "issue") == []


def test_numbers_mean_nothing_without_a_repository() -> None:
    """The kernel's "#1" is a footnote, not an issue."""
    assert not list(find_references("oops #1\n\nmoby/moby#3 Fixes #12 (#4)\n", LINUX))


def test_cves() -> None:
    """CVE numbers are found anywhere, in one spelling, each once."""
    text = "fix CVE-2019-5736\n\nalso cve-2024-21626, CVE-2019-5736; not CVE-20195-1, CVE-2019-123, XCVE-2019-5736\n"
    assert found(text, "cve") == ["CVE-2019-5736", "CVE-2024-21626"]


@pytest.mark.parametrize(
    ("line", "versions"),
    [
        ("Cc: stable@vger.kernel.org", ["all"]),
        ("Cc: <stable@vger.kernel.org>", ["all"]),
        ("CC: stable@kernel.org", ["all"]),
        ("Cc: Stable Team <stable@vger.kernel.org>", ["all"]),
        ("Cc: stable@vger.kernel.org # v4.19+", ["v4.19+"]),
        ("Cc: <stable@vger.kernel.org> # 3.18.x: 0123456", ["3.18.x: 0123456"]),
        ("Cc: stable@vger.kernel.org [5.4+]", ["5.4+"]),
        ("Cc: stable@vger.kernel.org\nSigned-off-by: A <a@example.org>", ["all"]),
        ("Cc: <stable@vger.kernel.org>\n\nA paragraph.", ["all"]),
        ("Cc: unstable@vger.kernel.org", []),
    ],
)
def test_stable(line: str, versions: list[str]) -> None:
    """A copy to the stable team is kept with the versions it asks for, and with nothing of the next line."""
    assert found(f"title\n\n{line}\n", "stable") == versions


def test_people() -> None:
    """People are found by role, each once a role; "Reported-and-tested-by" names two roles."""
    text = (
        "title\n\n"
        "Reported-and-tested-by: Ann Example <ann@example.org>\n"
        'Reviewed-by: "Bob, Example" <bob@example.org>\n'
        "Acked-by: <nobody@example.org>\n"
        "Signed-off-by: Ann Example <ann@example.org>\n"
        "Signed-off-by: Ann Again <ann@example.org>\n"
        "  Co-authored-by: Cé Example <c@example.org>\n"
        "Suggested-by: no address\n"
        "Docker-DCO-1.1-Signed-off-by: Dee <d@example.org> (github: dee)\n"
        "Reviewed-by: No Brackets ann@example.org\n"
        "Cc: Eve <e@example.org>\n"
    )
    assert [(person.role, person.name, person.email) for person in find_people(text)] == [
        ("reported-by", "Ann Example", "ann@example.org"),
        ("tested-by", "Ann Example", "ann@example.org"),
        ("reviewed-by", "Bob, Example", "bob@example.org"),
        ("acked-by", "", "nobody@example.org"),
        ("signed-off-by", "Ann Example", "ann@example.org"),
        ("co-developed-by", "Cé Example", "c@example.org"),
    ]


PIECES = st.sampled_from(
    [
        "Fixes:", "Fixes", " ", "\n", "\r\n", "\t", LONG, "0123456", "This reverts commits", " and ", ", ", "commit ",
        " upstream.", "[ Upstream commit ", " ]", "(cherry picked from commit ", ")", "Link:", "https://lore.kernel.org/r/",
        "a@b.c", "<", ">", "[", "]", "#", "#12", "(#34)", "docker/docker", "moby/moby", "https://github.com/moby/moby/pull/5",
        "Merge pull request #6 from ", "CVE-2020-1234", "Cc: stable@vger.kernel.org", "# v4+", "Signed-off-by:", '"',
        "Reported-and-tested-by: A <a@b>", "Message-Id:", "\0", "\x1b[31m", "é", "\u2028", "İ", "\ud7ff", "-", ".", "/",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join))


@given(TEXTS)
@example("Link: https://lore.kernel.org/r/%FF%00@x")
@example("CVE-2020-١٢٣٤ #١٢")
def test_whatever_is_found_is_in_the_text(text: str) -> None:
    """No text makes the search fail, what is found stands in the text, and twice the same text gives the same."""
    from urllib.parse import unquote

    once, lower = list(find_references(text, MOBY)), text.lower()
    assert once == list(find_references(text, MOBY))
    assert len({(reference.type, reference.value) for reference in once}) == len(once)
    for reference in once:
        if reference.type in ("pull-request", "closes", "issue"):
            assert f"#{reference.value.split('#')[1]}" in text or f"/{reference.value.split('#')[1]}" in text
        elif not (reference.type == "stable" and reference.value == "all"):
            assert reference.value.lower() in lower or reference.value.lower() in unquote(text).lower()
    people = list(find_people(text))
    assert people == list(find_people(text))
    assert all(person.name in text and person.email in text for person in people)


FLOODS = [
    "Fixes:", "Fixes: ", "Fixes:\n", "\n", " ", "\t\n", "\r\n", "revert commit a", "revert commit abcdef0, ", "this ",
    "reverts the commits abcdef0 and ", "commit ", "[ upstream commit ", "Link: ", "Link: x [\n", "Link: [", "Link: a#",
    "https://lore.kernel.org/r/", "https://lore.kernel.org/r/a", "@", "Message-Id: <", "Cc: ", "Cc:\n", "a-", ".",
    "-", "a/",
    "a.b/", "(#1)", "#1 ", "#", "1", "A-by:", "A-by: <", 'A-by: "', '"', "a-by", "-by:", "CVE-2020-", "x",
    "a@b", "<a@b",
    "Merge tag ", "https://github.com/a/b/", "fixes #1 ",
]  # fmt: skip
HEADS = [
    "Cc:", "Link: ", "Link: x [", "A-by:", "A-by: <", 'A-by: "', "Message-Id: <", "revert commit abcdef0", "Fixes:",
    "(#1",
    "Merge tag", "commit", "[ upstream commit",
]  # fmt: skip
FILLINGS = [" ", "[", "@", '"', "-", "a", "\n", ", ", "1"]
PROGRAM = """
import json, re, sys
from syncing import sample_source
from kminer.catalogue import load_sources
from kminer.history.commits import title_of
from kminer.history.references import find_people, find_references
source = sample_source(repository="moby/moby")
pulls = re.compile(load_sources()["linux"].pull_title)
for name, head, flood, size in json.load(sys.stdin):
    print(name, flush=True)
    text = "title\\n\\n" + head + flood * (size // len(flood)) + "\\nend"
    sum(1 for _ in find_references(text, source))
    sum(1 for _ in find_people(text))
    pulls.search(title_of(text.removeprefix("title\\n\\n")))
print("done")
"""


def last_begun(texts: list[tuple[str, str, str, int]], seconds: float) -> str:
    """Name of the text that was being searched when `seconds` were over; "done" when all were through."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
    ) as process:
        try:
            said, _ = process.communicate(json.dumps(texts), timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
    return said.splitlines()[-1]


def test_no_flood_of_text_stops_the_search() -> None:
    """No expression backtracks without end: any pattern, repeated or behind the head of a trailer, is soon searched."""
    texts = [(repr(flood), "", flood, 120_000) for flood in FLOODS]
    texts += [(repr((head, filling)), head, filling, 120_000) for head in HEADS for filling in FILLINGS]
    assert last_begun(texts, 60) == "done"


def test_five_megabytes_are_searched() -> None:
    """A message of five megabytes, made of all these patterns, is searched in bounded time."""
    assert last_begun([("everything", "", "".join(FLOODS), 5_000_000)], 60) == "done"
