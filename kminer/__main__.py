"""Lets `python -m kminer` run the command line."""

from kminer.cli import main

main(prog_name="kminer")
