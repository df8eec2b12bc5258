"""floret's table, which spaCy reads: a header with the settings of the n-grams, then the rows of all buckets as text.

The file contains no words. The vector of any word is the mean of the rows of the word and of its n-grams.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastw2v.backend import to_host
from fastw2v.corpus.subwords import BEGIN, END, HASH_SEED
from fastw2v.formats.fileio import FormatError, cast, check_units
from fastw2v.formats.record import VectorRecord
from fastw2v.formats.word2vec_text import format_rows
from fastw2v.utils.output_file import open_for_writing

__all__ = ["write_floret"]


def write_floret(record: VectorRecord, path: Path) -> None:
    """Write the rows of n-grams as floret does.

    Parameters
    ----------
    record : VectorRecord
        Its subwords must be those of floret.
    path : Path
        The file is compressed if the name ends in ``.gz``, ``.bz2``, ``.xz`` or ``.zst``.

    Raises
    ------
    FormatError
        If there are no subwords of floret, their units are not characters, or a value is too large for float32.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.corpus.subwords import NGrams, Subwords
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.floret import write_floret
    >>> subwords = Subwords(["am"], NGrams(min_n=3, max_n=6, bucket=2, hash_count=1))
    >>> W_in = np.array([[0.5], [1.0]])
    >>> write_floret(VectorRecord(["am"], None, input_vectors=W_in, subwords=subwords), Path("am.floret"))
    >>> print(Path("am.floret").read_text())
    2 1 3 6 1 2166136261 < >
    0 0.5
    1 1.0
    """
    subwords = record.subwords
    if subwords is not None:
        check_units(subwords.ngrams.units, path)
    if subwords is None or subwords.ngrams.hash_count is None:
        raise FormatError(
            f"{path}: a floret table stores vectors that were trained with floret's n-grams, which these vectors do "
            "not have; write .safetensors or .txt"
        )
    matrix = cast(to_host(record.input_vectors), np.dtype("<f4"), path)
    ngrams = subwords.ngrams
    header = (*matrix.shape, ngrams.min_n, ngrams.max_n, ngrams.hash_count, HASH_SEED, BEGIN.decode(), END.decode())
    with open_for_writing(path) as file:
        file.write(" ".join(map(str, header)).encode() + b"\n")
        for bucket, numbers in enumerate(format_rows(matrix)):
            file.write(b"%d" % bucket + numbers + b"\n")
