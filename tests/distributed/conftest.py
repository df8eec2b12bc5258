"""Fixtures of the tests of replicas."""

from tests.cli.conftest import run

__all__ = ["run"]
