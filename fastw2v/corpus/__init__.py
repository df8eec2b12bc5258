"""Corpora: from files, columns and graph walks to integer ids, in bounded memory."""

from fastw2v.corpus.corpus import Corpus, as_corpus
from fastw2v.corpus.phrases import ENGLISH_CONNECTOR_WORDS, Phrases, find_phrases, join_phrases
from fastw2v.corpus.vocabulary import Vocabulary

__all__ = [
    "ENGLISH_CONNECTOR_WORDS",
    "Corpus",
    "Phrases",
    "Vocabulary",
    "as_corpus",
    "find_phrases",
    "join_phrases",
]
