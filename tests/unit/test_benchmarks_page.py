"""docs/benchmarks.md says what was measured, and says it right."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks.common.films import Size
from benchmarks.common.synthetic import Clip
from benchmarks.common.timing import Spent, cpu_ratio, interleaved, summary
from benchmarks.speed import batch, command
from benchmarks.speed.__main__ import circumstances
from benchmarks.speed.callgrind import Place, instructions
from benchmarks.speed.played import FILMS, Played, played, there_and_back
from benchmarks.speed.report import render
from benchmarks.speed.schedule import Parts, share_of_time
from benchmarks.speed.stages import MEMORY, OTHER, STAGES, stage_of
from benchmarks.speed.targets import Verdict, verdicts
from excamera.price.pace import Pace

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "speed.json"
SOURCES = "codec/native/src"
LIBRARY = "/build/libexcamera_codec.so"

CALLGRIND = """\
positions: line
events: Ir
ob=(1) /build/libexcamera_codec.so
fl=(1) /codec/native/src/bitstream/tokens.cc
fn=(1) vp8::read_block(vp8::BoolDecoder&)
10 100
fi=(2) /codec/native/src/bitstream/bool_decoder.h
+3 20
fe=(1)
-3 5
cob=(2) /lib/libc.so.6
cfi=(3) memcpy.S
cfn=(2) memcpy
calls=4 0
* 4000
* 7
fn=(3) vp8::other()
20 30
ob=(2)
fl=(3)
fn=(2)
0 4000
"""


def test_page_is_what_the_results_give():
    """A figure in the docs would be one that no command reproduces."""
    assert (ROOT / "docs" / "benchmarks.md").read_text() == render(json.loads(RESULT.read_text()))


def test_page_of_some_sections_alone():
    """--only would fail after hours of measuring, at writing the page."""
    whole = json.loads(RESULT.read_text())
    for name, section in whole.items():
        assert "## How it was measured" in render({name: section})


def test_instructions_count_where_they_were_written():
    """Inlined lines would count for the function they ended up in, and callees twice."""
    found = instructions(CALLGRIND.splitlines())
    tokens, decoder = (
        "/codec/native/src/bitstream/tokens.cc",
        "/codec/native/src/bitstream/bool_decoder.h",
    )
    read = "vp8::read_block(vp8::BoolDecoder&)"
    assert found == {
        Place(LIBRARY, read, tokens, tokens): 112,
        Place(LIBRARY, read, tokens, decoder): 20,
        Place(LIBRARY, "vp8::other()", tokens, tokens): 30,
        Place("/lib/libc.so.6", "memcpy", "memcpy.S", "memcpy.S"): 4000,
    }


@pytest.mark.parametrize(
    ("file", "home", "function", "stage"),
    [
        (
            "bitstream/bool_decoder.h",
            "bitstream/tokens.cc",
            "vp8::read_block_tokens(int)",
            "reading",
        ),
        (
            "common/types.h",
            "kernels/avx2_interpolation.cc",
            "void vp8::sixtap<8>(int)",
            "prediction",
        ),
        ("kernels/avx2_loop_filters.cc", "kernels/avx2_loop_filters.cc", "vp8::rows()", "loop"),
        ("kernels/sse2_transforms.cc", "kernels/sse2_transforms.cc", "vp8::f()", "transforms"),
        ("kernels/avx2_distortion.cc", "kernels/avx2_distortion.cc", "vp8::f()", "motion search"),
        ("decide/filter_search.cc", "decide/filter_search.cc", "vp8::f()", "loop"),
        ("picture/state.cc", "picture/state.cc", "vp8::serialize_state()", "frame loops"),
        ("nothing_known.cc", "nothing_known.cc", "vp8::f()", OTHER),
    ],
)
def test_stages_by_source_file(file, home, function, stage):
    """The table of stages would put work where it is not done."""
    place = Place(LIBRARY, function, f"/x/{SOURCES}/{home}", f"/x/{SOURCES}/{file}")
    found = stage_of(place, SOURCES)
    assert found is not None
    assert found.startswith(stage)


def test_every_room_has_a_stage_and_every_named_file_is_there():
    """A file that moved would count for the stage of its room, or for none."""
    sources = ROOT / SOURCES
    assert {path.name for path in sources.iterdir() if path.is_dir()} - {"kernels"} <= set(STAGES)
    for name in STAGES:
        assert (sources / name).is_dir() or list(sources.glob(f"{name}.*")), name


def test_lines_of_system_headers_count_for_the_function_that_holds_them():
    """Intrinsics would be a stage of their own."""
    place = Place(
        LIBRARY, "vp8::f()", f"/{SOURCES}/picture/transform.cc", "/usr/include/avx2intrin.h"
    )
    assert stage_of(place, SOURCES) == "transforms"


def test_only_the_codec_and_the_c_library_count():
    """The interpreter's own instructions would be taken for the codec's."""
    assert stage_of(Place("/usr/lib/libpython3.11.so", "f", "", ""), SOURCES) is None
    assert stage_of(Place("/usr/lib/libc.so.6", "memcpy", "", ""), SOURCES) == MEMORY


def test_runs_take_turns_and_ratios_are_of_medians():
    """One slow moment of the machine would decide a ratio."""
    order = []

    def run(name, costs):
        def turn():
            order.append(name)
            return {name: Spent(cpu_s=costs.pop(0), wall_s=9.0)}

        return turn

    spent = interleaved(3, [run("ours", [1.0, 2.0, 9.0]), run("theirs", [4.0, 4.0, 9.0])])
    assert order == ["ours", "theirs"] * 3
    assert cpu_ratio(spent["ours"], spent["theirs"]) == {"min": 1.0, "median": 2.0, "max": 4.0}
    assert summary(spent["ours"], 10)["fps"] == 5.0


@pytest.mark.parametrize(
    ("measured", "at_least", "words"),
    [
        (2.0, True, "met"),
        (0.5, True, "missed: 2.00 times too little"),
        (0.5, False, "met"),
        (3.0, False, "missed: 3.00 times too much"),
        (None, True, "not measured"),
    ],
)
def test_verdicts(measured, at_least, words):
    """A missed target would pass for a met one."""
    assert Verdict("x", measured, 1.0, at_least, "").words == words


def test_the_worst_size_and_rate_decides():
    """One good size would hide a bad one."""
    row = {"ratios": {"vpxdec": {"median": 1.5}}}
    worse = {"ratios": {"vpxdec": {"median": 0.8}}}
    result = {"decode": {"sizes": {"CIF": {"low": row, "high": worse}}}}
    first = verdicts(result)[0]
    assert (first.measured, first.where, first.met) == (0.8, "CIF, high rate", False)


def tiny(folder: Path, size: str) -> list[Played]:
    """Every film as --quick plays it, but generated, and tiny whatever its size is called."""
    cache = folder / "cache"
    cache.mkdir()
    for film in FILMS:
        Clip(8, 96, 64).write(folder / film.file)
    return list(played(True, folder, cache, [Size(size, 96, 64)]))


def test_batches_are_measured_and_shown(tmp_path):
    """The section would fail after an hour of measuring the others, or leave a target open."""
    clips = tiny(tmp_path, "2160p")
    found = batch.measure(clips, 2, tmp_path / "cache")
    result = {"batch": {"circumstances": circumstances_of_section(), "found": found}}
    result = json.loads(json.dumps(result))
    row = result["batch"]["found"]["sizes"]["2160p"]["street"]
    assert row["frames"] == 8 > row["source"]["frames"]
    stages, together = row["stages"], "anchors and join"
    assert set(stages["coding"]["wall_s"]) == {"1", "2"}
    assert set(stages["join"]["wall_s"]) == {"1"}
    assert all(
        ("modelled_s" in stages[name]) == (name in ("lookahead", "coding", "anchors", together))
        for name in stages
    )
    page = render(result)
    assert "| 2160p, street: anchors and join together |" in page
    assert "| median, at crf 24 |" in page
    assert set(found["pace"]) <= {one.name for one in fields(Pace)}
    of_batch = verdicts(result)[-3:-1]
    assert [one.wanted for one in of_batch] == [2.5, 0.83]
    assert all(one.measured and one.where for one in of_batch)


@pytest.mark.slow
def test_commands_are_measured_and_shown(tmp_path):
    """The section would fail after an hour of measuring the others, or leave a target open."""
    clips = tiny(tmp_path, "720p")[:1]
    sizes = command.measure(clips, 1, tmp_path / "cache")
    result = {"command": {"circumstances": circumstances_of_section(), "sizes": sizes}}
    result = json.loads(json.dumps(result))
    page = render(result)
    assert "| 720p, bigbuckbunny |" in page
    last = verdicts(result)[-1]
    assert (last.wanted, last.at_least, last.where) == (0.7, False, "720p, bigbuckbunny")
    ours, theirs = (
        sizes["720p"]["bigbuckbunny"]["contenders"][name]["wall_s"]["median"]
        for name in (command.OURS, command.THEIRS)
    )
    assert last.measured == pytest.approx(ours / theirs, rel=1e-3)


def circumstances_of_section():
    return {**circumstances(2, True), "load_after": 0.0, "seconds": 1}


def test_short_clips_are_played_back_and_forth():
    """A jump back to the first picture would be a scene cut, which no chunk has inside."""
    assert [there_and_back(number, 4) for number in range(9)] == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert [there_and_back(number, 1) for number in range(3)] == [0, 0, 0]


def test_the_schedule_of_rows():
    """The model would promise what the wavefront cannot give."""
    assert share_of_time(7, 9, 1) == 1
    # Of 8 macroblocks of the row above, it is told after 4 and after 8. The first 4 let it do 3;
    # the fourth needs the fifth above.
    assert share_of_time(2, 8, 2) == (8 + 5) / 16
    assert share_of_time(3, 8, 6) == (8 + 5 + 5) / 24
    # Two threads do six rows in pairs; the last begins when two rows have passed.
    assert share_of_time(6, 16, 2) == (16 + 16 + 16 + 5) / 96
    assert share_of_time(6, 16, 6) == (16 + 5 * 5) / 96
    for threads in (2, 4, 6):
        assert 1 / threads <= share_of_time(135, 240, threads) < 1.1 / threads


def test_two_times_give_the_parts():
    """The modelled time on two threads would not be the measured one."""
    parts = Parts.of(4.0, 2.5, 3840, 2160)
    assert parts.seconds(1) == pytest.approx(4.0)
    assert parts.seconds(2) == pytest.approx(2.5)
    assert parts.serial_s + parts.shared_s / 6 < parts.seconds(6) < 2.0
    # More than the wavefront gives, or nothing at all, is the noise of the clock.
    assert Parts.of(4.0, 1.9, 3840, 2160).serial_s == 0
    assert Parts.of(4.0, 4.2, 3840, 2160).seconds(6) == 4.0
