"""Helpers below the rest of the library: atomic writes, checks, the loss, progress and facts about the machine."""
