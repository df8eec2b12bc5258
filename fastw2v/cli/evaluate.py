"""The command evaluate, which scores vectors on analogies and word pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fastw2v.cli import options
from fastw2v.cli.inputs import load_vectors
from fastw2v.cli.output import format_number, format_percent, nan_to_none, print_json, print_table, say

if TYPE_CHECKING:
    from fastw2v.evaluate import AnalogyResult, PairsResult, SectionResult

__all__ = ["evaluate"]


RESTRICT_VOCAB = 30_000
"""Default of ``--restrict-vocab``."""


def evaluate(
    file: options.VectorFile,
    suite: Annotated[
        Literal["english", "korean"] | None,
        typer.Option(
            help="Use the public evaluation sets of this language, which are downloaded once.",
            show_default="english, if no files are given",
        ),
    ] = None,
    analogies: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Analogies in the format of questions-words.txt.")
    ] = None,
    pairs: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Word pairs with human scores: .csv, or text separated by spaces. May be repeated."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder with the files of the suite.", show_default="the folder in FASTW2V_DATA"
        ),
    ] = None,
    restrict_vocab: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of words to use for analogies, starting with the most frequent.",
            show_default=f"{RESTRICT_VOCAB}",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Evaluate vectors on analogies and word similarity, with public evaluation sets or your own files.

    english: the analogies of Mikolov et al. (questions-words) and the pairs of
    MC-30, MEN, MTurk-287, RG-65, SimLex-999 and WordSim-353.

    korean: the analogies and the translated WordSim-353 of Park et al. (2018).
    """
    from fastw2v.datasets import load_suite
    from fastw2v.evaluate import analogies as answer_analogies
    from fastw2v.evaluate import read_analogies, read_pairs, word_pairs

    if suite is not None and (analogies is not None or pairs):
        raise ValueError("--suite cannot be combined with --analogies or --pairs; omit one of them")
    if data is not None and (analogies is not None or pairs):
        raise ValueError("--data is the folder of a suite; it cannot be combined with --analogies or --pairs")
    if data is not None and not data.is_dir():
        raise NotADirectoryError(
            f"{data}: there is no such folder; pass the folder that contains the files of the suite"
        )
    if restrict_vocab is not None and pairs and analogies is None:
        raise ValueError("--restrict-vocab has no effect on --pairs, only on analogies; omit it")
    restrict_vocab = restrict_vocab or RESTRICT_VOCAB
    vectors = load_vectors(file)
    pair_files = {str(path): path for path in pairs or ()}
    if analogies is None and not pairs:
        public = load_suite(suite or "english", data)
        suite, analogies, pair_files = suite or "english", public.analogies, public.pairs
    answered = answer_analogies(vectors, read_analogies(analogies), restrict_vocab) if analogies is not None else None
    correlations = {name: word_pairs(vectors, read_pairs(path)) for name, path in pair_files.items()}
    if as_json:
        sections = [*answered.sections, answered.overall] if answered else []
        print_json(
            {
                "file": str(file),
                "suite": suite,
                "analogies": [_section_as_json(section) for section in sections],
                "pairs": [
                    {"name": name, "file": str(pair_files[name]), **_pairs_as_json(result)}
                    for name, result in correlations.items()
                ],
            }
        )
        return
    if answered:
        say(f"Analogies among the {restrict_vocab:,} most frequent words:")
        _print_analogies(answered)
    if correlations:
        say("Correlation with human scores of word pairs:")
        _print_correlations(
            [(name if suite else pair_files[name].name, result) for name, result in correlations.items()]
        )


def _print_analogies(result: AnalogyResult) -> None:
    def row(section: SectionResult) -> list[str]:
        covered = _covered(section)
        return [section.name, f"{section.correct:,}", covered, format_percent(section.accuracy)]

    print_table(["section", "correct", "covered", "%"], map(row, result.sections), total=row(result.overall))


def _print_correlations(results: list[tuple[str, PairsResult]]) -> None:
    print_table(
        ["pairs", "Spearman", "95% CI", "Pearson", "covered"],
        (
            [
                name,
                format_number(result.spearman),
                " to ".join(map(format_number, result.interval)),
                format_number(result.pearson),
                _covered(result),
            ]
            for name, result in results
        ),
    )


def _covered(result: SectionResult | PairsResult) -> str:
    further = f" + {result.unseen:,} with unseen words" if result.unseen else ""
    return f"{result.covered:,} of {result.total:,}{further}"


def _section_as_json(section: SectionResult) -> dict[str, Any]:
    return {
        "section": section.name,
        "correct": section.correct,
        "covered": section.covered,
        "unseen": section.unseen,
        "total": section.total,
        "accuracy": nan_to_none(section.accuracy),
        "coverage": nan_to_none(section.coverage),
    }


def _pairs_as_json(result: PairsResult) -> dict[str, Any]:
    return {
        "spearman": nan_to_none(result.spearman),
        "pearson": nan_to_none(result.pearson),
        "interval": [nan_to_none(bound) for bound in result.interval],
        "covered": result.covered,
        "unseen": result.unseen,
        "total": result.total,
        "coverage": result.coverage,
    }
