"""What can go wrong, told so that the reader knows what happened, where, and what to do next."""


class KminerError(Exception):
    """A failure the user can act on: `what` happened, `where`, and what to do `next`."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.next = next

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.next:
            lines.append(f"  next:  {self.next}")
        return "\n".join(lines)


class UsageError(KminerError):
    """The command line, or a file the user wrote, is not understood (exit code 2)."""

    exit_code = 2


class CatalogueError(UsageError):
    """A file under data/, queries/ or reports/ is malformed (exit code 2)."""


class RepositoryError(KminerError):
    """A git repository cannot be opened, read or cloned (exit code 1)."""


class StoreError(KminerError):
    """The database cannot be opened, read or written (exit code 1)."""


class QueryError(KminerError):
    """A saved query failed to run (exit code 1)."""


class ModelError(KminerError):
    """The trained model is missing, damaged, or was made for other labels (exit code 1)."""


class NotesError(KminerError):
    """A page of release notes cannot be had, or is not what its source says it is (exit code 1)."""


class MissingPageError(NotesError):
    """The server says that there is no such page (exit code 1)."""


class MailError(KminerError):
    """A mail of an archive cannot be taken apart, for a `reason` of a few words (exit code 1)."""

    @property
    def reason(self) -> str:
        """What is wrong with the mail: "no date"."""
        return self.what
