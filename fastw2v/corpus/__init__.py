"""Corpora: text files, columns of strings, token lists and graph walks, encoded as integer ids."""

from fastw2v.corpus.corpus import Corpus, as_corpus
from fastw2v.corpus.hangul import to_jamo
from fastw2v.corpus.phrases import ENGLISH_CONNECTOR_WORDS, Phrases, find_phrases, join_phrases
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.corpus.vocabulary import Vocabulary

__all__ = [
    "ENGLISH_CONNECTOR_WORDS",
    "Corpus",
    "NGrams",
    "Phrases",
    "Subwords",
    "Vocabulary",
    "as_corpus",
    "find_phrases",
    "join_phrases",
    "to_jamo",
]
