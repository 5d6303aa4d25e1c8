"""From a change's text and files to its labels, each with its evidence."""
