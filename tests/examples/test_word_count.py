"""The word count counts what is there, wherever the files are cut among workers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import mu
from examples.word_count import count_files, most_common, words
from tests.support.examples import lines_of, refusal, run_example
from tests.support.shared import ROOT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cat; the CAT.", {"the": 2, "cat": 2}),
        ("don't don\u2019t 'quoted'", {"don't": 2, "quoted": 1}),
        ("Straße STRASSE naïve", {"strasse": 2, "naïve": 1}),
        ("snake_case 3rd x2y 42", {"snake": 1, "case": 1, "rd": 1, "x": 1, "y": 1}),
        ("", {}),
    ],
)
def test_words_are_letters_in_a_row(text: str, expected: dict[str, int]) -> None:
    """If this fails, cases, apostrophes or other scripts are counted wrongly."""
    assert words(text) == Counter(expected)


def test_the_counts_of_all_files_are_added() -> None:
    """If this fails, files are lost, or counted twice."""
    places = mu.files(str(ROOT / "docs/**/*.md"))
    assert len(places) > 20
    with mu.Executor(workers=2) as ex:
        found = count_files(ex, places)
    everything = "\n".join(Path(place).read_text() for place in places)
    assert found == words(everything)
    assert found["the"] > 1000


def test_equal_counts_are_in_alphabetical_order() -> None:
    """If this fails, the program prints something else each time."""
    assert most_common(Counter("cabba"), 2) == [("a", 2), ("b", 2)]


def test_the_program_prints_the_most_common_words(tmp_path: Path) -> None:
    """If this fails, the command of the page does not work."""
    (tmp_path / "a[1].txt").write_text("one two two")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/b.txt").write_bytes(b"two \xff three")
    (tmp_path / "texts/empty.txt").touch()
    done = run_example(
        "word_count", "a[1].txt", "texts/*", "texts/b.txt", "--top", "2", inside=tmp_path
    )
    assert lines_of(done) == [
        "       3  two",
        "       1  one",
        "5 words, 3 different ones, in 3 files",
    ]


def test_mistakes_are_named(tmp_path: Path) -> None:
    """If this fails, a wrong name ends in a traceback, or in a count of nothing."""
    (tmp_path / "a.txt").touch()
    for arguments, expected in (
        (["none*"], "word_count: none*: there is no such file"),
        (["."], "word_count: .: there is no such file"),
        ([], "word_count: Missing argument 'FILES...'."),
        (
            ["a.txt", "--on", "stack:X"],
            "word_count: a.txt: functions on stack:X read s3:// URLs only",
        ),
        (
            ["a.txt", "--on", "stack:"],
            "word_count: Invalid value for '--on': stack: is neither here nor stack:NAME",
        ),
    ):
        assert refusal(run_example("word_count", *arguments, inside=tmp_path)) == expected
