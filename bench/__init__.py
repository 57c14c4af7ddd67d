"""Measurements: each module is a command that prints ratios against a reference in the same run."""
