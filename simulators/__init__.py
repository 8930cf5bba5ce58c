"""Pretend to be the device, in a process of its own that is reached only by bytes."""
