"""Running systems in the benchmarks and judging their vectors: processes, texts, quality and rejections."""

from __future__ import annotations

import lzma
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.measure import Options, Row, Wrong
from benchmarks.suites import pipeline
from benchmarks.systems import peers, quality, texts
from fastw2v.engines import cpu
from fastw2v.vectors.word_vectors import WordVectors

PROGRAM = """#!{python}
import sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert given["-alpha"] == "0.025" and given["-cbow"] == "0" and given["-train"] == "text.txt", given
print("Vocab size: 2", flush=True)
print("Alpha: 0.02", end="", flush=True)
open(given["-output"], "wb").write(b"1 1\\nx \\0\\0\\0\\0\\n")
"""


def options(folder, **others) -> Options:
    return Options(folder=folder, quick=True, **others)


class TestProcesses:
    def test_time_and_memory_are_the_process_own(self, tmp_path):
        big = np.ones(100_000_000, np.uint8)  # memory of this process, not of the measured process
        script = (
            "import time; b = bytearray(b'x') * 50_000_000; print('BEGIN', flush=True); time.sleep(.2);"
            "print('END', flush=True); time.sleep(.1)"
        )
        trained, output = peers.run([sys.executable, "-c", script], tmp_path, "BEGIN", "END")
        assert output == "BEGIN\nEND\n"
        assert 0.2 <= trained.alone <= trained.seconds - 0.1
        assert 50e6 < trained.peak < 50e6 + 0.5 * len(big)

    def test_without_an_end_the_process_end_counts(self, tmp_path):
        script = "import time; time.sleep(.1); print('BEGIN', flush=True); time.sleep(.2)"
        trained, _ = peers.run([sys.executable, "-c", script], tmp_path, "BEGIN")
        assert 0.2 <= trained.alone <= trained.seconds - 0.1
        assert peers.run([sys.executable, "-c", ""], tmp_path, "BEGIN")[0].alone is None

    def test_failures_are_told(self, tmp_path):
        with pytest.raises(peers.FailedError, match=r"ended with status 3: last words"):
            peers.run([sys.executable, "-c", "print('last words'); raise SystemExit(3)"], tmp_path)
        with pytest.raises(peers.FailedError, match="no-such-program could not be started"):
            peers.run(["no-such-program"], tmp_path)

    @pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
    def test_the_c_program_gets_its_own_options(self, tmp_path):
        program = tmp_path / "word2vec"
        program.write_text(PROGRAM.format(python=sys.executable))
        program.chmod(0o755)
        available, missing = peers.find(options(tmp_path, word2vec=program))
        assert "word2vec.c" not in missing
        settings = peers.Settings(tmp_path / "text.txt", tmp_path / "v.bin", "skipgram")
        assert available["word2vec.c"].train(settings).alone >= 0
        assert (tmp_path / "v.bin").read_bytes().startswith(b"1 1\nx ")
        long = peers.Settings(tmp_path / ("x" * 100), tmp_path / "v.bin", "skipgram")
        with pytest.raises(peers.FailedError, match="at most 99 characters"):
            available["word2vec.c"].train(long)

    def test_both_systems_with_n_grams_write_models_of_fasttext(self, tmp_path):
        pytest.importorskip("fasttext")
        pytest.importorskip("numba")
        text = tmp_path / "text.txt"
        text.write_text("the cat sat on the mat\n" * 200)
        available, _ = peers.find(options(tmp_path))
        for name in (pipeline.OURS, "fastText"):
            output = tmp_path / f"{name}.bin"
            settings = peers.Settings(text, output, "cbow", vector_size=4, epochs=1, subwords=(3, 4))
            assert available[name].train(settings).alone > 0
            ngrams = WordVectors.load(output, format="fasttext").subwords.ngrams
            assert (ngrams.min_n, ngrams.max_n, ngrams.bucket) == (3, 4, 2_000_000)

    def test_what_is_missing_has_a_reason(self, tmp_path):
        program = tmp_path / "word2vec"
        program.write_text("")
        available, missing = peers.find(options(tmp_path, word2vec=program))
        assert missing["word2vec.c"] == f"{program} is not an executable program"
        assert "fastw2v on a GPU" in missing
        assert "fastw2v, layers" in available
        assert not set(available) & set(missing)


class TestTexts:
    def test_lines_are_folded_and_some_held_back(self, tmp_path, monkeypatch):
        monkeypatch.setattr(texts, "TINY_WORDS", 100)
        monkeypatch.setattr(texts, "BLOCK_CHARACTERS", 700)  # characters: the second line exceeds two blocks
        words = [f"w{i}" for i in range(60_000)]
        source = tmp_path / "corpus.txt.xz"
        with lzma.open(source, "wt", encoding="utf-8") as file:
            file.write(" ".join(words[:1500]) + "\n\n" + " ".join(words[1500:]))
        text = texts.text_of(options(tmp_path, corpus=source))
        lines = text.path.read_text(encoding="utf-8").splitlines()
        assert max(len(line.split()) for line in lines) <= 1000
        assert text.words == sum(len(line.split()) for line in lines)
        assert text.name == "corpus"
        assert text.held_out
        assert sorted(" ".join([*lines, *text.held_out]).split()) == sorted(words)
        head = texts.head_of(options(tmp_path, corpus=source), 3)
        beginning = head.path.read_text(encoding="utf-8").splitlines()
        assert beginning == lines[: len(beginning)]
        assert 0 <= head.words - 0.3 * text.words < 1000

    def test_nothing_is_held_back_where_there_are_evaluation_sets(self, tmp_path, monkeypatch):
        monkeypatch.setattr(texts, "QUICK_WORDS", 500)
        monkeypatch.setattr(texts, "TINY_WORDS", 500)
        source = tmp_path / "corpus.txt"
        source.write_text("a b c d e\n" * 1000)
        text = texts.text_of(options(tmp_path, corpus=source, data=tmp_path))
        assert text.held_out == ()
        assert (text.words, text.name) == (500, "corpus, first 500 words")

    def test_too_short_a_text_is_refused(self, tmp_path):
        source = tmp_path / "corpus.txt"
        source.write_text("a b c\n")
        with pytest.raises(ValueError, match=r"corpus.txt has only 3 words"):
            texts.text_of(options(tmp_path, corpus=source))


def topics(V=400, D=8, n=3000):
    """Return vectors of four kinds, in which every fourth word is similar, and lines with words of one kind each."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(4, D))
    vectors = WordVectors([f"w{i}" for i in range(V)], directions[np.arange(V) % 4] + 0.1 * rng.normal(size=(V, D)))
    kinds = rng.integers(0, 4, n // 10)
    lines = [" ".join(f"w{4 * i + kind}" for i in rng.integers(0, V // 4, 10)) for kind in kinds]
    return vectors, lines


class TestQuality:
    def test_neighbours_by_hand(self):
        # a, b and c are not among the most common words. a is near b, and c is far from both.
        words = [f"x{i}" for i in range(quality.COMMON)] + ["a", "b", "c"]
        rows = np.zeros((len(words), 2), np.float32)
        rows[-3:] = [[1, 0], [1, 0], [0, 1]]
        found, _ = quality.neighbours(WordVectors(words, rows), ["a b a unknown b"] * 50 + ["c c c c"] * 50)
        # A comparison with a word of the other kind is right. One with a word of the same kind counts as half right.
        assert found == pytest.approx(75, abs=3)

    def test_kinds_of_words_are_told_apart_and_noise_is_chance(self):
        vectors, lines = topics()
        found, chance = quality.neighbours(vectors, lines)
        assert found == pytest.approx(100 * (3 / 4 + 1 / 8), abs=3)
        noise = WordVectors(vectors.index_to_key, np.random.default_rng(1).normal(size=(400, 8)))
        assert abs(quality.neighbours(noise, lines)[0] - 50) < chance - 50

    def test_what_learnt_nothing_is_refused(self, tmp_path, monkeypatch):
        vectors, lines = topics()
        text = texts.Text(tmp_path / "x", "x", 1, tuple(lines))
        monkeypatch.setattr(quality, "text_of", lambda options: text)
        assert quality.of_vectors(vectors, options(tmp_path))["neighbours %"] > 80
        rows = np.random.default_rng(1).normal(size=(400, 8))
        with pytest.raises(quality.NothingLearntError, match="but chance may reach"):
            quality.of_vectors(WordVectors(vectors.index_to_key, rows), options(tmp_path))
        rows[3, 2] = np.nan
        with pytest.raises(quality.NothingLearntError, match="1 vectors are not finite"):
            quality.of_vectors(WordVectors(vectors.index_to_key, rows), options(tmp_path))

    def test_evaluation_sets(self, tmp_path):
        spearmanr = pytest.importorskip("scipy.stats").spearmanr
        rng = np.random.default_rng(0)
        words = [f"w{i}" for i in range(60)]
        offset = rng.normal(size=16)
        rows = rng.normal(size=(30, 16))
        vectors = WordVectors(words, np.vstack([rows, rows + 3 * offset]))
        (tmp_path / "sub").mkdir()
        questions = [f"w{a} w{a + 30} w{b} w{b + 30}" for a in range(9) for b in range(10, 19)]
        (tmp_path / "sub" / "questions-words.txt").write_text(": section\n" + "\n".join(questions) + "\n")
        # The words of a pair differ, because the cosine of a word with itself is 1 only up to rounding, so ties break.
        pairs = [(*rng.choice(60, size=2, replace=False), round(rng.random(), 3)) for _ in range(300)]
        (tmp_path / "EN-A.txt").write_text("".join(f"w{a}\tw{b}\t{score}\n" for a, b, score in pairs))
        (tmp_path / "EN-FEW.txt").write_text("w1 w2 3\nw2 w3 4\n")
        found = quality.of_vectors(vectors, options(tmp_path, data=tmp_path))
        unit = np.asarray(vectors.unit_vectors)
        cosines = [unit[a] @ unit[b] for a, b, _ in pairs]
        expected = spearmanr(cosines, [score for *_, score in pairs]).statistic
        assert found["EN-A"] == found["pairs"] == pytest.approx(expected, abs=1e-4)
        assert found["analogy %"] > 90
        assert "EN-FEW" not in found
        with pytest.raises(ValueError, match=r"neither questions-words\.txt nor word pairs"):
            quality.of_vectors(vectors, options(tmp_path, data=Path(texts.__file__).parent))


@pytest.mark.skipif(cpu.unavailable_reason() is not None, reason=str(cpu.unavailable_reason()))
def test_a_system_that_fails_or_learns_nothing_has_no_figures(tmp_path, monkeypatch):
    def nothing(settings):
        WordVectors(["a", "b"], np.full((2, 2), np.nan)).save(settings.output, format="bin")
        return peers.Trained(1.0, 0.5, 1000)

    def failing(settings):
        raise peers.FailedError("it fell over")

    available = {"fastw2v, fused": peers.System(nothing, ""), "gensim": peers.System(failing, "")}
    monkeypatch.setattr(pipeline, "find", lambda options: (available, {}))
    found = list(pipeline.run(Options(folder=tmp_path, quick=True, tiny=True)))
    assert not [result for result in found if isinstance(result, Row)]
    assert [(wrong.what, wrong.reason) for wrong in found if isinstance(wrong, Wrong)] == [
        ("fastw2v, fused, CBOW", "2 vectors are not finite"),
        ("gensim, CBOW", "it fell over"),
    ]
