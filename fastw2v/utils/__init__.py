"""Helpers that do not depend on the training code: atomic writes, checks, progress bars and system information."""
