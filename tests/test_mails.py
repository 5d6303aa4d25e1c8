"""Mails of kernel mailing lists, taken apart."""

from __future__ import annotations

import base64
import quopri
import random
import re
import subprocess
import time
from pathlib import Path

import pytest
from gitrepo import git
from hypothesis import given, settings
from hypothesis import strategies as st
from mutating import mutated

from kminer.errors import MailError
from kminer.mails.message import SIZE_LIMIT, parse_mail
from kminer.records import Mail, Moment, Person

DATE = "Mon, 5 Feb 2024 10:00:00 +0200"
SENT = Moment(1707120000, "+0200")
ANN = Person("author", "Ann Writer", "ann@example.org")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def raw_mail(subject: str, body: str | bytes = "", **headers: str) -> bytes:
    """A mail by Ann; headers are named with "_" for "-", and left out where they are empty."""
    said = {"From": "Ann Writer <ann@example.org>", "Date": DATE, "Message-ID": "<one@example.org>", "Subject": subject}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\n" for name, value in said.items() if value)
    return head.encode("utf-8", "surrogateescape") + b"\n" + (body.encode() if isinstance(body, str) else body)


def mail_of(subject: str, body: str | bytes = "", **headers: str) -> Mail:
    """The same mail, taken apart."""
    return parse_mail(raw_mail(subject, body, **headers))


def answer(body: str, subject: str = "Re: [PATCH] cgroup: do it") -> Mail:
    """A reply to a patch."""
    return mail_of(subject, body, In_Reply_To="<zero@example.org>")


PATCH = """From: Bob Maker <bob@example.org>

A cpuset may be empty. Since commit 89abcdef0123 ("cgroup: Let
sets be empty") that is no error.

Fixes: 0123456789ab ("cpuset: Add sets")
Link: https://lore.kernel.org/all/report%40example.org/
Reported-and-tested-by: Carl Finder <carl@example.org>
Signed-off-by: Bob Maker <bob@example.org>
---
Changes in v2:
- Link to v1: https://lore.kernel.org/r/20240101-sets-v1-1-abc@example.org

 kernel/cgroup/cpuset.c          | 5 ++---
 kernel/cgroup/{old.c => new.c}  | 2 +-
 tools/d.bin                     | Bin 0 -> 12 bytes
 3 files changed, 3 insertions(+), 4 deletions(-)
 create mode 100644 tools/d.bin
 rename kernel/cgroup/{old.c => new.c} (98%)

diff --git a/kernel/cgroup/cpuset.c b/kernel/cgroup/cpuset.c
index 1..2 100644
--- a/kernel/cgroup/cpuset.c
+++ b/kernel/cgroup/cpuset.c
@@ -1 +1 @@
-Reviewed-by: Nobody <no@example.org>
diff --git a/kernel/cgroup/old.c b/kernel/cgroup/new.c
diff --git "a/t/\\303\\251 \\"q\\"" "b/t/\\303\\251 \\"q\\""
diff --git a/a file b/a file

---
base-commit: 59c684a9908d2e6f7a791f7f033eae57ec2b3a61
change-id: 20240101-sets-0a1b2c3d

Best\x20regards,
--\x20
Bob
"""


def test_a_patch() -> None:
    """All that there is to a patch."""
    mail = mail_of(
        "[PATCH RFC\n net-next v2 3/7] cpuset: Allow\n  empty sets", PATCH,
        References="<a@example.org> <b@example.org>\n <a@example.org>", In_Reply_To="<b@example.org>",
    )  # fmt: skip
    assert mail == Mail(
        key="one@example.org", kind="patch", moment=SENT, date_mended=False, sender=ANN,
        author=Person("author", "Bob Maker", "bob@example.org"), title="cpuset: Allow empty sets",
        prefix="PATCH RFC net-next", version=2, number=3, total=7, rfc=True, in_reply_to="b@example.org",
        thread=("a@example.org", "b@example.org"),
        earlier=("report@example.org", "20240101-sets-v1-1-abc@example.org"), change_token="20240101-sets-0a1b2c3d",
        text=mail.text, files=("kernel/cgroup/cpuset.c", "kernel/cgroup/new.c", "kernel/cgroup/old.c",
                               't/é "q"', "a file"),
        trailers=(
            Person("reported-by", "Carl Finder", "carl@example.org"),
            Person("tested-by", "Carl Finder", "carl@example.org"),
            Person("signed-off-by", "Bob Maker", "bob@example.org"),
        ), says=(), words="",
        quotes=(("89abcdef0123", "cgroup: Let sets be empty"), ("0123456789ab", "cpuset: Add sets")), merged=(),
    )  # fmt: skip
    assert mail.text.startswith("A cpuset may be empty.")
    assert mail.text.endswith("v1-1-abc@example.org\n")


SUBJECTS = [
    ("[PATCH] a: b", "patch", "a: b", "PATCH", 1, None),
    ("[PATCHv3 1/2] a", "patch", "a", "PATCH", 3, (1, 2)),
    ("[Patch V2,02/10] a", "patch", "a", "Patch", 2, (2, 10)),
    ("[PATCH][RFC] a", "patch", "a", "PATCH RFC", 1, None),
    ("[RFC/PATCH v4] a", "patch", "a", "RFC PATCH", 4, None),
    ("[RFC v2 3/9] a", "patch", "a", "RFC", 2, (3, 9)),
    ("[RESEND PATCH -v3] a", "patch", "a", "RESEND PATCH", 3, None),
    ("[PATCH cgroup/for-next 2/5] a", "patch", "a", "PATCH cgroup/for-next", 1, (2, 5)),
    ("[PATCH 1/2 v3] a", "patch", "a", "PATCH", 3, (1, 2)),
    ("[PATCH-cgroup v2] a", "patch", "a", "PATCH-cgroup", 2, None),
    ("[PATCH for-6.1/block 1/2] a", "patch", "a", "PATCH for-6.1/block", 1, (1, 2)),
    ("[PATCH v2.1 1/1] a", "patch", "a", "PATCH", 2, (1, 1)),
    ("[LTP] [PATCH] a", "patch", "a", "PATCH", 1, None),
    ("[PATCH v2 00/12] [cgroup] all", "cover", "all", "PATCH cgroup", 2, (0, 12)),
    ("[RFC 0/3] a", "cover", "a", "RFC", 1, (0, 3)),
    ("[mm-unstable v2 0/3] a", "cover", "a", "mm-unstable", 2, (0, 3)),
    ("[PATCHSET v2 sched_ext/for-6.12] a", "cover", "a", "PATCHSET sched_ext/for-6.12", 2, None),
    ("[PATCH 5.10 012/200] a", "backport", "a", "PATCH 5.10", 1, (12, 200)),
    ("[PATCH AUTOSEL 6.1 3/9] a", "backport", "a", "PATCH AUTOSEL 6.1", 1, (3, 9)),
    ("[PATCH AUTOSEL 6.17-6.6] a", "backport", "a", "PATCH AUTOSEL 6.17-6.6", 1, None),
    ("[PATCH stable 4.19] a", "backport", "a", "PATCH stable 4.19", 1, None),
    ("[PATCH v2 5.15.y] a", "backport", "a", "PATCH 5.15.y", 2, None),
    ("[PATCH v5.10] a", "backport", "a", "PATCH v5.10", 1, None),
    ("Re: [PATCH v2 3/7] a", "reply", "a", "PATCH", 2, (3, 7)),
    ("AW: Re: [External] Re: [PATCH] a", "reply", "a", "PATCH", 1, None),
    ("回复:[PATCH] a", "reply", "a", "PATCH", 1, None),
    ("回复：a", "reply", "a", "", 1, None),
    ("[RFC] what do you think", "other", "what do you think", "RFC", 1, None),
    ("[GIT PULL] cgroup: Changes", "other", "cgroup: Changes", "GIT PULL", 1, None),
    ("[syzbot] [cgroups?] KASAN", "other", "KASAN", "syzbot cgroups?", 1, None),
    ("[tree:for-next 5/6] a.c:1: error", "other", "a.c:1: error", "tree:for-next", 1, (5, 6)),
    ("memory.high is odd", "other", "memory.high is odd", "", 1, None),
]


@pytest.mark.parametrize(("subject", "kind", "title", "prefix", "version", "place"), SUBJECTS)
def test_subjects(
    subject: str, kind: str, title: str, prefix: str, version: int, place: tuple[int, int] | None
) -> None:
    """A subject gives kind, title, prefix, version and place in the series."""
    mail = mail_of(subject, "Text.\n")
    assert (mail.kind, mail.title, mail.prefix, mail.version) == (kind, title, prefix, version)
    assert (mail.number, mail.total) == (place or (None, None))
    assert mail.rfc == ("RFC" in prefix)


def test_kinds_by_more_than_the_subject() -> None:
    """A diff makes a numbered mail, or one that asks for comments, a patch; an answer needs no "Re:"."""
    assert mail_of("[mm-new v2 1/3] a", PATCH).kind == mail_of("[RFC] a", PATCH).kind == "patch"
    assert mail_of("hello", In_Reply_To="<a@b>").kind == "reply"
    assert mail_of("hello", References="<a@b> <c@d>").in_reply_to == "c@d"
    assert mail_of("[PATCH v2] a", PATCH, In_Reply_To="<a@b>").kind == "patch"


def test_a_backport_is_of_its_commit() -> None:
    """Both ways in which the stable trees say so."""
    for said in (f"[ Upstream commit {COMMIT} ]", f"commit {COMMIT} upstream."):
        mail = mail_of("[PATCH 5.10 1/2] cgroup: do it", f"From: Bob <bob@example.org>\n\n{said}\n\nText.\n")
        assert mail.quotes == ((COMMIT, "cgroup: do it"),)
        assert mail.author.email == "bob@example.org"
    assert mail_of("[PATCH] a", f"commit {COMMIT} does harm.\n").quotes == ()


QUILT = """The patch titled
     Subject: mm: memcg: charge it
     all at once
has been %s mm-unstable branch.  Its filename was
     mm-memcg-charge-it.patch

%s
------------------------------------------------------
"""


@pytest.mark.parametrize(
    ("subject", "says", "merged"),
    [
        ("+ mm-memcg-charge-it.patch added to mm-unstable branch", "applied", False),
        ("[merged mm-stable] mm-memcg-charge-it.patch removed from -mm tree", "applied", True),
        ("[merged] mm-memcg-charge-it.patch removed from -mm tree", "applied", True),
        ("[folded-merged] mm-memcg-charge-it.patch removed from -mm tree", "applied", False),
        ("[to-be-updated] mm-memcg-charge-it.patch removed from -mm tree", "superseded", False),
        ("[withdrawn] mm-memcg-charge-it.patch removed from -mm tree", "dropped", False),
        ("[obsolete] mm-memcg-charge-it.patch removed from -mm tree", "dropped", False),
        ("[nacked] mm-memcg-charge-it.patch removed from -mm tree", "nacked", False),
    ],
)
def test_notices_of_mm(subject: str, says: str, merged: bool) -> None:
    """A notice says what became of the patch that its text names."""
    mail = mail_of(subject, QUILT % ("removed from the -mm", "This patch was dropped because.") + PATCH)
    title = "mm: memcg: charge it all at once"
    assert (mail.kind, mail.title, mail.says) == ("notice", title, (says,))
    assert mail.merged == (((title, ""),) if merged else ())


def test_notices_of_other_trees() -> None:
    """tip's name the commit."""
    body = f"The following commit has been merged into the sched/core branch of tip:\n\nCommit-ID:     {COMMIT}\n"
    mail = mail_of("[tip: sched/core] sched: do it", body)
    assert (mail.kind, mail.says, mail.merged) == ("notice", ("applied",), (("sched: do it", COMMIT),))
    assert mail_of("[tip:sched/core 3/4] a.c:1: error", "Text").kind == "other"
    mail = mail_of('patch "kernfs: do it" added to driver-core-next', "This is a note.\n")
    assert (mail.kind, mail.title, mail.says) == ("notice", "kernfs: do it", ("applied",))


APPLIED = [
    "Applied to cgroup/for-6.9.", "Applied, thanks!", "Thanks, applied.", "Queued for v5.12.", "Picked up, thanks.",
    "I've applied this to cgroup/for-6.9-fixes.", "I've applied the set, thanks.", "Merged into vfs.misc, thanks",
    "Applied to the vfs-6.11.misc branch of the vfs/vfs.git tree.", "Applied 1-3 to cgroup/for-6.9.", "Applied 1/2.",
    "Looks good. Pushed to #overlayfs-next.", "Now queued up, thanks.", "applied", "Both patches applied to my tree.",
    "Applied with the following changes:", "Applied the series to cgroup/for-6.9.", "LGTM, applied, thanks.",
]  # fmt: skip
NOT_APPLIED = [
    "If this gets applied, fine.", "When applied, it breaks.", "Not applied.", "It can be applied later.",
    "This doesn't apply to cgroup/for-6.9.", "Applied to which tree?", "I applied this series locally and it works.",
    "I applied the patch on top of v6.9 and see no change.", "I applied this patch, but nothing changes.",
    "Can this be queued for v5.12?", "The limit is applied to the whole tree.", "Applied your suggestion, thanks.",
    "Applied in v3.", "Should I have applied it to my tree?", "merged", "> Applied, thanks!", "Please apply.",
    "the same limits are\napplied to cgroup/user.slice and others", "I'd say it is queued up",
]  # fmt: skip


@pytest.mark.parametrize("said", APPLIED)
def test_says_applied(said: str) -> None:
    """Maintainers' ways to say that they took a patch."""
    assert answer(f"Hello,\n\n> Why not?\n\n{said}\n\n-- \ntejun\n").says == ("applied",)


@pytest.mark.parametrize("said", NOT_APPLIED)
def test_does_not_say_applied(said: str) -> None:
    """Neither wishes, doubts, trials and quotes."""
    assert answer(f"Hello,\n\n> Why not?\n\n{said}\n").says == ()


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("Reviewed-by: Ann Writer <ann@example.com>", ("reviewed",)),
        ("  Reviewed-and-tested-by: Writer, Ann <a@b.org>", ("reviewed", "tested")),
        ("Acked-by: Somebody <ann@example.org>", ("acked",)),
        ("Nacked-by: Ann Writer <ann@example.org>", ("nacked",)),
        ("Acked-by: Bob <bob@example.org>", ()),
        ("> Acked-by: Ann Writer <ann@example.org>", ()),
        ("NAK. It is wrong.", ("nacked",)),
        ("So that's a NACK from me.", ("nacked",)),
        ("NAK?", ()),
        ("NAK if you do.", ()),
        ("Please ignore this patch.", ("dropped",)),
        ("Please ignore the warning.", ()),
        ("I'll drop this patch.", ("dropped",)),
        ("I'll drop this line.", ()),
        ("Dropped, thanks.", ("dropped",)),
        ("This series is superseded by v3.", ("superseded",)),
        ("Superseded.", ("superseded",)),
        ("Applied, thanks.\n\nAcked-by: Ann Writer <ann@example.org>", ("applied", "acked")),
        ("-- \nApplied, thanks.", ()),
        ("-----Original Message-----\nApplied, thanks.", ()),
        ("-- >8 --\nApplied, thanks.", ()),
        ("diff --git a/x b/x\n+Applied, thanks.\n", ()),
    ],
)
def test_other_sayings(said: str, says: tuple[str, ...]) -> None:
    """Only what the sender says, for themselves."""
    assert answer(f"Hi,\n\n{said}\n").says == says


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("Hi Bob,\n\nOn Mon, 5 Feb 2024, Bob Maker wrote:\n> Why?\n\nBecause  it is.\n", "Because it is."),
        ("On Mon, Feb 5, 2024 at 1:00 AM Bob Maker\n<bob@example.org> wrote:\n> Why?\n[...]\nSo.\n", "So."),
        ("Bob Maker <bob@example.org> writes:\n> Why?\n\nThanks.\nReviewed-by: A <a@b>\nIt is good.\n", "It is good."),
        ("> Why?\n\nReviewed-by: Ann Writer <ann@example.org>\n", "Reviewed-by: Ann Writer <ann@example.org>"),
        ("> Why?\n", ""),
        ("x" * 500, "x" * 200),
        ("Bob,\n\n(Cc'ing Carl)\n\nNo.\n", "No."),
    ],
)
def test_first_words(body: str, words: str) -> None:
    """What an answer says first, without ceremony."""
    assert answer(body).words == words


def test_lists_of_applied_patches() -> None:
    """patchwork's bot and b4 tell titles with commits."""
    bot = (
        "Hello:\n\nThis series was applied to netdev/net-next.git (main)\nby Carl <carl@example.org>:\n\n"
        "On Mon, 5 Feb 2024 you wrote:\n> Text.\n\nHere is the summary with links:\n"
        "  - [net-next,v2,1/3] net: do it\n    https://git.kernel.org/netdev/net-next/c/0123456789ab\n"
        "  - [net-next,v2,2/3] net: do not\n    (no matching commit)\n\nYou are awesome, thank you!\n-- \nbot\n"
    )
    assert answer(bot).merged == (("net: do it", "0123456789ab"),)
    assert answer(bot).says == ("applied",)
    tool = (
        f"\nOn Mon, 5 Feb 2024, Bob wrote:\n> [1/9] no\n>       commit: {COMMIT}\n\nApplied to for-next, thanks!\n\n"
        f"[1/2] ovl: do it\n      commit: {COMMIT}\n[2/2] ovl: do more\n      https://git.kernel.org/vfs/vfs/c/89abcdef0123\n"
    )
    assert answer(tool).merged == (("ovl: do it", COMMIT), ("ovl: do more", "89abcdef0123"))
    plain = answer("Applied to cgroup/for-6.9.\n")
    assert (plain.says, plain.merged) == (("applied",), ())


def test_links_and_quotes() -> None:
    """An answer's own, less what it quotes of others and its own message-id."""
    mail = answer(
        "> https://lore.kernel.org/r/no@example.org\n> Fixes: 0123456789ab (\"no: no\")\n"
        "See https://lore.kernel.org/all/a%40example.org/T/#u, https://lkml.kernel.org/r/b@example.org.\n"
        "Message-ID: <c@example.org> and <https://patch.msgid.link/d@example.org>\n"
        "https://lore.kernel.org/r/one@example.org https://lore.kernel.org/linux-mm/\n\n"
        "It was commit 0123456789ab ('[PATCH] mm: don't (now)\n do it'), not 1234567 (\"a number\")"
        " nor abcdef012345 (\"mm: short...\").\n"
    )
    assert mail.earlier == ("a@example.org", "b@example.org", "c@example.org", "d@example.org")
    assert mail.quotes in ((), (("0123456789ab", "mm: don't (now) do it"),))
    assert mail_of("[PATCH] a", 'Fixes: 0123456789ab ("Revert "mm: a\nb"")\n').quotes == (
        ("0123456789ab", 'Revert "mm: a b"'),
    )


def test_references_are_bounded() -> None:
    """The first and the newest are kept."""
    thread = mail_of("Re: a", References=" ".join(f"<{n}@b>" for n in range(300))).thread
    assert len(thread) == 100
    assert (thread[0], thread[1], thread[-1]) == ("0@b", "201@b", "299@b")


CHINESE = "内存控制组：修复"


@pytest.mark.parametrize(
    ("charset", "transfer", "body", "text"),
    [
        ("gb2312", "base64", base64.encodebytes(CHINESE.encode("gb2312")), CHINESE),
        ("gb2312", "8bit", "鎔基".encode("gb18030"), "鎔基"),
        ("utf-8", "quoted-printable", quopri.encodestring("Grüße = ä\n".encode()), "Grüße = ä"),
        ("utf-8", "8bit", "Michal Koutný".encode("latin-1"), "Michal Koutný"),
        ("us-ascii", "7bit", "Koutný".encode(), "Koutný"),
        ("x-unknown", "8bit", "Koutný".encode(), "Koutný"),
        ("punycode", "8bit", b"abc-def", "abc-def"),
        ("utf-8", "8bit", "ééé é".encode() + b"\xff", "ééé é\ufffd"),
        ("utf-8", "base64", b"!!! not base64 \xe9", "!!! not base64 é"),
        ("utf-7", "8bit", b"a+2AA-b", "a?b"),
    ],
)
def test_encodings(charset: str, transfer: str, body: bytes, text: str) -> None:
    """Armour is taken off, and what is declared wrongly read as it is."""
    mail = mail_of("a", body, Content_Type=f"text/plain; charset={charset}", Content_Transfer_Encoding=transfer)
    assert mail.text == text + "\n"


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("=?utf-8?B?" + base64.b64encode(CHINESE.encode()).decode() + "?=", CHINESE),
        ("=?utf-8?q?Gr=C3?=\n =?utf-8?q?=BC=C3=9Fe?= an\n\t=?iso-8859-1?q?M=E4rz?=", "Grüße an März"),
        ("=?nonsense?q?a_b?= c", "a b c"),
        ("=?utf-8?B?a?= b", "=?utf-8?B?a?= b"),
        ("=?utf-8?q?unended é", "=?utf-8?q?unended é"),
        ("Grüße", "Grüße"),
        ("Gr\udcfc\udcdfe", "Grüße"),
        ("a\x1b[31mb\x00c", "a\x1b[31mb\x00c"),
    ],
)
def test_subjects_decoded(said: str, title: str) -> None:
    """Encoded words, bare bytes, control characters."""
    assert mail_of(said).title == title


def test_names_decoded() -> None:
    """Of the sender."""
    mail = mail_of("a", From='=?utf-8?q?Koutn=C3=BD=2C?= "Michal" <m@example.org>')
    assert mail.sender.email == "m@example.org"
    assert mail_of("a", From="ann@example.org").sender == Person("author", "", "ann@example.org")
    assert mail_of("a", From="").sender == Person("author", "", "")


PARTS = (
    b"Preamble.\n--b\nContent-Type: text/plain\n\nText.\n--b\nContent-Type: text/html\n\n<p>Markup</p>\n"
    b"--b\nContent-Type: text/x-patch\nContent-Disposition: attachment\n\ndiff --git a/x b/x\n"
    b"--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=log.txt\n\nA log.\n--b--\nEnd.\n"
)


def test_mails_of_several_parts() -> None:
    """Plain text and attached patches are read, logs and markup are not."""
    mail = mail_of("[PATCH] a", PARTS, Content_Type='multipart/mixed; boundary="b"')
    assert (mail.text, mail.files) == ("Text.\n", ("x",))
    assert mail_of("a", b"<p>Markup</p>", Content_Type="text/html").text == ""


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/mixed", PARTS), ("multipart/mixed; boundary=other", PARTS),
        ('multipart/mixed; boundary="b"', PARTS[:60]), ("multipart/mixed; boundary*0*=x''b", PARTS),
        ("text", PARTS), ("text/plain; charset*=bad''%", PARTS), ("message/rfc822", b"Subject: a\n\nText.\n"),
    ],
)  # fmt: skip
def test_damaged_mime(kind: str, body: bytes) -> None:
    """What text there is, is given."""
    assert "Text." in mail_of("a", body, Content_Type=kind).text


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (raw_mail("a", Message_ID=""), "no message-id"),
        (raw_mail("a", Message_ID="<>"), "no message-id"),
        (raw_mail("", Subject=""), "no subject"),
        (raw_mail(" "), "no subject"),
        (raw_mail("a", Date=""), "no date"),
        (raw_mail("a", Date="yesterday"), "no date"),
        (b"", "not a mail"),
        (b"no headers at all\n", "not a mail"),
        (raw_mail("a", b"x\n" * 5_000_000), "too large"),
    ],
)
def test_what_cannot_be_read(raw: bytes, reason: str) -> None:
    """Is refused with a reason."""
    with pytest.raises(MailError) as error:
        parse_mail(raw)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    "date",
    [
        "", "Thu, 1 Jan 1970 00:00:00 +0000", "Mon, 8 Feb 2038 10:00:00 +0000", "Mon, 99 Xyz 2024", "x" * 100_000,
        "Mon, 5 Feb 999999999999 10:00:00 +0000", "Mon, 5 Feb 2024 10:00:00 +9999", "5 Feb 1899 1:1:1 +0000",
    ],
)  # fmt: skip
def test_dates_mended(date: str) -> None:
    """A date that cannot be is replaced by the one that is given."""
    mail = parse_mail(raw_mail("a", Date=date), SENT)
    assert (mail.moment, mail.date_mended) == (SENT, True)


def test_dates_kept() -> None:
    """Within two days of when the archive had it, or long before."""
    for date, moment in [
        ("Wed, 7 Feb 2024 07:00:00 +0000", Moment(1707289200)),
        ("5 Feb 2024 02:30:00 -0530 (XYZ)", Moment(1707120000, "-0530")),
        ("Wed, 1 Jan 1992 00:00:00 GMT", Moment(694224000)),
    ]:
        assert parse_mail(raw_mail("a", Date=date), SENT) == parse_mail(raw_mail("a", Date=date))
        assert parse_mail(raw_mail("a", Date=date)).moment == moment


def test_hostile_mails_are_read_in_seconds() -> None:
    """Long headers, words and lines, and deeply nested parts."""
    nested = "".join(f'--b{n}\nContent-Type: multipart/mixed; boundary="b{n + 1}"\n\n' for n in range(5000))
    started = time.monotonic()
    for subject, body, headers in [
        ("[PATCH " * 15_000, "", {}), ("a", "", {"From": "(" * 100_000}), ("=?utf-8?q?a?= " * 8000, "", {}),
        ("a", "", {"References": "<a@b> " * 20_000}), ("a", "", {"Content-Type": "text/plain; " + 'a="b;' * 20_000}),
        ("a", nested, {"Content-Type": 'multipart/mixed; boundary="b0"'}),
        ("Re: a", ("thank you " * 40 + "\n") * 500, {}), ("Re: a", "a-b" * 300_000, {}),
        ("[PATCH] a", '0123456 ("a\n' * 50_000, {}), ("[PATCH] a", "--\n---\n" * 100_000 + "x", {}),
        ("[PATCH 5.10] a", "\n" * 1_000_000, {}), ("Re: a", "On " * 500_000 + "\nwrote:\n", {}),
    ]:  # fmt: skip
        parse_mail(raw_mail(subject, body, **headers))
    assert time.monotonic() - started < 20
    assert len(raw_mail("a", nested)) < SIZE_LIMIT


def parse_or_refuse(raw: bytes) -> Mail | None:
    """The mail, or None where it is refused as it should be."""
    try:
        return parse_mail(raw, SENT)
    except MailError:
        return None


GOOD = [
    raw_mail("[PATCH v2 3/7] =?utf-8?q?a=C3=A9?=", PATCH, Content_Type="text/plain; charset=utf-8"),
    raw_mail("Re: [PATCH] a", "On x, B wrote:\n> b\n\nApplied, thanks.\n\n[1/1] a\n      commit: 0123456789ab\n"),
    raw_mail("[PATCH] a", PARTS, Content_Type='multipart/mixed; boundary="b"'),
    raw_mail("[merged] a.patch removed from -mm tree", QUILT % ("removed", "because")),
    raw_mail("a", base64.encodebytes(CHINESE.encode("gbk")), Content_Type="text/plain; charset=gb2312",
             Content_Transfer_Encoding="base64"),
]  # fmt: skip


@given(st.binary(max_size=300))
def test_random_bytes(raw: bytes) -> None:
    """Raise nothing but MailError, as headers and as a body."""
    parse_or_refuse(raw)
    parse_or_refuse(GOOD[2][:-200] + raw)
    parse_or_refuse(raw_mail("x", raw, Content_Type="text/plain; charset=utf-16"))


@settings(max_examples=300)
@given(st.sampled_from(GOOD), st.integers(0, 2**32))
def test_mutations(raw: bytes, seed: int) -> None:
    """Mails gone wrong raise nothing but MailError, and what is read can be stored and is bounded."""
    mail = parse_or_refuse(mutated(raw.decode(), random.Random(seed)).encode("utf-8", "surrogatepass"))
    if mail is not None:
        assert mail.key and "\n" not in mail.title and len(mail.words) <= 200
        repr(mail).encode()
        "".join((mail.text, mail.title, *mail.files, mail.sender.name)).encode()


def read_archive(where: Path) -> tuple[list[Mail], list[str], list[bytes]]:
    """The mails of an archive, why others cannot be read, and all that was tried."""
    commits = git("--git-dir", str(where), "rev-list", "--all").split()
    asked = "".join(f"{commit}:m\n" for commit in commits).encode()
    told = subprocess.run(
        ["git", "--git-dir", str(where), "cat-file", "--batch"], input=asked, capture_output=True, check=True
    ).stdout
    raws, place = [], 0
    while place < len(told):
        end = told.index(b"\n", place)
        size = told[place:end].split()[-1]
        place = end + 1
        if size.isdigit():
            raws.append(told[place : place + int(size)])
            place += int(size) + 1
    mails, refused = [], []
    for raw in raws:
        try:
            mails.append(parse_mail(raw))
        except MailError as error:
            refused.append(error.reason)
    return mails, refused, raws


@pytest.mark.shared
@pytest.mark.slow
def test_a_real_archive(shared: Path, tmp_path: Path) -> None:
    """Nearly all mails that have a subject are read, and the kinds are as many as a rough count by subjects says."""
    where = tmp_path / "archive.git"
    git("clone", "--quiet", "--mirror", str(shared / "real" / "unionfs-list.bundle"), str(where))
    mails, refused, raws = read_archive(where)
    without = sum(not re.search(rb"^Subject:[ \t]*\S", raw.partition(b"\n\n")[0], re.MULTILINE) for raw in raws)
    assert len(mails) >= 0.999 * (len(raws) - without)
    assert refused.count("no subject") == without
    subjects = git("--git-dir", str(where), "log", "--all", "--format=%s").splitlines()
    answers = sum(bool(re.match(r"(?i)(re|aw):", subject)) for subject in subjects)
    asked = [subject for subject in subjects if re.match(r"(?i)\[[^]]*\b(patch|rfc)", subject)]
    covers = sum(bool(re.search(r"[^0-9]0+/[0-9]+[^]]*\]", subject)) for subject in asked)
    counted = {kind: sum(mail.kind == kind for mail in mails) for kind in ("reply", "cover", "patch", "backport")}
    assert counted["reply"] == pytest.approx(answers, rel=0.03)
    assert counted["cover"] == pytest.approx(covers, rel=0.05)
    assert sum(counted.values()) - counted["reply"] == pytest.approx(len(asked), rel=0.02)
    assert sum("applied" in mail.says for mail in mails) > 0.01 * len(mails)
