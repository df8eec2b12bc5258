"""The model card of vectors on the Hub: ``README.md`` with a header in YAML and a text in Markdown."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from fastw2v.formats import FormatError, VectorRecord
from fastw2v.formats.fileio import encode_words
from fastw2v.hub.access import check_name
from fastw2v.utils.checks import check_path, check_type
from fastw2v.utils.encodings import read_text
from fastw2v.utils.quote import counted, quote

__all__ = [
    "LICENSES",
    "MARK_END",
    "MARK_START",
    "check_card",
    "check_language",
    "check_license",
    "license_of",
    "merge_cards",
    "model_card",
    "score_section",
]

MARK_START = "<!-- fastw2v: the text up to the next mark is replaced when vectors are pushed again -->"
MARK_END = "<!-- /fastw2v -->"
LICENSES = (
    "afl-3.0", "agpl-3.0", "apache-2.0", "apple-amlr", "apple-ascl", "artistic-2.0", "bigcode-openrail-m",
    "bigscience-bloom-rail-1.0", "bigscience-openrail-m", "bsd", "bsd-2-clause", "bsd-3-clause",
    "bsd-3-clause-clear", "bsl-1.0", "c-uda", "cc", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0",
    "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0",
    "cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0", "creativeml-openrail-m", "ecl-2.0", "epl-1.0",
    "epl-2.0", "etalab-2.0", "eupl-1.1", "eupl-1.2", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "isc", "lgpl", "lgpl-2.1",
    "lgpl-3.0", "lgpl-lr", "lppl-1.3c", "mit", "mpl-2.0", "ms-pl", "ncsa", "odbl", "odc-by", "ofl-1.1", "openrail",
    "openrail++", "osl-3.0", "other", "pddl", "postgresql", "unknown", "unlicense", "wtfpl", "zlib",
)  # fmt: skip
"""Identifiers of licences on the Hub that suit word vectors. Any other licence is "other"."""
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*|multilingual|code")
_HEADER = re.compile(r"\A\ufeff?---[ \t]*\r?\n.*?^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_LICENSE_LINE = re.compile(r"^license:[ \t]*(?:\r?\n[ \t]*-[ \t]*|\[[ \t]*)?[\"']?([\w.+-]+)", re.MULTILINE)
_STATIC_TAG = "sentence-transformers"
_LONGEST_WORD = 50
"""Number of characters of the longest word in the examples of the card."""
_SETTINGS = {
    "model": "model",
    "loss": "loss",
    "quality": "quality",
    "window": "window",
    "negative": "negative samples",
    "ns_exponent": "exponent of negative samples",
    "sample": "subsampling threshold",
    "min_count": "lowest count",
    "alpha": "initial learning rate",
    "min_alpha": "final learning rate",
    "trained_epochs": "epochs",
    "output_weight": "weight of the output matrix",
    "seed": "seed",
    "engine": "engine",
    "device": "device",
}
"""Names in the card of the settings that the metadata of vectors contain."""


def check_license(license: Any) -> str:
    """Return the identifier of a licence, or raise ValueError if the Hub does not know it.

    Examples
    --------
    >>> from fastw2v.hub.card import check_license
    >>> check_license("cc-by-sa-4.0")
    'cc-by-sa-4.0'
    """
    if not isinstance(license, str) or license not in LICENSES:
        raise ValueError(
            f"license is {quote(license)}; it must be an identifier of the Hub in lower case, such as apache-2.0, mit, "
            "cc-by-4.0 or cc-by-sa-4.0, or other. See https://huggingface.co/docs/hub/repositories-licenses"
        )
    return license


def check_language(language: Any) -> list[str]:
    """Return codes of languages as a list, or raise ValueError if one is not a code.

    Examples
    --------
    >>> from fastw2v.hub.card import check_language
    >>> check_language("ko"), check_language(["en", "pt-BR"]), check_language(None)
    (['ko'], ['en', 'pt-BR'], [])
    """
    codes = [] if language is None else [language] if isinstance(language, str) else language
    check_type("language", codes, (list, tuple), "a code, or a list of codes")
    for code in codes:
        if not isinstance(code, str) or _LANGUAGE.fullmatch(code) is None:
            raise ValueError(f"language is {quote(code)}; it must be a code of ISO 639, such as en or ko")
    return list(codes)


def check_card(license: Any, language: Any, corpus: Any, scores: Any) -> None:
    """Raise TypeError, ValueError or OSError unless these are valid arguments of `model_card`.

    Examples
    --------
    >>> from fastw2v.hub.card import check_card
    >>> check_card("mit", language=["en", "ko"], corpus="Wikipedia of 2026.", scores=None)
    """
    check_license(license)
    check_language(language)
    if corpus is not None:
        check_type("corpus", corpus, str, "a text")
        if not corpus.strip():
            raise ValueError("corpus is empty; give a text, or omit it")
        try:
            corpus.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"corpus is {quote(corpus)}, which is not valid Unicode: {error.reason}") from error
    score_section(scores)


def model_card(
    record: VectorRecord,
    name: str,
    *,
    license: str,
    language: str | Sequence[str] | None = None,
    corpus: str | None = None,
    scores: str | PathLike[str] | None = None,
    without_static: str | None = None,
) -> str:
    """Return the model card of vectors.

    Parameters
    ----------
    record : VectorRecord
        Its counts, subwords and settings are described.
    name : str
        Name of the repository, such as "user/wiki-vectors".
    license : str
        Identifier of the licence on the Hub, such as "apache-2.0".
    language : str or sequence of str, optional
        Codes of the languages of the words, such as "ko".
    corpus : str, optional
        Description of the text that the vectors were trained on, in Markdown.
    scores : str or path, optional
        File with the output of ``fastw2v evaluate --json``.
    without_static : str, optional
        Why the repository contains no StaticEmbedding. By default, it contains one.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the licence or a language is unknown, or `scores` is not such a file.
    OSError
        If the file of scores cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.hub import model_card
    >>> card = model_card(VectorRecord(["sun", "moon"], np.eye(2)), "user/celestial", license="mit", language="en")
    >>> print(card[: card.index("tags:")].strip())
    ---
    license: mit
    language:
    - en
    library_name: fastw2v
    pipeline_tag: feature-extraction
    """
    check_type("record", record, VectorRecord, "a VectorRecord")
    check_name(name)
    check_card(license, language, corpus, scores)
    if without_static is not None:
        check_type("without_static", without_static, str, "a reason")
    tags = ["word2vec", "word-embeddings", *(["fasttext"] if record.subwords is not None else [])]
    if without_static is None:
        tags.append(_STATIC_TAG)
    header = [f"license: {license}"]
    if codes := check_language(language):
        header += ["language:", *(f"- {code}" for code in codes)]
    header += ["library_name: fastw2v", "pipeline_tag: feature-extraction", "tags:", *(f"- {tag}" for tag in tags)]
    sections = [
        _summary(record),
        _use(record, name, without_static),
        _training(record, corpus),
        score_section(scores),
        _limits(record),
    ]
    title = name.rpartition("/")[2]
    return "\n".join(["---", *header, "---", "", f"# {title}", "", _marked("\n\n".join(sections)), ""])


def merge_cards(existing: str | None, card: str) -> tuple[str, bool]:
    """Return the card for a repository that may have one already, and whether the new text is part of it.

    In an existing card, only the text between the marks and the tag of sentence-transformers are replaced, because the
    rest may have been written by hand. A card without marks is kept. A card of a header alone is replaced.

    Examples
    --------
    >>> from fastw2v.hub.card import merge_cards
    >>> merge_cards("# My vectors", "# vectors")
    ('# My vectors', False)
    """
    body = "" if existing is None else _HEADER.sub("", existing, count=1)
    if existing is None or not body.strip():
        return card, True
    start, end = existing.find(MARK_START), existing.rfind(MARK_END)
    if not 0 <= start < end:
        return existing, False
    new = card[card.index(MARK_START) : card.rindex(MARK_END)]
    if "\r\n" in existing:
        new = new.replace("\n", "\r\n")
    has_static = f"- {_STATIC_TAG}\n" in _header(card)
    merged = _HEADER.sub(lambda found: _with_static_tag(found[0], has_static), existing[:start], count=1)
    return merged + new + existing[end:], True


def license_of(card: str) -> str | None:
    r"""Return the licence in the header of a card, or None if there is none.

    Examples
    --------
    >>> from fastw2v.hub.card import license_of
    >>> license_of("---\nlicense: mit\n---\n# My vectors"), license_of("# My vectors")
    ('mit', None)
    """
    found = _LICENSE_LINE.search(_header(card))
    return None if found is None else found[1]


def score_section(scores: str | PathLike[str] | None) -> str:
    """Return the section of the card with the scores in a file.

    Parameters
    ----------
    scores : str, path or None
        File with the output of ``fastw2v evaluate --json``.

    Raises
    ------
    ValueError
        If the file does not contain scores.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> from fastw2v.hub.card import score_section
    >>> print(score_section(None))
    ## Scores
    <BLANKLINE>
    No scores are given.
    """
    if scores is None:
        return "## Scores\n\nNo scores are given."
    path = check_path("scores", scores)
    rows = []
    try:
        found = json.loads(read_text(path))
        suite = f" ({_cell(found['suite'])})" if found["suite"] else ""
        if found["analogies"]:
            overall = found["analogies"][-1]
            accuracy = _number(overall["accuracy"], 0, 100, 1)
            rows.append([f"analogies{suite}, % correct", accuracy, _covered(overall)])
        for one in found["pairs"]:
            name = _cell(one["name"] if suite else Path(one["name"]).name)
            rows.append([f"{name}, Spearman's correlation", _number(one["spearman"], -1, 1, 3), _covered(one)])
        if not rows:
            raise ValueError("there are no scores")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path} does not contain scores; write it with fastw2v evaluate FILE --json > scores.json"
        ) from error
    table = ["| set | score | covered |", "| --- | --- | --- |", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n\n".join(["## Scores", "\n".join(table), "Questions with words outside the vocabulary are not covered."])


def _marked(text: str) -> str:
    return f"{MARK_START}\n\n{text}\n\n{MARK_END}"


def _header(card: str) -> str:
    found = _HEADER.match(card)
    return "" if found is None else found[0]


def _with_static_tag(header: str, wanted: bool) -> str:
    """Return a header with or without the tag of sentence-transformers. Tags in another style than ours are kept."""
    line = re.compile(rf"^[ \t]*- {_STATIC_TAG}[ \t]*\r?\n", re.MULTILINE)
    if not wanted:
        return line.sub("", header)
    if line.search(header):
        return header
    return re.sub(r"^(tags:[ \t]*(\r?\n))([ \t]*- )", rf"\1\3{_STATIC_TAG}\2\3", header, count=1, flags=re.MULTILINE)


def _example_word(record: VectorRecord) -> str:
    """Return a word for the examples of the card, as Python code that contains no mark-up."""
    words = itertools.islice(record.index_to_key, 1000)
    word = next((word for word in words if len(str(word)) <= _LONGEST_WORD), "word")
    return repr(word).replace("<", r"\x3c")


def _summary(record: VectorRecord) -> str:
    V, D = _shape(record)
    stored = record.input_vectors if record.vectors is None else record.vectors
    parts = [f"{counted(V, 'word')}, {counted(D, 'dimension')}, {stored.dtype}"]
    if record.subwords is not None:
        ngrams = record.subwords.ngrams
        parts.append(f"with n-grams of {ngrams.min_n} to {ngrams.max_n} {ngrams.units}")
    return f"Word vectors of [fastw2v](https://github.com/fastw2v/fastw2v): {', '.join(parts)}."


def _use(record: VectorRecord, name: str, without_static: str | None) -> str:
    word = _example_word(record)
    parts = [
        "## Use",
        _code(
            "# pip install 'fastw2v[hub]'",
            "from fastw2v import WordVectors",
            "",
            f'vectors = WordVectors.from_pretrained("{name}")',
            f"vectors.most_similar({word})",
        ),
    ]
    try:
        encode_words(record.index_to_key, Path("vectors.bin"))
    except FormatError:
        pass
    else:
        parts += [
            "In gensim, use a file that fastw2v writes:",
            _code(
                "from gensim.models import KeyedVectors",
                "",
                'vectors.save("vectors.bin", format="bin")',
                'keyed_vectors = KeyedVectors.load_word2vec_format("vectors.bin", binary=True)',
            ),
        ]
    if without_static is None:
        parts += [
            "In sentence-transformers, the vector of a sentence is the mean of the vectors of its words, which are "
            "separated by white space. Unknown words count as zeros.",
            _code(
                "from sentence_transformers import SentenceTransformer",
                "",
                f'model = SentenceTransformer("{name}")',
                f"model.encode([{word}])",
            ),
        ]
        if record.subwords is not None:
            parts.append("sentence-transformers does not use the n-grams, which only `vectors.safetensors` contains.")
    else:
        parts.append(f"The vectors cannot be used in sentence-transformers: {_escaped(without_static)}.")
    return "\n\n".join(parts)


def _training(record: VectorRecord, corpus: str | None) -> str:
    settings = record.settings if isinstance(record.settings, dict) else {}
    V, D = _shape(record)
    rows = {"words in the vocabulary": f"{V:,}", "dimensions": f"{D}"}
    total = settings.get("corpus_total_words")
    if isinstance(total, int):
        rows["words in the corpus"] = f"{total:,}"
    rows |= {
        shown: _cell(settings[key])
        for key, shown in _SETTINGS.items()
        if isinstance(settings.get(key), (str, int, float)) and not isinstance(settings[key], bool)
    }
    if record.subwords is not None:
        ngrams = record.subwords.ngrams
        rows["n-grams"] = f"{ngrams.min_n} to {ngrams.max_n} {ngrams.units}, {ngrams.bucket:,} buckets"
    # fastw2v is imported by whoever calls this, but no module of the package may import it.
    rows["pushed with"] = f"fastw2v {sys.modules['fastw2v'].__version__}"
    about = corpus or "The author of this repository has not described the text that the vectors were trained on."
    for mark in (MARK_START, MARK_END):
        about = about.replace(mark, mark.replace("<", "&lt;"))
    table = ["| setting | value |", "| --- | --- |", *(f"| {key} | {value} |" for key, value in rows.items())]
    unknown = [] if settings else ["The file of the vectors contains no settings of their training."]
    return "\n\n".join(["## Training", about, *unknown, "\n".join(table)])


def _covered(entry: dict[str, Any]) -> str:
    covered, total = entry["covered"], entry["total"]
    if not (type(covered) is type(total) is int and 0 <= covered <= total):
        raise ValueError(f"covered is {covered!r} of {total!r}")
    return f"{covered:,} of {total:,}"


def _number(value: Any, lowest: int, factor: int, digits: int) -> str:
    if value is None:
        return "-"
    if type(value) not in (int, float) or not lowest <= value <= 1:
        raise ValueError(f"the score is {value!r}")
    return f"{factor * value:.{digits}f}"


def _limits(record: VectorRecord) -> str:
    unknown = (
        "A word outside the vocabulary gets a vector from its n-grams, also if it is misspelled or meaningless."
        if record.subwords is not None
        else "Words outside the vocabulary have no vector."
    )
    return "\n".join(
        [
            "## Intended use and limits",
            "",
            "The vectors are meant for finding similar words, and as features of words and texts.",
            "",
            "- Each word has one vector, whatever its meaning in a sentence.",
            f"- {unknown}",
            "- The vectors reflect the text that they were trained on, including its prejudices. Do not base decisions",
            "  about people on them.",
        ]
    )


def _code(*lines: str) -> str:
    return "\n".join(["```python", *lines, "```"])


def _cell(value: Any) -> str:
    """Return a value as the text of a cell of a table, in which nothing is markup."""
    return _escaped(f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())[:100])


def _escaped(text: str) -> str:
    """Return a text in which nothing is mark-up or a link."""
    return re.sub(r"([\\`*_{}\[\]<>#|&!~:])", r"\\\1", text)


def _shape(record: VectorRecord) -> tuple[int, int]:
    if record.vectors is not None:
        return int(record.vectors.shape[0]), int(record.vectors.shape[1])
    assert record.subwords is not None
    return record.subwords.n_words, int(record.input_vectors.shape[1])
