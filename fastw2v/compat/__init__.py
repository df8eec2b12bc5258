"""Interfaces with the names and conventions of other libraries."""
