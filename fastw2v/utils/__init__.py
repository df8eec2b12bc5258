"""Helpers that do not depend on the rest of the library: atomic writes, progress display, facts about the machine."""
