"""What commands print."""

from __future__ import annotations

import os

import pytest

from fastw2v.cli.output import format_duration, format_number, format_percent, nan_to_none, one_line, print_table


def test_other_errors_are_one_line_too():
    assert one_line(MemoryError("1 TiB")) == "out of memory: 1 TiB"
    assert one_line(ValueError("two\n  lines")) == "two lines"
    assert one_line(ValueError()) == "ValueError"
    assert one_line(PermissionError(13, os.strerror(13), "f.bin")) == f"f.bin: {os.strerror(13)}"


def test_tables_print_words_as_they_are_and_align_numbers(capsys: pytest.CaptureFixture[str]):
    print_table(["word", "count"], [["[red]", 7], [":smile:", 10_000]], total=["all", 10_007])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[2:4] == ["[red]         7", ":smile:   10000"]
    assert lines[-1] == "all       10007"


def test_numbers_that_are_missing_are_dashes():
    nan = float("nan")
    assert (format_percent(0.125), format_percent(nan)) == ("12.5", "-")
    assert (format_number(0.12349), format_number(nan)) == ("0.123", "-")
    assert (nan_to_none(0.5), nan_to_none(nan)) == (0.5, None)
    assert [format_duration(s) for s in (2, 150, 9000)] == ["2.0 s", "2.5 minutes", "2.5 hours"]
