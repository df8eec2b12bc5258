"""Errors and warnings in the terms of the shell: options instead of parameters of the library."""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastw2v.cli.output import note, one_line
from fastw2v.utils.quote import quote, shorten

__all__ = ["EXPECTED", "describe", "messages_as_notes", "option_names", "options_for_parameters", "parameters_as"]

EXPECTED = (ValueError, TypeError, OSError, KeyError, RuntimeError, ArithmeticError, MemoryError, ImportError)
"""Errors that are reported without a traceback."""
LONGEST_ARGUMENT = 120
"""Number of characters of an argument that are shown in a message."""
LONGEST_MESSAGE = 600
"""Maximum number of characters of a message."""
QUOTED = r"""(?<![\w=])'(?:[^'\\]|\\.)*'|(?<![\w=])"(?:[^"\\]|\\.)*\""""
VERBS = "[Ll]ower|[Rr]aise|[Oo]mit|[Cc]hange|[Ss]et|higher|larger|smaller"


def option_names(command: Any) -> dict[str, str]:
    """Return the option that sets each parameter of a command, such as ``--min-count`` for ``min_count``."""
    names = {
        parameter.name: max(parameter.opts, key=len)
        for parameter in command.params
        if parameter.param_type_name == "option"
    }
    return names | {"format": names["source_format"]} if "source_format" in names else names


def options_for_parameters(message: str, options: Mapping[str, str], arguments: list[str]) -> str:
    """Return a message in which the options of the shell replace the names of parameters.

    A name is replaced where it stands for the parameter: in ``name=value``, as the subject of a clause, after a verb
    such as "lower", and everywhere if it contains an underscore. Quoted text, such as a word of the vocabulary, and
    parts of paths are left unchanged.

    Parameters
    ----------
    message : str
    options : mapping of str to str
        Options by parameter name.
    arguments : list of str
        The command line. Where the message contains an argument that looks like a parameter, such as the name of a
        file, it is left unchanged.

    Examples
    --------
    >>> from fastw2v.cli.errors import options_for_parameters
    >>> options = {"min_count": "--min-count", "negative": "--negative", "errors": "--errors"}
    >>> options_for_parameters("negative is 9, which is not negative; set min_count=1", options, [])
    '--negative is 9, which is not negative; set --min-count 1'
    >>> options_for_parameters("a/min_count.txt: the word 'min_count' is rare", options, [])
    "a/min_count.txt: the word 'min_count' is rare"
    """
    if not options:
        return message
    name = "|".join(map(re.escape, sorted(options, key=len, reverse=True)))
    snake = "|".join(re.escape(one) for one in options if "_" in one) or "(?!)"
    kept = [
        rf"(?<![\w.-]){re.escape(one)}(?![\w=-])"
        for one in sorted(arguments, key=len, reverse=True)
        if re.search(rf"\b(?:{name})\b", one)
    ]
    # A name is not part of a path if no slash, dot or hyphen touches it. A dot may end the sentence.
    start, end = r"(?<![\w./\\-])", r"(?![\w/\\(-]|\.\w)"
    clause = r"(?:^|(?<=[;:.] )|(?<= and )|(?<= but ))"
    forms = {
        "kept": "|".join([QUOTED, *kept]),
        "assigned": rf"{start}(?P<name>{name})=(?P<value>'(?:[^'\\]|\\.)*'|[\w+-]+(?:\.\w+)*)",
        "snake": rf"{start}(?:{snake}){end}",
        "subject": rf"{clause}(?:{name})(?= (?:is|has|contains|drops|must|cannot)\b)",
        "apposition": rf"{clause}(?:{name})(?= ')",  # device 'cuda' cannot be used
        "object": rf"\b(?P<verb>{VERBS}) (?P<noun>{name}){end}(?!=)",
    }

    def replacement(found: re.Match[str]) -> str:
        text = found[0]
        if found["kept"]:
            return text
        if found["assigned"]:
            option, value = options[found["name"]], found["value"].strip("'")
            return option if value == "True" else f"{option} {value}"
        return f"{found['verb']} {options[found['noun']]}" if found["object"] else options[text]

    pattern = "|".join(f"(?P<{form}>{regex})" for form, regex in forms.items())
    return re.sub(pattern, replacement, message)


def describe(error: BaseException, options: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """Return the message of an error on one line, in the terms of the shell.

    Parameters
    ----------
    error : exception
    options : mapping of str to str
        Options by parameter name.
    values : mapping of str to object
        Values by the name of an option or an argument. If the message begins with a path or a quoted word from one of
        these values, the name is put before it. If the message calls the value ``path`` or ``source``, as the library
        does, the name replaces this word.
    """
    message = options_for_parameters(one_line(error), options, sys.argv[1:])
    for label, value in values.items():
        items = value if isinstance(value, list) else [value]
        words = [repr(word) for item in items for word in str(item).split()]
        begins = [text for text in [*map(str, items), *words] if re.match(rf"{re.escape(text)}(?:[:,]? )", message)]
        if begins and label.startswith("-"):
            message = f"{label} {message}"
            break
        if re.match("(?:path|source) is ", message) and any(quote(str(item)) in message for item in items):
            message = f"{label} is {message.partition(' is ')[2]}"
            break
    for argument in filter(lambda one: len(one) > LONGEST_ARGUMENT, sys.argv[1:]):
        message = message.replace(argument, shorten(argument, LONGEST_ARGUMENT))
    return shorten(message, LONGEST_MESSAGE)


@contextmanager
def parameters_as(options: Mapping[str, str]) -> Iterator[None]:
    """Context manager in which the messages of ValueErrors name options instead of parameters.

    It is needed if a parameter of the library corresponds to different options, or to an option of another command.
    """
    try:
        yield
    except ValueError as error:
        error.args = (options_for_parameters(str(error), options, sys.argv[1:]),)
        raise


@contextmanager
def messages_as_notes(options: Mapping[str, str]) -> Iterator[None]:
    """Context manager that prints warnings and log messages of the library on one line each, in the terms of the shell.

    On a terminal, where progress bars show the progress, only warnings are printed.
    """

    def show(message: object, kind: str = "warning: ") -> None:
        text = re.sub(r" \(load_word2vec_format: \S+\)", "", " ".join(str(message).split()))  # gensim's interface
        text = options_for_parameters(text, options, sys.argv[1:])
        note(f"{kind}{shorten(text, LONGEST_MESSAGE)}")

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            show(record.getMessage(), "warning: " if record.levelno >= logging.WARNING else "")

    logger, handler = logging.getLogger("fastw2v"), Notes()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if sys.stderr.isatty() else logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: show(message)
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
