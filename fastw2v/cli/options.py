"""Arguments and options shared by several commands: their types, choices and help texts.

The signatures of the commands set the defaults of training options, which come from `fastw2v.config.TrainingConfig`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fastw2v import config
from fastw2v.corpus import sources
from fastw2v.distributed import training
from fastw2v.engines import selection

# Panels of the help texts, in which the options that belong together are shown

MODEL = "Model"
TEXT = "Text and vocabulary"
START = "Initial vectors"
TRAINING = "Training"
HARDWARE = "Hardware"
SUBWORDS = "Subwords"
RECORDS = "Validation, logs and checkpoints"
MACHINES = "Several machines"

# Files of word vectors

VECTOR_FILES = ".safetensors, .npz, .tsv, .bin, .txt, .vec or .glove (the last four also with .gz, .bz2, .xz or .zst)"
VECTOR_INPUTS = f"{VECTOR_FILES}, a fastText model, a StaticEmbedding folder, or gensim's .kv; or its https:// URL."
FormatName = Literal[
    "safetensors", "bin", "txt", "glove", "npz", "projector", "static-embedding", "fasttext", "floret", "gensim"
]
VectorFile = Annotated[
    str,  # Path would shorten the // of a URL
    typer.Argument(
        metavar="FILE",
        help=f"Word vectors: {VECTOR_INPUTS}",
        show_default=False,
    ),
]
VectorOutput = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help=f"File to write: {VECTOR_FILES}. Only .safetensors and .npz store all data.",
    ),
]
WordEncoding = Annotated[str, typer.Option(metavar="NAME", help="Encoding of the words in IN.")]
DuplicateWords = Annotated[
    Literal["error", "first"],
    typer.Option(help="How to handle a word that occurs more than once: stop with an error, or keep its first vector."),
]

# The corpus

CorpusFiles = Annotated[
    list[str],  # Path would replace an empty argument, such as that of an unset variable, with the current folder
    typer.Argument(
        metavar="CORPUS",
        help="Text with one sentence per line and spaces between words: files (also .gz, .bz2, .xz or .zst), "
        "folders, glob patterns, or - for standard input. Alternatively, one encoded corpus (.w2v).",
        show_default=False,
    ),
]
MinCount = Annotated[
    int, typer.Option(help="Ignore words that occur fewer times than this number.", rich_help_panel=TEXT)
]
MaxVocab = Annotated[
    int | None,
    typer.Option(help="Maximum size of the vocabulary. The most frequent words are kept.", rich_help_panel=TEXT),
]
Include = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Keep the words in this file, however rare they are.", rich_help_panel=TEXT),
]
Exclude = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Ignore the words in this file.", rich_help_panel=TEXT)
]
Counts = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Read the vocabulary from this file, with one word and its count per line.",
        rich_help_panel=TEXT,
    ),
]
Lower = Annotated[bool, typer.Option("--lower", metavar="", help="Convert words to lower case.", rich_help_panel=TEXT)]
Normalize = Annotated[
    config.UnicodeForm | None,
    typer.Option(
        help="Convert words to this Unicode form, so that equal letters have equal code points.",
        show_default="as in the text",
        rich_help_panel=TEXT,
    ),
]
Encoding = Annotated[
    str, typer.Option(metavar="NAME", help="Encoding of the text, such as cp949 or latin-1.", rich_help_panel=TEXT)
]
DecodingErrors = Annotated[
    sources.Errors,
    typer.Option(
        help="How to handle bytes that are invalid in the encoding: stop with an error, replace them with U+FFFD, or "
        "ignore them.",
        rich_help_panel=TEXT,
    ),
]

# Training

Model = Annotated[
    config.Model,
    typer.Option(
        help="Predict a word from its neighbours (cbow), or the neighbours from the word (skipgram).",
        rich_help_panel=MODEL,
    ),
]
Loss = Annotated[
    config.Loss,
    typer.Option(
        help="Train with negative sampling (ns), with hierarchical softmax (hs), or with both (hs+ns).",
        rich_help_panel=MODEL,
    ),
]
Quality = Annotated[
    config.Quality,
    typer.Option(
        help="Prefer speed (fast) or better vectors (best). This sets the defaults of --epochs and --negative, and how "
        "many words share their negative samples.",
        rich_help_panel=MODEL,
    ),
]
VectorSize = Annotated[int, typer.Option(help="Number of dimensions of the vectors.", rich_help_panel=MODEL)]
VectorSizeOrInit = Annotated[
    int | None,
    typer.Option(
        help="Number of dimensions of the vectors.",
        show_default=f"{config.TrainingConfig.vector_size}, or that of --init",
        rich_help_panel=MODEL,
    ),
]
Window = Annotated[
    int, typer.Option(help="Maximum number of neighbours on each side of a word.", rich_help_panel=MODEL)
]
Negative = Annotated[
    int | None,
    typer.Option(
        help="Number of negative samples per word. It has no effect with --loss hs.",
        show_default=f"{config.NEGATIVE['balanced']}, or {config.NEGATIVE['best']} with --quality best",
        rich_help_panel=MODEL,
    ),
]
NsExponent = Annotated[
    float,
    typer.Option(
        help="Draw negative samples in proportion to word counts raised to this power.", rich_help_panel=MODEL
    ),
]
Sample = Annotated[
    float | None,
    typer.Option(
        help="Subsample words whose relative frequency is above this threshold; 0 keeps all words.",
        show_default="0.001, or 0.0001 with --subwords; at least 1 / V for a vocabulary of V words",
        rich_help_panel=MODEL,
    ),
]
Init = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="File or URL of initial vectors. Words that are not in this file start from random vectors, or with "
        "--subwords from those of their n-grams.",
        rich_help_panel=START,
    ),
]
Freeze = Annotated[
    str | None,
    typer.Option(
        metavar="init|FILE",
        help="Keep the vectors of some words unchanged: of the words in --init, or of the words in this file.",
        rich_help_panel=START,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        help="Number of passes over the corpus.",
        show_default=f"{config.EPOCHS['balanced']}, or {config.EPOCHS['best']} with --quality best",
        rich_help_panel=TRAINING,
    ),
]
Alpha = Annotated[
    float | None,
    typer.Option(
        help="Initial learning rate, on the same scale as in gensim and word2vec.c.",
        show_default="depends on the model and the corpus",
        rich_help_panel=TRAINING,
    ),
]
MinAlpha = Annotated[float, typer.Option(help="Final learning rate.", rich_help_panel=TRAINING)]
CbowGrad = Annotated[
    config.CbowGrad | None,
    typer.Option(
        help="For cbow, divide the gradient by the number of neighbours (mean), by that number to the power 3/4 "
        "(balanced), or not at all (sum, as in gensim).",
        show_default="balanced, or sum with --alpha",
        rich_help_panel=MODEL,
    ),
]
OutputWeight = Annotated[
    float | None,
    typer.Option(
        help="Weight c of the output matrix in the vectors W_in + c * W_out, from 0 to 1.",
        show_default=f"{config.OUTPUT_WEIGHT} for cbow with --loss ns, otherwise 0",
        rich_help_panel=MODEL,
    ),
]
Subwords = Annotated[
    str | None,
    typer.Option(
        metavar="MIN-MAX",
        help="Learn n-grams of these lengths, such as 3-6 characters, as fastText does. Words outside the vocabulary "
        "have vectors then.",
        rich_help_panel=SUBWORDS,
    ),
]
Bucket = Annotated[
    int | None,
    typer.Option(
        help="Number of buckets to which the n-grams are hashed.",
        show_default=f"{config.BUCKET:,}, or {config.FLORET_BUCKET:,} with --hash-count",
        rich_help_panel=SUBWORDS,
    ),
]
HashCount = Annotated[
    int | None,
    typer.Option(
        help="Share one table of --bucket rows among words and n-grams, with this number of rows each, from 1 to 4, as "
        "floret does.",
        rich_help_panel=SUBWORDS,
    ),
]
Units = Annotated[
    config.Units,
    typer.Option(
        help="Units of the n-grams: characters (code points, as in fastText) or, for Korean, syllables or jamo (three "
        "letters each).",
        rich_help_panel=SUBWORDS,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        help="Random seed. The same seed gives the same random numbers on every machine.", rich_help_panel=TRAINING
    ),
]
Workers = Annotated[
    int | None, typer.Option(help="Number of threads.", show_default="all cores", rich_help_panel=HARDWARE)
]
Device = Annotated[
    str,
    typer.Option(
        metavar="auto|cpu|cuda|cuda:N",
        help="Device to use. auto: a GPU if there is one. cuda:1: the second GPU.",
        rich_help_panel=HARDWARE,
    ),
]
Engine = Annotated[
    selection.EngineName,
    typer.Option(
        help="Compiled kernels (fused, faster), or array code that runs everywhere (layers).", rich_help_panel=HARDWARE
    ),
]
Deterministic = Annotated[
    bool,
    typer.Option(
        "--deterministic",
        metavar="",
        help="Make repeated runs write identical files, by using one thread on a CPU or the layers engine on a GPU.",
        rich_help_panel=TRAINING,
    ),
]

Validation = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|SHARE",
        help="Measure the loss on the text in this file, or on this share of the sentences, which are then not trained "
        "on. The vectors are those with the lowest loss.",
        rich_help_panel=RECORDS,
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        help="Stop early after this number of measurements in a row without a new lowest validation loss.",
        rich_help_panel=RECORDS,
    ),
]
Log = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write the losses, the learning rate and the speed to this file as JSON lines.",
        rich_help_panel=RECORDS,
    ),
]

Checkpoint = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Write checkpoints to this new folder, from which fastw2v resume continues the training.",
        rich_help_panel=RECORDS,
    ),
]
CheckpointEvery = Annotated[
    str,
    typer.Option(metavar="TIME", help="Time between two checkpoints, such as 30s, 10m or 2h.", rich_help_panel=RECORDS),
]
MaxTime = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Stop after this time, such as 30s, 10m or 2h, and keep what was trained. The exit status is then 124.",
        rich_help_panel=TRAINING,
    ),
]
Replicas = Annotated[
    int | None,
    typer.Option(
        help="Train this number of replicas, each on its part of the corpus, and combine them after each round. "
        "--workers is then the number of threads of a replica, and each replica has a GPU with --device cuda.",
        rich_help_panel=MACHINES,
    ),
]
Rounds = Annotated[
    int | None,
    typer.Option(
        help="Number of times that the replicas are combined during training.",
        show_default=f"{training.ROUNDS_PER_PAIR} for each pair of replicas, at most {training.MAX_ROUNDS}",
        rich_help_panel=MACHINES,
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="in-process|local|ADDRESS",
        help="Where the replicas run: in this process, in processes that Ray starts on this machine, or on the Ray "
        "cluster with this address, such as 10.0.0.5:6379.",
        show_default="local",
        rich_help_panel=MACHINES,
    ),
]
Bandwidth = Annotated[
    str | None,
    typer.Option(
        metavar="RATE",
        help="Bandwidth between two machines, such as 100Mbit or 10Gbit. Without --ray, plan for machines like this "
        "one, one for each replica.",
        show_default="measured between two nodes of --ray, or 10Gbit",
        rich_help_panel=MACHINES,
    ),
]
RunFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder that was given as --checkpoint.", show_default=False)
]

# Output

AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON instead of tables.")]
TopN = Annotated[int, typer.Option("--topn", "-n", min=1, help="Number of words to list.")]

MapMethod = Annotated[
    Literal["auto", "pca", "opentsne", "pacmap", "umap", "tsne"],
    typer.Option(
        help="Projection to two dimensions. All but pca require a package: openTSNE, pacmap, umap-learn or "
        "scikit-learn (tsne). auto selects the best one that is installed."
    ),
]
