"""The one SQLite file: schema, writing and reading."""
