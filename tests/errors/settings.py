"""Producers of errors in the section "Settings of training"."""

from __future__ import annotations

from typing import Any

from fastw2v import Corpus, Word2Vec, WordVectors, nn
from fastw2v.corpus import find_phrases
from fastw2v.distributed.costs import check_bandwidth
from fastw2v.utils.checks import check_type
from tests.errors.common import SENTENCES, Producer, corpus, model


def any_parameter(**parameters: Any) -> None:
    """Create a model with parameters that mypy would refuse."""
    Word2Vec(**parameters)


def after_the_block() -> None:
    with model().connect(2, ray="in-process") as connection:
        pass
    model().fit(SENTENCES, ray=connection)


def deterministic_with_threads() -> None:
    with model(workers=2).connect(1, ray="in-process") as connection:
        model(deterministic=True, workers=None).fit(SENTENCES, ray=connection)


def other_number_of_replicas() -> None:
    with model().connect(2, ray="in-process") as connection:
        model().fit(SENTENCES, replicas=3, ray=connection)


PRODUCERS: dict[str, list[Producer]] = {
    "… is …, but it has no effect without replicas; set replicas as well": [
        lambda: model().fit(SENTENCES, rounds=10),
        lambda: model().fit(SENTENCES, ray="local"),
    ],
    "ray is …; it must be 'in-process', 'local', 'auto' or the address of a Ray cluster": [
        lambda: model().fit(SENTENCES, replicas=2, ray=""),
    ],
    "ray is a connection that has ended; call fit inside the with block of connect": [
        after_the_block,
    ],
    "deterministic is True, but the replicas of the connection have … threads; set workers=1 in the model that connects": [
        deterministic_with_threads,
    ],
    "device is …, but each replica has a GPU of its own; set device='cuda'": [
        lambda: model(device="cuda:1").fit(SENTENCES, replicas=2),
    ],
    "replicas is …, but ray is a connection for …; omit replicas": [
        other_number_of_replicas,
    ],
    "output_weight is …, but with subwords the vectors are means of rows of W_in; omit output_weight": [
        lambda: Word2Vec(subwords=(3, 6), output_weight=0.4),
    ],
    "subwords is …; it must be None, or the lengths of the shortest and the longest n-grams, such as (3, 6)": [
        lambda: any_parameter(subwords=3),
        lambda: any_parameter(subwords="3-6"),
    ],
    "subwords is (…, …); n-grams must have at least one unit": [
        lambda: Word2Vec(subwords=(0, 6)),
    ],
    "subwords is (…, …); n-grams may have at most 1,000 units": [
        lambda: Word2Vec(subwords=(3, 3_000_000_000)),
    ],
    "units is …, but there are no n-grams; set subwords as well, such as (3, 6), or omit units": [
        lambda: Word2Vec(units="jamo"),
    ],
    "hash_count is …, but there are no n-grams to hash; set subwords as well, such as (4, 5)": [
        lambda: Word2Vec(hash_count=2),
    ],
    "subwords is (…, …), so the shortest n-grams are longer than the longest; the first number must be at most the second": [
        lambda: Word2Vec(subwords=(6, 3)),
    ],
    "… is …; it must be at least …": [
        lambda: Word2Vec(window=0),
        lambda: Word2Vec(epochs=-1),
        lambda: Corpus.from_lines(["the cat"], workers=0),
    ],
    "… is … of type …; it must be a whole number": [
        lambda: any_parameter(epochs=2.5),
    ],
    "… is … of type …; it must be a number": [
        lambda: any_parameter(alpha="0.05"),
    ],
    "… is …; it must lie between … and …": [
        lambda: Word2Vec(sample=2.0),
        lambda: Word2Vec(ns_exponent=-3),
    ],
    "… is …; it must be finite and at least …": [
        lambda: nn.SGD(lr=-1),
    ],
    "… is …; it must be finite": [
        lambda: find_phrases(corpus(), threshold=float("nan")),
    ],
    "… is … of type …; it must be True or False": [
        lambda: any_parameter(deterministic="no"),
    ],
    "… is …; it must be … or …": [
        lambda: any_parameter(model="glove"),
        lambda: any_parameter(loss="softmax"),
        lambda: any_parameter(quality="good"),
        lambda: any_parameter(engine="numba"),
    ],
    "… is … of type …; pass …": [
        lambda: check_type("delimiter", 7, str, "a string"),
        lambda: WordVectors.load(7),
        lambda: model().fit(SENTENCES, progress=True),
        lambda: Corpus.from_sentences(SENTENCES, include="cat"),
    ],
    "… is …, which cannot be a path; pass the name of a file": [
        lambda: WordVectors.load("x" * 300),
    ],
    "… is not a parameter of …; …": [
        lambda: any_parameter(size=100),
        lambda: any_parameter(windw=5),
        lambda: any_parameter(colour=5),
    ],
    "… is not a parameter of Word2Vec; …": [
        lambda: Word2Vec().set_params(windw=5),
    ],
    "… takes keyword arguments only, but … has no name; …": [
        lambda: Word2Vec(SENTENCES),
    ],
    "output_weight is …, but with loss='hs' the words have no output vectors; omit output_weight, or use loss='hs+ns'": [
        lambda: Word2Vec(loss="hs", output_weight=0.4),
    ],
    "alpha is … and min_alpha is …; alpha must not be below min_alpha": [
        lambda: Word2Vec(alpha=0.01, min_alpha=0.02),
    ],
    "min_alpha is …, but the default initial learning rate is …; lower min_alpha, or set alpha as well": [
        lambda: Word2Vec(min_alpha=0.9),
    ],
    "deterministic is True, but workers is …; several workers update shared rows without locks. Omit workers or set it to 1": [
        lambda: Word2Vec(deterministic=True, workers=2),
    ],
    "sample is …; it must be a number from 0 to 1, or 'auto'": [
        lambda: any_parameter(sample="none"),
    ],
    "callbacks contains …, which is not callable; pass functions that accept an event and a model. fastw2v.compat.gensim.Word2Vec accepts gensim's callbacks": [
        lambda: any_parameter(callbacks=[7]),
    ],
    "… is …; it must be a number of seconds, or a duration such as '30s', '10m' or '2h'": [
        lambda: model().fit(SENTENCES, checkpoint="run", checkpoint_every=[5]),
    ],
    "… is …; it must be a number of seconds, or a duration such as '30s', '10m' or '2h', and more than 0": [
        lambda: model().fit(SENTENCES, checkpoint="run", checkpoint_every="5d"),
    ],
    "bandwidth is …; it must be a number of bits per second with a unit, such as '100Mbit' or '10Gbit'": [
        lambda: check_bandwidth(10**9, None, None),
    ],
    "bandwidth is …; it must be a number of bits per second with a unit, such as '100Mbit' or '10Gbit', and more than 0": [
        lambda: model().estimate(SENTENCES, replicas=2, bandwidth="1GB"),
    ],
    "bandwidth is …, but it has no effect without replicas; set replicas as well": [
        lambda: model().estimate(SENTENCES, bandwidth="1Gbit"),
    ],
    "bandwidth is …, but ray is …, and so all replicas run on this machine; omit ray to plan for a machine like this one for each replica, or omit bandwidth": [
        lambda: model().estimate(SENTENCES, replicas=2, ray="in-process", bandwidth="1Gbit"),
    ],
}
