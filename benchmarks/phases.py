"""Time of each phase of ``fastw2v train``: ``python -m benchmarks.phases corpus.txt --epochs 5``.

The phases run in the same order as in ``fastw2v train``. Each phase is measured in wall-clock seconds and in processor
seconds. For the start of the interpreter, only processor seconds are known.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastw2v.config import Model


def main() -> None:
    at_start = time.process_time()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--model", choices=("cbow", "skipgram"), default="cbow")
    given = parser.parse_args()
    logging.getLogger("fastw2v").setLevel(logging.ERROR)  # the small warm-up corpus causes warnings
    rows: list[tuple[str, float, float]] = []

    def timed(name: str, phase: Callable[[], Any]) -> Any:
        clock, processors = time.perf_counter(), time.process_time()
        result = phase()
        rows.append((name, time.perf_counter() - clock, time.process_time() - processors))
        return result

    timed("import of the command line", _import_command_line)
    timed("import of NumPy and the library", _import_library)
    timed("import of Numba", _import_numba)
    timed("tokenizer, compiled or from the cache", _load_tokenizer)
    corpus = timed("reading, counting and indexing words", lambda: _read(given.corpus))
    timed("kernel, compiled or from the cache", lambda: _train(_sentences(), given.model, 1))
    vectors = timed("training", lambda: _train(corpus, given.model, given.epochs)).wv
    with tempfile.TemporaryDirectory() as folder:
        timed("writing", lambda: vectors.save(Path(folder, "vectors.safetensors")))

    print(f"{len(corpus):,} words, {len(corpus.vocabulary):,} of them distinct; {given.model}, {given.epochs} epochs")
    print(f"{'':44}{'clock s':>8}{'processor s':>12}")
    print(f"{'start of the interpreter':44}{'':8}{at_start:12.2f}")
    for name, clock, processors in rows:
        print(f"{name:44}{clock:8.2f}{processors:12.2f}")
    print(f"{'total':44}{sum(row[1] for row in rows):8.2f}{at_start + sum(row[2] for row in rows):12.2f}")


def _import_command_line() -> None:
    import typer  # noqa: F401


def _import_library() -> None:
    import fastw2v.cli
    import fastw2v.plot
    import fastw2v.word2vec  # noqa: F401


def _import_numba() -> None:
    import fastw2v.kernels.tokenizer  # noqa: F401


def _load_tokenizer() -> None:
    from fastw2v.corpus.indexer import WordTable
    from fastw2v.corpus.sources import PADDING

    WordTable(4).add(b"more words than it has room for \n" + PADDING, 0)


def _read(path: Path) -> Any:
    from fastw2v.corpus.corpus import Corpus

    return Corpus.from_text(path)


def _sentences() -> Any:
    from fastw2v.corpus.corpus import Corpus

    return Corpus.from_sentences([["some", "words", "to", "warm", "up", "with"]] * 20)


def _train(corpus: Any, model: Model, epochs: int) -> Any:
    from fastw2v.word2vec import Word2Vec

    return Word2Vec(model=model, epochs=epochs).fit(corpus, progress=lambda *_: None)


if __name__ == "__main__":
    main()
