"""What a device is and what its bytes mean. Pure: no I/O besides reading its own files, no event loop."""
