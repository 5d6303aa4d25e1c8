"""Git: opening and cloning, the sharded walk, tracked paths, first releases."""
