"""Texts that the tasks of a cluster count, encode and divide into parts.

The files are divided into ranges of bytes that do not cut words. A task per range assigns provisional ids to its words,
in order of first appearance. Other tasks merge the words of adjacent ranges, as the branches of a tree, so the words of
the text are in order of first appearance, too. The vocabulary is selected from them, and a task per range replaces the
provisional ids. At last, a task per part joins its pieces of the text.

The result does not depend on the ranges: the vocabulary, the ids and the sentences are those of `Corpus.from_text`, and
the parts are those of `fastw2v.distributed.parts.put_parts`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fastw2v.config import MIN_COUNT, UnicodeForm, check_integer
from fastw2v.corpus.conversion import check_conversion
from fastw2v.corpus.corpus import Corpus, warn_of_empty_files, warn_of_oddities
from fastw2v.corpus.indexer import DECODE_BATCH, IndexedText, final_ids, index_text
from fastw2v.corpus.sources import PADDING, Errors, FileBlock, Source, TextBlock, check_errors, name_of_files
from fastw2v.corpus.vocabulary import Counts, Vocabulary, WordSelection
from fastw2v.distributed.cluster import Cluster
from fastw2v.distributed.files import Span, TextFile, blocks_of_span, find_files, spans_of
from fastw2v.distributed.parts import Part, StoredPart, describe, piece_bounds
from fastw2v.distributed.replica import Get
from fastw2v.utils.encodings import check_encoding
from fastw2v.utils.progress import Progress

__all__ = ["DistributedCorpus", "read_text"]

RANGE_BYTES = 1 << 25
"""Number of bytes that a task reads, a multiple of `fastw2v.corpus.sources.BLOCK_BYTES`."""
MERGED = 8
"""Number of word lists that a task merges."""
SHORT_LIST_BYTES = 1 << 20
"""Maximum size of word lists that are indexed without compiled code, which is loaded already if the text is long."""
WAIT_SECONDS = 0.2
"""Maximum time between two checks for interrupts."""


@dataclass(frozen=True, eq=False)
class DistributedCorpus:
    r"""A corpus whose text is on a cluster, in parts.

    Attributes
    ----------
    vocabulary : Vocabulary
    parts : tuple of StoredPart
        The parts that are not empty. Part ``i`` of n consists of the pieces i, i + n, i + 2 n and so on.
    replicas : int
        The number of replicas among which the text was divided.
    n_sentences : int
        The number of sentences of the whole text.
    bounds : list of int
        Start of each piece in the whole text, followed by the number of tokens.
    cut : frozenset of int
        The starts of pieces that are not starts of sentences.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.distributed.cluster import InProcess
    >>> from fastw2v.distributed.text import read_text
    >>> _ = Path("corpus.txt").write_text("the cat\nthe dog\n" * 80, encoding="utf-8")
    >>> cluster = InProcess(threads=2)
    >>> corpus = read_text(cluster, "corpus.txt", parts=2)
    >>> [(part.n_tokens, part.n_sentences) for part in corpus.parts]
    [(160, 80), (160, 80)]
    >>> [part] = cluster.get([corpus.parts[0].reference])
    >>> part.ids[:4].tolist(), part.offsets[:3].tolist()
    ([0, 1, 0, 2], [0, 2, 4])
    >>> corpus.gather(cluster)
    <Corpus of 320 tokens in 160 sentences, 3 words>
    """

    vocabulary: Vocabulary
    parts: tuple[StoredPart, ...]
    replicas: int
    n_sentences: int
    bounds: list[int]
    cut: frozenset[int]
    _word_counts: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        r"""The number of sentences of each length in all parts; see `fastw2v.sampling.chunks.length_counts`.

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v.distributed.cluster import InProcess
        >>> from fastw2v.distributed.text import read_text
        >>> _ = Path("corpus.txt").write_text("the cat\nthe dog\n" * 80, encoding="utf-8")
        >>> read_text(InProcess(threads=2), "corpus.txt", parts=2).lengths[:4].tolist()
        [0, 0, 160, 0]
        """
        return np.sum([part.lengths for part in self.parts], axis=0)

    def word_counts(self) -> np.ndarray:
        r"""Count the words in the sentences of this corpus, as `Corpus.word_counts` does: int64 array, shape (V,).

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v.distributed.cluster import InProcess
        >>> from fastw2v.distributed.text import read_text
        >>> _ = Path("corpus.txt").write_text("the cat\nthe dog\n" * 80, encoding="utf-8")
        >>> read_text(InProcess(threads=2), "corpus.txt", parts=2).word_counts().tolist()
        [160, 80, 80]
        """
        return self._word_counts.copy()

    def gather(self, cluster: Cluster) -> Corpus:
        r"""Return the whole corpus, which must fit in the memory of this process.

        Parameters
        ----------
        cluster : Cluster
            The cluster that has the parts.

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v.distributed.cluster import InProcess
        >>> from fastw2v.distributed.text import read_text
        >>> _ = Path("corpus.txt").write_text("the cat\nthe dog\n" * 80, encoding="utf-8")
        >>> cluster = InProcess(threads=2)
        >>> read_text(cluster, "corpus.txt", parts=2).gather(cluster)
        <Corpus of 320 tokens in 160 sentences, 3 words>
        """
        ids = np.empty(len(self), np.int32)
        starts = [np.array([start for start in self.bounds if start not in self.cut], np.int64)]
        pieces = list(itertools.pairwise(self.bounds))
        for i, stored in enumerate(self.parts):
            [part] = cluster.get([stored.reference])
            at = 0
            for start, stop in pieces[i :: len(self.parts)]:
                end = at + stop - start
                ids[start:stop] = part.ids[at:end]
                first, last = np.searchsorted(part.offsets, [at, end])
                starts.append(part.offsets[first + 1 : last] + (start - at))
                at = end
        return Corpus(ids, np.sort(np.concatenate(starts)), self.vocabulary)

    def __len__(self) -> int:
        return self.bounds[-1]


def read_text(
    cluster: Cluster,
    source: Source,
    parts: int,
    min_count: int = MIN_COUNT,
    *,
    max_vocab: int | None = None,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    counts: Counts | None = None,
    lower: bool = False,
    normalize: UnicodeForm | None = None,
    encoding: str = "utf-8",
    errors: Errors = "strict",
) -> DistributedCorpus:
    r"""Read text as `Corpus.from_text` does, with the tasks of a cluster, and divide it into parts.

    Parameters
    ----------
    cluster : Cluster
    source : path, URL, iterable of these, or Sources
        A path must lead to the same file on every machine. URLs such as ``s3://bucket/*.txt`` need fsspec. Standard
        input is not possible.
    parts : int
        Maximum number of parts. There are fewer if the text has fewer sentences.
    min_count, max_vocab, include, exclude, counts
        Parameters that select the vocabulary; see `Corpus`.
    lower, normalize, encoding, errors
        See `Corpus.from_text`.

    Returns
    -------
    DistributedCorpus

    Raises
    ------
    ImportError
        If the package that a URL needs is not installed.
    OSError
        If a file cannot be found or read on this machine or on another one, or changes while it is read.
    RuntimeError
        If a file is compressed with zstd, but no module that can decompress it is installed.
    ValueError
        See `Corpus.from_text`. Also if the source is standard input, a pipe or a device.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastw2v.distributed.cluster import InProcess
    >>> from fastw2v.distributed.text import read_text
    >>> _ = Path("corpus.txt").write_text("the cat sat\nthe dog sat\n", encoding="utf-8")
    >>> corpus = read_text(InProcess(threads=2), "corpus.txt", parts=2, min_count=2)
    >>> corpus.vocabulary.words, len(corpus), len(corpus.parts)
    (['the', 'sat'], 4, 2)
    """
    check_integer("parts", parts, minimum=1)
    check_conversion(lower, normalize)
    selection = WordSelection(min_count, max_vocab, include, exclude, counts)
    check_errors(errors)
    check_encoding(encoding)
    files = find_files(source)
    names = [file.name for file in files]
    warn_of_empty_files([file.name for file in files if not file.size], names)
    name = name_of_files(names)

    ranges = list(_ranges(files, encoding))
    indexed = [cluster.submit(_index_range, spans, lower, normalize, encoding, errors, returns=3) for spans in ranges]
    words = [one for one, _, _ in indexed]
    merged = words
    while len(merged) > 1:
        groups = [merged[i : i + MERGED] for i in range(0, len(merged), MERGED)]
        merged = [cluster.submit(_merge_words, *group)[0] if len(group) > 1 else group[0] for group in groups]
    sizes = [sum(span.end - span.begin for span in spans) for spans in ranges]
    _values_with_progress(cluster, "reading", [done for _, _, done in indexed], sizes)
    text = _as_indexed_text(_values(cluster, merged)[0])
    vocabulary, final = selection.select(text, name)
    kept = np.flatnonzero(final >= 0)
    word_counts = np.zeros(len(vocabulary), np.int64)
    word_counts[final[kept]] = text.counts[kept]

    known = cluster.put(_Known(_lines(text, kept), final[kept]))
    encoded = [
        cluster.submit(_encode_range, known, own, tokens, returns=2)
        for own, (_, tokens, _) in zip(words, indexed, strict=True)
    ]
    del indexed, words, merged
    known_ranges = _values_with_progress(cluster, "encoding", [one for _, one in encoded], sizes)
    sentences = _Sentences(cluster, [one for one, _ in encoded], known_ranges)
    bounds = piece_bounds(sentences.n_tokens, sentences.n_sentences, parts, sentences.starts_before)
    cut = frozenset(bounds[1:-1]).difference(sentences.known_starts)
    warn_of_oddities(vocabulary, sentences.n_tokens, sentences.n_sentences, text.counts, name)
    stored = _join_parts(cluster, sentences, bounds, parts)
    return DistributedCorpus(vocabulary, stored, parts, sentences.n_sentences, bounds, cut, word_counts)


class _Words(NamedTuple):
    """Distinct words in order of first appearance, and their counts."""

    text: np.ndarray
    """The words in UTF-8, each followed by a line feed: uint8 array."""
    counts: np.ndarray


class _Known(NamedTuple):
    """The words of the text that are in the vocabulary, and their ids."""

    text: np.ndarray
    """Like the text of `_Words`."""
    ids: np.ndarray


class _Range(NamedTuple):
    """What is known of an encoded range without its text."""

    n_tokens: int
    n_breaks: int
    """Number of tokens, other than the first one, that begin a line."""
    begins: bool
    """Whether there is a line feed before the first token."""
    ends: bool
    """Whether there is a line feed after the last token."""
    last_break: int
    """Index of the last token that begins a line, `n_tokens` if the range ends with a line feed, or -1."""


Tokens = tuple[np.ndarray, np.ndarray]
"""Ids of tokens (int32 array), and breaks: indices of the tokens that begin a line (int64 array)."""


def _index_range(
    get: Get, spans: list[Span], lower: bool, normalize: UnicodeForm | None, encoding: str, errors: Errors
) -> tuple[_Words, Tokens, None]:
    """Read a range, and return its words, its provisional ids and breaks, and a value that says that it is read."""
    blocks = _blocks(spans, encoding, errors)
    text = index_text(blocks, lower=lower, normalize=normalize, errors=errors, workers=1)
    words = _Words(_lines(text), text.counts)
    return words, text.provisional_ids(), None


def _merge_words(get: Get, *words: _Words) -> _Words:
    """Return the words of consecutive ranges without repetitions."""
    text = _index_words([one.text for one in words])
    counts = np.zeros(len(text.counts), np.int64)
    lines = _lines(text)
    np.add.at(counts, text.provisional_ids()[0], np.concatenate([one.counts for one in words]))
    return _Words(lines, counts)


def _encode_range(get: Get, known: _Known, words: _Words, tokens: Tokens) -> tuple[Tokens, _Range]:
    """Replace the provisional ids of a range with the final ones, and drop words."""
    text = _index_words([known.text, words.text])
    n_known = len(known.ids)
    numbers = text.provisional_ids()[0][n_known:]
    final = np.where(numbers < n_known, known.ids[np.minimum(numbers, n_known - 1)], np.int32(-1))
    ids, breaks = final_ids(*tokens, final)
    n = len(ids)
    begins, ends = bool(np.any(breaks[:1] == 0)), bool(np.any(breaks[-1:] == n))
    inside = len(breaks) - begins - (ends and n > 0)
    return (ids, breaks), _Range(n, inside, begins, ends, int(breaks[-1]) if len(breaks) else -1)


def _last_breaks(get: Get, tokens: Tokens, positions: np.ndarray) -> np.ndarray:
    """Return the last break up to each position in a range, or -1."""
    breaks = np.concatenate(([-1], tokens[1]))
    return breaks[np.searchsorted(breaks, positions, side="right") - 1]


def _cut_range(get: Get, tokens: Tokens, cuts: list[int]) -> tuple[Tokens, ...]:
    """Cut a range at positions between its first and its last token."""
    ids, breaks = tokens
    segments = []
    for start, stop in itertools.pairwise([0, *cuts, len(ids)]):
        first, last = np.searchsorted(breaks, [start, stop + (stop == len(ids))])
        segments.append((ids[start:stop].copy(), breaks[first:last] - start))
    return tuple(segments)


def _join_segments(get: Get, begins: list[bool], *segments: Tokens) -> tuple[Part, StoredPart]:
    """Join segments to a part. `begins` says which of them begin a piece, and thus a sentence."""
    ids, starts = [], [np.zeros(1, np.int64)]
    at = 0
    for (own, breaks), begins_piece in zip(segments, begins, strict=True):
        if begins_piece:
            starts.append(np.array([at]))
        ids.append(own)
        starts.append(breaks + at)
        at += len(own)
    starts.append(np.array([at]))
    offsets = np.concatenate(starts)
    offsets = offsets[np.diff(offsets, prepend=-1) > 0]
    part = Part(np.concatenate(ids), offsets)
    return part, describe(part)


class _Sentences:
    """Where the sentences of an encoded text begin."""

    def __init__(self, cluster: Cluster, tokens: list[Any], ranges: list[_Range]) -> None:
        self._cluster = cluster
        self.tokens = tokens
        """References to the ids and breaks of each range."""
        self.starts = np.cumsum([0, *(one.n_tokens for one in ranges)])
        """Index of the first token of each range, followed by the number of tokens."""
        self.n_tokens = int(self.starts[-1])
        between = {0, self.n_tokens}
        for one, start in zip(ranges, self.starts.tolist(), strict=False):
            between.update(([start] if one.begins else []) + ([start + one.n_tokens] if one.ends else []))
        self.n_sentences = sum(one.n_breaks for one in ranges) + len(between) - 1
        last = [start + one.last_break for one, start in zip(ranges, self.starts.tolist(), strict=False)]
        found = [position if one.last_break >= 0 else 0 for one, position in zip(ranges, last, strict=True)]
        self._last_starts = np.maximum.accumulate([0, *found])
        """The last break before each range."""
        self.known_starts: set[int] = set()
        """All results of `starts_before`."""

    def starts_before(self, positions: np.ndarray) -> np.ndarray:
        """Return the last start of a sentence up to each of some increasing positions."""
        where = np.searchsorted(self.starts, positions, side="right") - 1
        ranges = np.unique(where).tolist()
        found = [
            self._cluster.submit(_last_breaks, self.tokens[i], positions[where == i] - self.starts[i])[0]
            for i in ranges
        ]
        starts = [
            np.where(inside < 0, self._last_starts[i], inside + self.starts[i])
            for i, inside in zip(ranges, _values(self._cluster, found), strict=True)
        ]
        result = np.concatenate([np.zeros(0, np.int64), *starts])
        self.known_starts.update(result.tolist())
        return result


def _ranges(files: Sequence[TextFile], encoding: str) -> Iterator[list[Span]]:
    """Yield the parts of files that a task reads: one of a large file, or several small files."""
    spans: list[Span] = []
    n_bytes = 0
    for span in (span for file in files if file.size for span in spans_of(file, encoding, RANGE_BYTES)):
        size = span.end - span.begin
        if spans and n_bytes + size > RANGE_BYTES:
            yield spans
            spans, n_bytes = [], 0
        spans.append(span)
        n_bytes += size
    yield spans


def _blocks(spans: list[Span], encoding: str, errors: Errors) -> Iterator[TextBlock | FileBlock]:
    for span in spans:
        yield from blocks_of_span(span, encoding, errors)


def _index_words(lists: list[np.ndarray]) -> IndexedText:
    """Index lists of words in UTF-8 with line feeds."""
    blocks = (TextBlock(words.tobytes() + PADDING, "words", 0) for words in lists)
    return index_text(blocks, errors="strict", workers=1, short_bytes=SHORT_LIST_BYTES)


def _lines(text: IndexedText, indices: np.ndarray | None = None) -> np.ndarray:
    """Return words in UTF-8, each followed by a line feed."""
    if indices is None:
        indices = np.arange(len(text.counts))
    batches = [text.words(indices[i : i + DECODE_BATCH]) for i in range(0, len(indices), DECODE_BATCH)]
    return np.frombuffer(b"".join("\n".join([*words, ""]).encode() for words in batches), np.uint8)


def _as_indexed_text(words: _Words) -> IndexedText:
    """Return the words of a text and their counts without its tokens."""
    text = words.text.tobytes()
    ends = np.flatnonzero(words.text == ord("\n"))
    starts = np.concatenate(([0], ends[:-1] + 1))[: len(ends)]

    def decoded(indices: np.ndarray) -> list[str]:
        return [text[a:b].decode() for a, b in zip(starts[indices].tolist(), ends[indices].tolist(), strict=True)]

    return IndexedText(words.counts, decoded, [], [], final_ids)


def _join_parts(cluster: Cluster, sentences: _Sentences, bounds: list[int], parts: int) -> tuple[StoredPart, ...]:
    """Cut the ranges where pieces begin, and join the pieces of each part."""
    n_pieces = len(bounds) - 1
    segments: list[list[Any]] = [[] for _ in range(min(parts, n_pieces))]
    begins: list[list[bool]] = [[] for _ in segments]
    filled: set[int] = set()
    edges = np.array(bounds)
    for tokens, (start, stop) in zip(sentences.tokens, itertools.pairwise(sentences.starts.tolist()), strict=True):
        first = min(int(np.searchsorted(edges, start, side="right")), n_pieces) - 1
        cuts = (edges[first + 1 : np.searchsorted(edges, stop)] - start).tolist()
        cut = cluster.submit(_cut_range, tokens, cuts, returns=len(cuts) + 1) if cuts else [tokens]
        for piece, segment in enumerate(cut, first):
            segments[piece % parts].append(segment)
            begins[piece % parts].append(piece not in filled)
            filled.add(piece)
    joined = [
        cluster.submit(_join_segments, begins_piece, *of_part, returns=2)
        for of_part, begins_piece in zip(segments, begins, strict=True)
    ]
    known: list[StoredPart] = _values(cluster, [one for _, one in joined])
    return tuple(one._replace(reference=part) for one, (part, _) in zip(known, joined, strict=True))


def _values(cluster: Cluster, references: Sequence[Any]) -> list[Any]:
    """Wait for values, and return them."""
    while not cluster.wait(references, WAIT_SECONDS):
        pass
    return cluster.get(references)


def _values_with_progress(
    cluster: Cluster, description: str, references: Sequence[Any], sizes: Sequence[int]
) -> list[Any]:
    """Wait for the values of ranges, whose sizes in bytes are given, and return them."""
    values: list[Any] = []
    done = 0
    with Progress(description, sum(sizes), unit="bytes", delay=1) as progress:
        for reference, size in zip(references, sizes, strict=True):
            while not cluster.wait([reference], WAIT_SECONDS):
                progress.update(done)
            values += cluster.get([reference])
            done += size
            progress.update(done)
    return values
