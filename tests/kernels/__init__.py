"""Boots real kernels in qemu, runs kminer's probe in them, and holds its verdicts against the kernels' source."""
