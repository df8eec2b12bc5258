"""Producers of errors in the section "Interfaces of gensim, word2vec.c, fastText and the textbook"."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.compat import gensim, textbook
from tests.errors.common import SENTENCES, Producer, fastw2v, vectors, write

SETTINGS: dict[str, Any] = {"vector_size": 4, "negative": 2, "epochs": 1, "engine": "layers", "min_count": 1}
MATRIX = np.array([[1.0, 2.0], [3.0, 4.0]])
PARAMS: dict[str, Any] = {"word_vecs": MATRIX, "word_to_id": {"you": 0, "say": 1}, "id_to_word": {0: "you", 1: "say"}}


def keyed(**settings: Any) -> gensim.KeyedVectors:
    return gensim.KeyedVectors(["cat", "dog"], MATRIX, **settings)


def model(**settings: Any) -> gensim.Word2Vec:
    return gensim.Word2Vec(SENTENCES, **SETTINGS | settings)


def fasttext(**settings: Any) -> gensim.FastText:
    return gensim.FastText(SENTENCES, bucket=100, **SETTINGS | settings)


def changed_fasttext(at: int, value: int) -> str:
    """Write a model of fastText with another number in its header."""
    gensim.save_facebook_model(fasttext(), "a.bin")
    data = Path("a.bin").read_bytes()
    return write("a.bin", data[:at] + value.to_bytes(4, "little") + data[at + 4 :])


def without_output_matrix() -> None:
    trained = model()
    trained.wv.context_vectors = None
    trained.predict_output_word(["cat"])


def book_pickle(**changes: Any) -> None:
    """Read a pickle like that of the book with other values; None removes one."""
    params = {name: value for name, value in (PARAMS | changes).items() if value is not None}
    textbook.load_textbook_pickle(write("a.pkl", pickle.dumps(params)))


def no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    trainer().plot()


def trainer() -> textbook.Trainer:
    ids = np.array([0, 1, 2, 3, 0])
    made = textbook.Trainer(textbook.CBOW(4, 8, 1, ids), textbook.SGD())
    made.loss_history.append((1.0, 2.0))
    return made


def saved() -> str:
    vectors().save("a.txt")
    return "a.txt"


def set_gpu() -> None:
    textbook.config.GPU = True


def load_with_counts(counts: str) -> None:
    write("counts.txt", counts)
    gensim.KeyedVectors.load_word2vec_format(saved(), fvocab="counts.txt")


def repeated_word() -> None:
    """Load parameters of the book whose words are not distinct."""
    from safetensors.numpy import save_file

    tensors = {"vectors": MATRIX, "words": np.frombuffer(b"aa", np.uint8), "word_offsets": np.arange(3)}
    save_file(tensors, "a.safetensors", {"format": "fastw2v", "version": "1"})
    textbook.load_params("a.safetensors")


PRODUCERS: dict[str, list[Producer]] = {
    "… object has no attribute …; …": [
        lambda: keyed().vocab,
        lambda: model().syn0,
        lambda: fasttext().wv.adjust_vectors,
        lambda: model().fit(SENTENCES).syn1,
        lambda: model(hs=1, negative=0).fit(SENTENCES).syn1neg,
    ],
    "the model in … has subwords that … does not have; use the same method of …": [
        lambda: fasttext().save("a.model") or gensim.Word2Vec.load("a.model"),
    ],
    "word_ngrams is …, but n-grams of words are not supported; use word_ngrams=1": [
        lambda: fasttext(word_ngrams=2),
    ],
    "…: the model was trained …, which is not supported, so training cannot be continued; use load_facebook_vectors": [
        lambda: gensim.load_facebook_model(changed_fasttext(32, 3)),
        lambda: gensim.load_facebook_model(changed_fasttext(36, 3)),
    ],
    "…: cannot read this fastText model: … is …; it must be at least …": [
        lambda: gensim.load_facebook_model(changed_fasttext(12, 0)),
    ],
    "…: this is not a model of fastText; use KeyedVectors.load, or another file": [
        lambda: gensim.load_facebook_vectors(saved()),
    ],
    "encoding is …, but fastText computes n-grams from words in UTF-8; omit encoding": [
        lambda: gensim.save_facebook_model(fasttext(), "a.bin", encoding="latin-1"),
    ],
    "'KeyedVectors' object has no attribute …": [
        lambda: keyed().no_such_name,
    ],
    "words have no attribute …; they have only 'count'": [
        lambda: keyed(counts=[2, 1]).get_vecattr("cat", "colour"),
    ],
    "indexer is …, but must be None; call vectors.index().most_similar() instead": [
        lambda: keyed().most_similar("cat", indexer="annoy"),
    ],
    "most_similar_to_given: keys_list is empty; give at least one word": [
        lambda: keyed().most_similar_to_given("cat", []),
    ],
    "vector_1 is …; it must be an array of shape (…,)": [
        lambda: keyed().cosine_similarities([1.0], MATRIX),
    ],
    "ignore is …, but all attributes are stored; leave ignore empty": [
        lambda: keyed().save("a.kv", ignore=["vectors"]),
        lambda: model().save("a.model", ignore=["syn1neg"]),
    ],
    "append is True, but appending is not supported; write to a new file": [
        lambda: keyed().save_word2vec_format("a.txt", append=True),
    ],
    "total_vec is …, but all … vectors are written; omit total_vec": [
        lambda: keyed().save_word2vec_format("a.txt", total_vec=9),
    ],
    "write_header is False, but a binary file needs its header; use binary=False": [
        lambda: keyed().save_word2vec_format("a.bin", binary=True, write_header=False),
    ],
    'there are no counts to write to fvocab (sort_attr is …); counts are written only if the vectors have counts and sort_attr is "count"': [
        lambda: keyed().save_word2vec_format("a.txt", fvocab="counts.txt"),
    ],
    "datatype is …; pass a dtype, such as np.float32": [
        lambda: gensim.KeyedVectors.load_word2vec_format(saved(), datatype="large"),
    ],
    "… has no count for … of the words, such as …; omit fvocab": [
        lambda: load_with_counts("the 3\n"),
    ],
    "similarity_function is …; it must be one of …": [
        lambda: keyed().evaluate_word_analogies(write("a.txt", "cat dog cat dog\n"), similarity_function="cosine"),
    ],
    "…: the vocabulary covers … of … pairs; a correlation needs at least two": [
        lambda: keyed().evaluate_word_pairs(write("a.txt", "cat\tdog\t3\nsun\tmoon\t4\n")),
    ],
    "encoding is …, but must be UTF-8; convert the file first, for example with iconv": [
        lambda: keyed().evaluate_word_pairs("a.txt", encoding="latin-1"),
    ],
    "hs is 0 and negative is 0, so nothing would be trained; use negative=5, or hs=1 for hierarchical softmax": [
        lambda: model(negative=0),
    ],
    "… is …, but the sum of contexts is not supported; use their mean (cbow_mean=1)": [
        lambda: model(cbow_mean=0),
    ],
    "… is …, but words are counted exactly; limit the vocabulary with max_final_vocab": [
        lambda: model(max_vocab_size=9),
    ],
    "trim_rule is …, but …": [
        lambda: model(trim_rule=print),
        lambda: gensim.Word2Vec(**SETTINGS).build_vocab(SENTENCES, trim_rule=print),
    ],
    "… is …, but null words are not supported; use null_word=0": [
        lambda: model(null_word=1),
    ],
    "… is …, but words are always sorted by descending count; use sorted_vocab=1": [
        lambda: model(sorted_vocab=0),
    ],
    "callbacks contains …, which lacks methods of CallbackAny2Vec; make it a subclass": [
        lambda: model(callbacks=[print]),
    ],
    "… is … and … is …; … must not be below …": [
        lambda: model().train(SENTENCES, total_examples=40, epochs=1, start_alpha=0.01, end_alpha=0.02),
        lambda: model().train(SENTENCES, total_examples=40, epochs=1, end_alpha=9.0),
    ],
    "the model has no output matrix to predict words from; call fit() first": [
        without_output_matrix,
    ],
    "score needs a model that was trained with hierarchical softmax; use hs=1": [
        lambda: model().fit(SENTENCES).score(SENTENCES),
    ],
    "there is no training loss yet; call fit() or train() first": [
        lambda: gensim.Word2Vec(**SETTINGS).get_latest_training_loss(),
    ],
    "give either … or corpus_file, but not both": [
        lambda: gensim.Word2Vec(**SETTINGS).build_vocab(),
    ],
    "…; see fastw2v word2vec --help": [
        lambda: fastw2v("word2vec", "-train", "a.txt", "-output", "a.bin", "-size", "x"),
        lambda: fastw2v("word2vec", "-output", "a.bin"),
    ],
    "-hs is 0 and -negative is 0, so nothing would be trained; use -negative 5, or -hs 1 for hierarchical softmax": [
        lambda: fastw2v("word2vec", "-train", "a.txt", "-output", "a.bin", "-negative", "0"),
    ],
    "…; see fastw2v fasttext --help": [
        lambda: fastw2v("fasttext", "cbow", "-input", "a.txt"),
    ],
    "the command … of fastText is not supported; use cbow, skipgram, print-word-vectors or print-sentence-vectors. To query vectors, use the commands of fastw2v, such as most-similar": [
        lambda: fastw2v("fasttext", "supervised", "-input", "a.txt", "-output", "a"),
    ],
    "-loss is …, which is not supported; use ns or hs": [
        lambda: fastw2v("fasttext", "cbow", "-input", "a.txt", "-output", "a", "-loss", "softmax"),
    ],
    "-saveOutput needs -loss ns, because with hs the words have no output vectors; omit it": [
        lambda: fastw2v("fasttext", "cbow", "-input", "a.txt", "-output", "a", "-loss", "hs", "-saveOutput"),
    ],
    "-wordNgrams is …, which is only for classifiers; omit it": [
        lambda: fastw2v("fasttext", "cbow", "-input", "a.txt", "-output", "a", "-wordNgrams", "2"),
    ],
    "-minn is … and -maxn is …; -minn must be at most -maxn. -maxn 0 trains without n-grams": [
        lambda: fastw2v("fasttext", "cbow", "-input", "a.txt", "-output", "a", "-minn", "7"),
    ],
    "-classes … selects word classes, which are not supported; omit -classes and cluster the vectors afterwards, for example with sklearn.cluster.KMeans": [
        lambda: fastw2v("word2vec", "-train", "a.txt", "-output", "a.bin", "-classes", "500"),
    ],
    "config.GPU cannot be set, because a model is created on the device of its corpus; to use a GPU, call corpus, contexts, target = to_gpu(corpus), to_gpu(contexts), to_gpu(target)": [
        set_gpu,
    ],
    "corpus has word ids from … to …; with vocab_size=… they must lie in 0..…": [
        lambda: textbook.create_co_matrix(np.array([0, 7]), vocab_size=3),
    ],
    "there is no loss to plot yet; call fit() first": [
        lambda: textbook.Trainer(textbook.CBOW(4, 8, 1, np.array([0, 1, 2, 3])), textbook.SGD()).plot(),
    ],
    "plots need matplotlib. Install it with pip install 'fastw2v[plot]'": [
        no_matplotlib,
    ],
    "…: this looks like a pickle; read the book's pickle with load_textbook_pickle": [
        lambda: textbook.load_params(write("a.pkl", pickle.dumps(PARAMS))),
    ],
    "…: the word … occurs twice, in rows … and …; words must be distinct": [
        repeated_word,
    ],
    "…: refused, because it is not a pickle of the book's parameters: it is not a dictionary of word_vecs, word_to_id and id_to_word": [
        lambda: book_pickle(word_vecs=None),
    ],
    "…: refused, because it is not a pickle of the book's parameters: word_vecs is …": [
        lambda: book_pickle(word_vecs=MATRIX[0]),
        lambda: book_pickle(word_vecs=MATRIX.astype(int)),
    ],
    "…: refused, because it is not a pickle of the book's parameters: word_to_id or id_to_word is not a dictionary": [
        lambda: book_pickle(id_to_word=["you", "say"]),
    ],
    "…: refused, because it is not a pickle of the book's parameters: word_to_id and id_to_word disagree on id …; each must be the inverse of the other": [
        lambda: book_pickle(id_to_word={0: "say", 1: "you"}),
    ],
    "…: refused, because it is not a pickle of the book's parameters: word_to_id has … entries, id_to_word has … entries and word_vecs has … rows; the numbers must be equal": [
        lambda: book_pickle(id_to_word={0: "you"}),
    ],
    "…: refused, because it is not a pickle of the book's parameters: it refers to …": [
        lambda: book_pickle(word_vecs=print),
    ],
}
