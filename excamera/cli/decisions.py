"""What was decided about an encode and why, for `--verbose`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from excamera.job.options import EncodeOptions
from excamera.job.zones import parse_zones
from excamera.media.words import SOUND, counted


def of_plan(result: dict[str, Any]) -> Iterator[str]:
    """Lines about a plan.

    Args:
        result: of the step `plan`, see `excamera.job.results.PlanSummary`; less if a stack has made
            it, and then there are fewer lines.
    """
    if "options" not in result:
        return
    options = EncodeOptions.from_json(result["options"])
    yield (
        f"source: {result['width']}x{result['height']}, {counted(result['frames'], 'frame')}, "
        f"{result['duration_s']:,.3f} s; {_INDEXED[result['indexed_by']]}"
    )
    yield f"scenes: {_scenes(options, result['spans'])}"
    yield f"batches: {_batches(options, result)}"
    for zone in parse_zones(options.zones):
        how = f"{zone.crf:+d}, as given" if zone.is_change else f"{zone.crf}, as given"
        yield f"zone: {zone.text.partition('=')[0]}: crf {how}; it begins with a key frame"
    yield f"mode: {_mode(options, result)}"
    threads = result["threads"]
    yield (
        f"threads: {threads or 'one per CPU'} for each batch"
        + (", as there are few batches for the processes" if threads > 1 else "")
    )


def of_sound(result: dict[str, Any]) -> str:
    """A line about the sound.

    Args:
        result: of the step `audio`.
    """
    if not result["blocks"]:
        return "sound: none"
    name = SOUND[result["codec"]]
    tracks = f"{result['tracks']} tracks, " if result["tracks"] > 1 else ""
    if result["manner"] == "mixed":
        return f"sound: {tracks}copied if it is {name} already, else encoded to that"
    if result["manner"] == "copied":
        return f"sound: {tracks}copied, as it is {name} already"
    return f"sound: {tracks}encoded to {name}"


_INDEXED = {
    "packets": "its frames are known without decoding it",
    "decoding": "decoded once to find its frames, as the container cannot be trusted with times, "
    "or to find a frame again",
}


def _scenes(options: EncodeOptions, spans: int) -> str:
    if not options.lengths.follow_scenes:
        return "not looked for, as --chunk-frames gives N"
    if spans:
        return f"looked for in {counted(spans, 'span')} at once, as the film is long"
    return "looked for while the source was read"


def _batches(options: EncodeOptions, result: dict[str, Any]) -> str:
    count = counted(result["batches"], "batch", "batches")
    chunks = counted(result["chunks"], "chunk")
    if options.is_plain:
        most = options.chunk_frames or options.lengths.longest_batch
        where = ", which end where scenes do" if options.lengths.follow_scenes else ""
        return f"{counted(result['chunks'], 'plain chunk')} of at most {most} frames{where}"
    if not options.lengths.follow_scenes:
        length = f"{options.batch_chunks} chunks of {options.chunk_frames} frames"
        return f"{count} of {length}: {chunks}"
    length = "N chosen for each" if options.lengths.vary else f"N = {options.lengths.usual_frames}"
    return (
        f"{count} of at most {options.lengths.longest_batch} frames, which end where scenes do: "
        f"{chunks}, {length}"
    )


def _mode(options: EncodeOptions, result: dict[str, Any]) -> str:
    if options.is_plain:
        return f"plain: each chunk has a key frame of its own, as {options.codec} is given"
    anchored, batches = result["anchored"], result["batches"]
    why = "auto has chosen for each batch" if options.mode == "auto" else "as given"
    if anchored in (0, batches):
        return f"{'anchors' if anchored else 'rebase'}, {why}"
    return f"anchors for {anchored} of {batches} batches, rebase for the others, {why}"
