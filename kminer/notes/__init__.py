"""Parsers of release notes: text in, a Page out; no files, no network."""
