"""Proposals: which posted patches make a series, which series are versions of one, and what became of them."""
