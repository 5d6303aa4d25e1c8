"""Lets `python -m kminer` run the command line."""

from kminer.cli import main

if __name__ == "__main__":
    main(prog_name="kminer")
