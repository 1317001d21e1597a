"""Word count: workers count the words of files, and what they found is added up.

python -m examples.word_count README.md 'docs/**/*.md'
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import click

import mu
from examples.common import readable_files, run, run_options

# Letters of any script in a row, perhaps with apostrophes inside.
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


def words(text: str) -> Counter[str]:
    """How often each word occurs, whatever its case."""
    return Counter(WORD.findall(text.replace("\u2019", "'").casefold()))


def count_file(place: str) -> Counter[str]:
    """The words of a file, which may be an object in S3."""
    with mu.open(place) as file:
        # One byte that is no text should not cost the result of a thousand files.
        return words(file.read().decode(errors="replace"))


def count_files(ex: mu.Executor, places: Iterable[str]) -> Counter[str]:
    """The words of all files together."""
    total: Counter[str] = Counter()
    # A sum does not depend on the order of its parts, so none of them waits for another. Small
    # files travel together, because a call costs more than to count one of them.
    for counted in ex.map(count_file, places, ordered=False, chunksize=8):
        total.update(counted)
    return total


def most_common(total: Counter[str], count: int) -> list[tuple[str, int]]:
    """The words that occur most often; words that occur equally often in alphabetical order."""
    return sorted(total.items(), key=lambda item: (-item[1], item[0]))[:count]


@click.command()
@click.argument("patterns", metavar="FILES...", nargs=-1, required=True)
@click.option("--top", type=click.IntRange(min=1), default=10, help="How many words to show.")
@run_options
def main(patterns: tuple[str, ...], top: int, on: str, workers: int | None) -> None:
    """Count the words of FILES: paths or s3:// URLs, with * ? [] ** for many."""
    places = readable_files(patterns, on)
    with mu.Executor(on, workers=workers) as ex:
        total = count_files(ex, places)
    for word, count in most_common(total, top):
        click.echo(f"{count:8,}  {word}")
    click.echo(f"{total.total():,} words, {len(total):,} different ones, in {len(places):,} files")


if __name__ == "__main__":
    run(main)
