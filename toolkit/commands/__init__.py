"""The commands that are too long to stand in ``toolkit.cli``."""
