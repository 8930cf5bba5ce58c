"""Files of other programs: what comes in becomes a routine within the limits, what goes out is bytes. Pure."""
