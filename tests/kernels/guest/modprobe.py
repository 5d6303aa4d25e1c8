#!/usr/bin/python3 -IS
"""Loads nothing: writes down that the kernel was made to ask for a module."""

import os
import sys

log = os.open("/run/modprobe", os.O_WRONLY | os.O_APPEND)
os.write(log, " ".join(sys.argv[1:]).encode() + b"\n")
os._exit(1)
