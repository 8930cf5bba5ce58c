"""The language in which a profile says what the bytes of a message are."""

from firmware_profiles.frames.body import MAX_BYTES
from firmware_profiles.frames.frame import Found, Frame, is_for_each_channel
from firmware_profiles.frames.grammar import Lookups, Place, parse_literal

__all__ = ["MAX_BYTES", "Found", "Frame", "Lookups", "Place", "is_for_each_channel", "parse_literal"]
