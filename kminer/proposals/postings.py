"""Puts the patches of one posting together, and the mails that answer it beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from kminer.proposals.letters import Letter, Posting, days_between, in_order_of_date

POSTED = ("patch", "cover")


def find_postings(letters: Iterable[Letter]) -> list[Posting]:
    """The postings among the mails, oldest first, each with its answers. Mails may be missing from the archive."""
    ordered = in_order_of_date(letters)
    finder = _Finder()
    for letter in ordered:
        if letter.kind == "cover":
            finder.begin(letter)
    for letter in ordered:
        if letter.kind == "patch":
            finder.place(letter)
    finder.add_answers(letter for letter in ordered if letter.kind not in (*POSTED, "backport"))
    return sorted(finder.postings, key=lambda posting: (posting.date, posting.root.key))


class _Finder:
    """Postings in the making, by the message-ids of their mails and by who posted how many patches."""

    def __init__(self) -> None:
        self.postings: list[Posting] = []
        self._of: dict[str, Posting] = {}
        self._alike: dict[tuple[str, int, int], list[Posting]] = defaultdict(list)

    def begin(self, letter: Letter) -> None:
        """A posting that this mail is the first known of."""
        cover = letter.kind == "cover"
        posting = Posting([] if cover else [letter], letter if cover else None)
        self.postings.append(posting)
        self._of[letter.key] = posting
        if letter.total is not None:
            self._alike[_shape(letter)].append(posting)

    def place(self, patch: Letter) -> None:
        """Put a patch to its posting: by what it answers, else by who posted as many patches within a day."""
        found = self._answered(patch) or (self._near(patch) if patch.total is not None else None)
        if found is None:
            self.begin(patch)
        else:
            found.patches.append(patch)
            self._of[patch.key] = found

    def add_answers(self, letters: Iterable[Letter]) -> None:
        """Put mails to the posting that they answer, however far down the thread."""
        for letter in letters:
            found = next((self._of[key] for key in letter.ancestors() if key in self._of), None)
            if found is not None:
                found.answers.append(letter)

    def _answered(self, patch: Letter) -> Posting | None:
        """The posting among what a patch answers that it belongs to.

        A patch alone that its author sends below one of several patches mends that posting.
        """
        for key in patch.ancestors():
            posting = self._of.get(key)
            if posting is None or not patch.is_by(posting.root):
                continue
            root = posting.root
            if patch.total == root.total and patch.version == root.version and _has_room(posting, patch):
                return posting
            if patch.total is None and (root.total or 1) > 1 and not patch.rfc:
                return posting
        return None

    def _near(self, patch: Letter) -> Posting | None:
        near = [
            posting for posting in self._alike.get(_shape(patch), ())
            if abs(days_between(posting.root.date, patch.date)) <= 1 and _has_room(posting, patch)
            and patch.is_by(posting.root)
        ]  # fmt: skip
        return min(near, key=lambda posting: (_apart(posting.root, patch), posting.root.key), default=None)


def _shape(letter: Letter) -> tuple[str, int, int]:
    return letter.email, letter.version, letter.total or 0


def _has_room(posting: Posting, patch: Letter) -> bool:
    return patch.total is not None and all(other.number != patch.number for other in posting.patches)


def _apart(one: Letter, other: Letter) -> tuple[int, str]:
    early, late = sorted((one.date, other.date))
    return days_between(early, late), late


def postings_by_key(postings: Iterable[Posting]) -> Mapping[str, Posting]:
    """Postings by the message-ids of their cover letters and patches."""
    return {letter.key: posting for posting in postings for letter in posting.letters()}
