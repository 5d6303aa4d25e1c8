"""What `kminer check` loads."""

from __future__ import annotations

from collections.abc import Callable, Sized

from kminer import catalogue, labelbook, works

CHECKS: dict[str, Callable[[], Sized]] = {
    "data/labels.toml": lambda: labelbook.load_labels().mechanisms,
    "data/sources": catalogue.load_sources,
    "data/rules": lambda: labelbook.load_rules().mechanisms,
    "data/studies": labelbook.load_studies,
    "data/annotations": labelbook.load_annotations,
    "data/features": catalogue.load_features,
    "data/releases": catalogue.load_release_dates,
    "data/papers": works.load_papers,
    "data/resources": works.load_resources,
    "queries": catalogue.load_queries,
    "reports": catalogue.load_report_heads,
}
"""The loader of each folder; its result is as long as there are good things in it."""
