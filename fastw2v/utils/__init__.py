"""Helpers without dependencies on the training code: atomic writes, checks, progress bars and system information."""
