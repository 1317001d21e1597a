"""Makes a report: what is known of its runs, what is measured, and which pictures go into it."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import av

import codec
from excamera.errors import NoSuchJob
from excamera.report.facts import Report, Run
from excamera.report.files import file_run
from excamera.report.films import Film
from excamera.report.job import JobFacts, holds_job, job_facts
from excamera.report.measure import Taken, measured, taken, with_quality
from excamera.report.mu_job import mu_run
from mu import is_object_url
from mu.machine import available_cpus

PICTURES_BYTES = 3_000_000
"""Of all pictures in a page, as they stand in it; less if there are very many frames."""

PAGE_BYTES = 10_000_000
"""Of a page that can be sent."""

FRAME_BYTES = 7
"""Of a frame's numbers as they stand in a page, if no program can guess them."""

_FEW_PICTURES_BYTES = 300_000

_THUMBS = 160
_MOST_VIEWS, _LEAST_VIEWS = 24, 4
_VIEW_BYTES = 45_000
"""Of a larger picture as it stands in the page; most are smaller."""

_APART = 12
"""Frames between two of the worst: neighbours look alike."""


@dataclass(frozen=True, slots=True)
class Made:
    """A report and its pictures.

    Attributes:
        report: the facts.
        source: small pictures of the source, or of the first run without one, by frame; and larger
            ones of the source.
        results: larger pictures of each run.
    """

    report: Report
    source: Taken
    results: Sequence[Taken]


def facts_of(path: str) -> list[JobFacts]:
    """The facts of a file, of the folder of a job on this machine, or of a job of mu anywhere.

    A ladder has several, see `job_facts`.

    Args:
        path: of a file or a folder; or the `s3://` URL of a job of mu.

    Raises:
        NoSuchJob: there is no job.
        InputError: a file cannot be read.
        StoreError: S3 refuses, or does not answer.
    """
    folder = Path(path).is_dir()
    if is_object_url(path) or (folder and not holds_job(Path(path))):
        run = mu_run(path)
        if run is not None:
            return [JobFacts(run, None, None)]
        if not folder:
            raise NoSuchJob(f"{path}: there is no job of mu: begin one with timeline=")
    if folder:
        return job_facts(Path(path))
    return [JobFacts(file_run(path), None, Film(path))]


def report_of(
    sides: Sequence[JobFacts],
    reference: str = "",
    *,
    title: str = "",
    measure: bool = True,
    workers: int | None = None,
    pictures_bytes: int = PICTURES_BYTES,
    say: Callable[[str], None] = lambda _text: None,
    threads: bool = False,
    made_with: Mapping[str, str] | None = None,
) -> Made:
    """The report of runs, side by side.

    Args:
        sides: what is known of each.
        reference: path of what all are measured against; by default each job's own source, and that
            of the first for files.
        title: of the page; by default the names of the runs.
        measure: whether to measure qualities and take pictures.
        workers: processes; None for one per CPU.
        pictures_bytes: of all pictures in the page, as they stand in it, at most; less beside very
            many frames.
        say: gets a line for the user before what takes long.
        threads: whether threads of this process do it instead.
        made_with: what `machine` does not tell of the machine, by name.

    Raises:
        InputError: a film cannot be read.
        FrameSizeDiffers: the reference's pictures have another size.
    """
    source = (
        Film(reference) if reference else next((one.source for one in sides if one.source), None)
    )
    if not measure or not any(one.result for one in sides):
        source = None
    runs = [side.run for side in sides]
    if source is not None:
        for own, members in _by_source(sides, source, reference=bool(reference)).items():
            names = ", ".join(runs[at].name for at in members)
            most = max(runs[at].frames.count for at in members)
            say(f"measuring {most:,} frames of {names}")
            results = [result for at in members if (result := sides[at].result) is not None]
            found = measured(own, results, workers, threads=threads)
            for at, one in zip(members, found, strict=True):
                runs[at] = with_quality(runs[at], one)
    report = Report(
        title=title or ", ".join(dict.fromkeys(run.ladder or run.name for run in runs)),
        made=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        made_with={**machine(), **(made_with or {})},
        reference=(Path(reference).name if reference else _source_name(sides))
        if source is not None
        else "",
        runs=runs,
    )
    films = [side.result for side in sides if side.result is not None]
    if not films or not measure:
        return Made(report, _NONE, [_NONE for _ in runs])
    say("taking pictures")
    room = pictures_room(sum(run.frames.count for run in runs))
    return _pictured(report, sides, source, films, workers, min(pictures_bytes, room), threads)


def pictures_room(frames: int) -> int:
    """Bytes of a page that are left for pictures beside so many frames, of all runs."""
    return max(_FEW_PICTURES_BYTES, PAGE_BYTES - FRAME_BYTES * frames)


def _by_source(
    sides: Sequence[JobFacts], source: Film, *, reference: bool
) -> dict[Film, list[int]]:
    """The sides with results by what they are measured against, which is decoded once for all.

    Args:
        sides: of the report.
        source: what those are measured against that know no source of their own.
        reference: whether it is for all.
    """
    found: dict[Film, list[int]] = {}
    for at, side in enumerate(sides):
        if side.result is not None:
            # Jobs that are edited in other ways have other pictures of the same source.
            own = source if reference else side.source or source
            found.setdefault(own, []).append(at)
    return found


def _pictured(
    report: Report,
    sides: Sequence[JobFacts],
    source: Film | None,
    films: Sequence[Film],
    workers: int | None,
    pictures_bytes: int,
    threads: bool,
) -> Made:
    there = _numbers(report.runs, films)
    count = len(there)
    small = min(count, max(1, _THUMBS * pictures_bytes // PICTURES_BYTES))
    thumbs = frozenset(there[at * count // small] for at in range(small))
    each = len(films) * (2 if source is not None else 1) + (source is not None)
    most = max(_LEAST_VIEWS, min(_MOST_VIEWS, pictures_bytes // (each * _VIEW_BYTES)))
    pictured = dict(sorted(_worth_seeing(report.runs, most, frozenset(there))))
    order = films if source is None else [source, *films]
    found = taken(order, source, thumbs, frozenset(pictured), workers, threads=threads)
    first, rest = (found[0], found[1:]) if source is not None else (found[0], found)
    shown = iter(rest)
    results = [_NONE if side.result is None else next(shown) for side in sides]
    without = replace(first, views={}) if source is None else first
    kept = _within(pictured, [without, *results], pictures_bytes)
    return Made(replace(report, pictured={at: pictured[at] for at in kept}), without, results)


def _numbers(runs: Sequence[Run], films: Sequence[Film]) -> Sequence[int]:
    """The numbers of the frames that are read."""
    spans = {(span.first, span.count) for film in films for span in film.spans}
    if spans:
        return [at for first, count in sorted(spans) for at in range(first, first + count)]
    return range(max(run.frames.count for run in runs))


def _worth_seeing(
    runs: Sequence[Run], most: int, there: frozenset[int]
) -> Iterator[tuple[int, str]]:
    """Numbers of frames to look at, and why: half the worst, the rest where pieces meet.

    Args:
        runs: whose frames they are.
        most: how many.
        there: numbers of the frames that are read.
    """
    found: dict[int, str] = {}
    for run in runs:
        quality = [(db, at) for at, db in enumerate(run.frames.ssim_db) if db is not None]
        chosen: list[int] = []
        for _, at in sorted(quality):
            if all(abs(at - other) >= _APART for other in chosen):
                chosen.append(at)
            if len(chosen) >= max(1, most // (2 * len(runs))):
                break
        for place, at in enumerate(chosen, 1):
            found.setdefault(at, f"number {place} of the worst of {run.name}")
    for why, borders in _borders(runs):
        numbers = [at for at in borders if at in there]
        room = max(0, most - len(found)) // 2 or 1
        step = max(1, len(numbers) // room)
        for at in numbers[::step][:room]:
            if len(found) < most:
                found.setdefault(at, why)
    yield from found.items()


def _borders(runs: Sequence[Run]) -> Iterator[tuple[str, list[int]]]:
    seams, begins, scenes = set[int](), set[int](), set[int]()
    for run in runs:
        for batch in run.batches:
            at = batch.first_frame
            begins.add(at)
            for length in batch.chunk_frames[:-1]:
                at += length
                seams.add(at)
        scenes |= set(run.scenes or ())
        if not run.batches:
            begins |= {at for at, kind in enumerate(run.frames.type) if kind in ("key", "I")}
    yield "begins a scene", sorted(scenes)
    yield "first behind a seam", sorted(seams - begins)
    yield "key frame", sorted(begins)


def _within(pictured: dict[int, str], films: Sequence[Taken], most: int) -> list[int]:
    """The numbers whose pictures fit into the page."""
    left = most - sum(_text(one) for film in films for one in film.thumbs.values())
    kept = []
    for number in pictured:
        size = sum(
            _text(some[number])
            for film in films
            for some in (film.views, film.differences)
            if number in some
        )
        if size <= left:
            left -= size
            kept.append(number)
    return kept


def _text(picture: bytes) -> int:
    return (len(picture) + 2) // 3 * 4


def _source_name(sides: Sequence[JobFacts]) -> str:
    return next((name for side in sides if (name := side.run.facts.get("Source"))), "")


def machine() -> dict[str, str]:
    """This machine and the versions on it, by name."""
    return {
        "ExCamera": _version(),
        "Machine": f"{platform.system()} {platform.machine()}, {available_cpus()} CPUs",
        "CPU": _cpu(),
        "Instructions of the codec": codec.simd_level(),
        "Python": platform.python_version(),
        "PyAV": f"{av.__version__}, libavcodec "
        + ".".join(map(str, av.library_versions["libavcodec"])),
    }


def _version() -> str:
    try:
        return version("excamera")
    except PackageNotFoundError:  # a function has the code alone
        return ""


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


_NONE = Taken({}, {}, {})
