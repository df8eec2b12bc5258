"""Arguments and options that commands share: type, help and the names of choices.

Defaults of training options come from `fastw2v.config.TrainingConfig`; the commands' signatures name them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fastw2v import config
from fastw2v.corpus import sources
from fastw2v.engines import selection

# Files of word vectors

VECTOR_FILES = ".safetensors, .npz, .bin, .txt, .vec or .glove (also .gz of the last four), or .tsv"
FormatName = Literal["safetensors", "bin", "txt", "glove", "npz", "projector", "static-embedding", "gensim"]
VectorFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help=f"Word vectors: {VECTOR_FILES}; a StaticEmbedding folder, or gensim's .kv.",
        show_default=False,
    ),
]
VectorOutput = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help=f"Where to write: {VECTOR_FILES}. .safetensors and .npz keep everything.",
    ),
]

# The corpus

CorpusFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="CORPUS",
        help="UTF-8 text, a sentence a line, words between spaces: files, folders or patterns; also .gz, .bz2, .xz, "
        ".zst, and - for standard input. Or one encoded corpus, .w2v.",
        show_default=False,
    ),
]
MinCount = Annotated[int, typer.Option(help="Leave out words that occur less often.")]
MaxVocab = Annotated[int | None, typer.Option(help="Take only this many words, the most frequent.")]
Include = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Take the words in this file, however rare they are.")
]
Exclude = Annotated[Path | None, typer.Option(metavar="FILE", help="Leave out the words in this file.")]
Counts = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Take words and counts from this file, a word and its count a line."),
]
Lower = Annotated[bool, typer.Option("--lower", help="Take words in lower case.")]
DecodingErrors = Annotated[
    sources.Errors,
    typer.Option(help="What to do with bytes that are not UTF-8: refuse, take U+FFFD for them, or drop them."),
]

# Training

Model = Annotated[
    config.Model, typer.Option(help="Predict a word from its neighbours (cbow), or each neighbour from the word.")
]
VectorSize = Annotated[int, typer.Option(help="Dimensions of a vector.")]
VectorSizeOrInit = Annotated[
    int | None,
    typer.Option(
        help="Dimensions of a vector.", show_default=f"{config.TrainingConfig.vector_size}, or those of --init"
    ),
]
Window = Annotated[int, typer.Option(help="Neighbours on each side, at most.")]
Negative = Annotated[int, typer.Option(help="Negative samples for each word.")]
NsExponent = Annotated[float, typer.Option(help="Negatives are drawn by counts to this power.")]
Sample = Annotated[float, typer.Option(help="Thin out words more frequent than this share; 0 keeps all.")]
Init = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Begin with these vectors for the words they have, not with random ones."),
]
Epochs = Annotated[int, typer.Option(help="Passes over the corpus.")]
Alpha = Annotated[
    float | None,
    typer.Option(
        help="Learning rate at the start; one that served gensim or word2vec.c serves here.",
        show_default="fitting the model",
    ),
]
MinAlpha = Annotated[float, typer.Option(help="Learning rate at the end.")]
CbowGrad = Annotated[
    config.CbowGrad | None,
    typer.Option(
        help="cbow: divide the gradient by the number of neighbours (mean), by less, or not (sum, as gensim).",
        show_default="balanced, or sum with --alpha",
    ),
]
Seed = Annotated[int, typer.Option(help="The same seed draws the same random numbers on every machine.")]
Workers = Annotated[int | None, typer.Option(help="Threads.", show_default="all cores")]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda|cuda:N", help="Where to train; cuda:1 is the second GPU.")]
Engine = Annotated[
    selection.EngineName, typer.Option(help="Fused kernels (fast), or layers (plain array code, everywhere).")
]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="Give the same bytes each time, on one thread or in a fixed order.")
]

# Output

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
TopN = Annotated[int, typer.Option("--topn", "-n", min=1, help="How many words to list.")]
