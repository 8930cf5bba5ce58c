"""Benchmarks: figures and ratios to the raw library in the same run. They are read by people, never by a test."""
