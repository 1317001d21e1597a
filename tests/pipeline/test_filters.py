"""Filters run in the workers: each part of the film is as if the whole had been filtered."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from excamera.cli import main
from excamera.errors import OptionError
from excamera.job.options import EncodeOptions
from excamera.media.filters.known import Sight
from excamera.media.filters.running import Filters
from excamera.media.filters.syntax import parse
from excamera.steps.survey import survey_of
from tests.pipeline.clips import Clip, check_plays_alike, i420, mean_error
from tests.pipeline.films import Film, filtered

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of which every frame differs from the next, with several key frames."""
    folder = tmp_path_factory.mktemp("clip")
    return Clip(frames=30, options={"crf": "10", "g": "7"}).write(folder / "a.mp4")


@pytest.mark.parametrize(
    ("name", "given", "sight"),
    [
        ("unsharp", "5:5:1.5", Sight()),
        ("hue", "h=90*t", Sight()),
        ("lutyuv", "y=negval", Sight()),
        ("fade", "t=out:st=0.3:d=0.4", Sight()),
        ("vignette", "dither=0", Sight()),
        ("bwdif", "mode=send_frame", Sight(1, 1)),
        ("yadif", "0", Sight(1, 1)),
        ("w3fdif", "complex:frame", Sight(1, 1)),
        ("estdif", "mode=frame", Sight(1, 1)),
        ("tmix", "frames=4:weights=1 2 3 4", Sight(3, 0)),
        ("tmix", "5", Sight(4, 0)),
        ("atadenoise", "0a=0.3:0b=0.3:s=7", Sight(3, 4)),
        ("dedot", "m=rainbows", Sight(2, 2)),
        ("fftdnoiz", "sigma=9:prev=1:next=1", Sight(1, 1)),
        ("normalize", "smoothing=4", Sight(4, 0)),
        ("tmidequalizer", "radius=2", Sight(2, 2)),
        ("deflicker", "size=4", Sight(4, 4)),
    ],
)
def test_a_part_is_as_if_the_whole_film_were_filtered(
    clip: Path, name: str, given: str, sight: Sight
) -> None:
    """If this fails, pictures where chunks begin or end are others than FFmpeg's."""
    film = Film(clip, vf=f"{name}={given}")
    assert (film.frames.lead, film.frames.follow) == (sight.before, sight.behind)
    if name != "normalize":  # it works in RGB, from which we come back in our own way
        wanted = [i420(frame) for frame in filtered(clip, (name, given))]
    else:
        wanted = film.pictures()
    film.check_from_anywhere(wanted)


@pytest.mark.parametrize(
    "graph",
    [
        "curves=vintage,colorbalance=rs=.2",
        "tmix=frames=3,bwdif=mode=send_frame,unsharp",
        "split[a][b];[a]hflip[c];[b][c]blend=all_mode=average",
        "[in]split=2[a][b];[a]crop=iw/2:ih:0:0[l];[b]crop=iw/2:ih:iw/2:0,negate[r];[r][l]hstack[out]",
        "drawbox=x='2*floor(20*t)':y=4:w=10:h=10:color=red@1",
    ],
)
def test_graphs_of_several_filters(clip: Path, graph: str) -> None:
    """If this fails, filters that follow each other see too little of the film."""
    film = Film(clip, vf=graph, fps="30", start="0.2")
    film.check_from_anywhere(film.pictures())


def test_crop_filters_and_scale_come_in_this_order(clip: Path) -> None:
    """If this fails, a filter gets another part of the picture, or another size, than was said."""
    flags = "flags=bicubic+accurate_rnd+bitexact+full_chroma_inp+full_chroma_int"
    film = Film(clip, crop="64:48:16:8", vf="tmix=frames=3,hflip", scale="32:-2")
    wanted = filtered(
        clip, ("crop", "64:48:16:8"), ("tmix", "3"), ("hflip", ""), ("scale", f"32:24:{flags}")
    )
    film.check_from_anywhere([i420(frame) for frame in wanted])


@pytest.mark.parametrize(
    ("graph", "size", "shape"),
    [
        ("transpose=1", (64, 96), (3, 4)),
        ("scale=48:64", (48, 64), (8, 3)),
        ("pad=120:64:10:0,setsar=40/33", (120, 64), (40, 33)),
        ("null", (96, 64), (4, 3)),
    ],
)
def test_filters_change_sizes_and_pixel_shapes(
    tmp_path: Path, graph: str, size: tuple[int, int], shape: tuple[int, int]
) -> None:
    """If this fails, a film that filters turn or resize is squeezed, or refused."""
    source = Clip(frames=2, sample_aspect=Fraction(4, 3)).write(tmp_path / "a.mp4")
    geometry = Film(source, vf=graph).plan.geometry
    assert ((geometry.width, geometry.height), geometry.sample_aspect) == (size, shape)


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        ("fps=10", "--fps drops and repeats frames"),
        ("minterpolate", "--fps drops and repeats frames|has no filter"),
        ("trim=start=1", "--start and --duration trim"),
        ("setpts=2*PTS", "--start and --duration trim"),
        ("reverse", "filter the film with ffmpeg first"),
        ("lagfun", "every frame may depend on all before it, .* --vf-lead"),
        ("showinfo", "it is not known how many other frames it sees, .* --vf-lead"),
        ("noise=alls=9:allf=t+u", "depends on all frames before"),
        ("fade=in:0:10", "give seconds"),
        ("hue=h=3*n", r"use the time \(t\)"),
        ("yadif=1", "makes two frames of each; write yadif=mode=send_frame"),
        ("bwdif", "makes two frames of each; write bwdif=mode=send_frame"),
        ("unsharp=lx=99", "unsharp: .*'lx' out of range"),
        ("unsharp=wrong=1", "unsharp: No such option: wrong"),
        ("nonsense", "this FFmpeg has no filter 'nonsense'$"),
        ("unsharpen", "no filter 'unsharpen': did you mean unsharp"),
        ("hqdn3d", "the GPL or another library: use nlmeans or atadenoise|on all before it"),
        ("unsharp,,hflip", "a filter is missing behind 'unsharp,'"),
        ("split", "1 inputs and 2 outputs; it must have one of each"),
        ("[a]unsharp[b", "a bracket is not closed"),
        ("tmix=frames=300", "240 are allowed"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_way_out(clip: Path, graph: str, words: str) -> None:
    """If this fails, such a graph gives wrong pictures, or an error that helps nobody."""
    with pytest.raises(OptionError, match=f"vf: .*({words})"):
        Film(clip, vf=graph)


def test_a_user_may_say_how_many_frames_a_filter_sees(clip: Path) -> None:
    """If this fails, --vf-lead has no effect, or the pictures are not those that it leads to."""
    whole = Film(clip, vf="lagfun=decay=0.5", vf_lead=20)
    assert (whole.frames.lead, whole.frames.follow) == (20, 20)
    # Half of it is gone with each frame: after 20 frames nothing is left.
    whole.check_from_anywhere([i420(one) for one in filtered(clip, ("lagfun", "decay=0.5"))])


@pytest.mark.parametrize("graph", ["fps=50", "tblend=all_mode=average", "framestep=2"])
def test_frames_that_do_not_come_out_are_noticed(clip: Path, graph: str) -> None:
    """If this fails, --vf-lead lets a filter shift all pictures against their times."""
    with pytest.raises(OptionError, match=r"number or times|drop"):
        Film(clip, vf=graph, vf_lead=2)


def test_a_lead_that_is_too_short_is_noticed(clip: Path) -> None:
    """If this fails, pictures at the ends of chunks are made as if the film ended there."""
    film = Film(clip, vf="atadenoise=s=9", vf_lead=1)
    with pytest.raises(OptionError, match=r"wait for more than 1 frames .* --vf-lead"):
        film.read(4, 8)


@pytest.mark.parametrize(
    "graph",
    [
        "movie=/etc/passwd[a];[in][a]overlay",
        "lut3d=/tmp/a.cube",
        "subtitles=/tmp/a.srt",
        "drawtext=textfile=/etc/passwd",
        "sendcmd=f=/tmp/a",
        "curves=psfile=/tmp/a.acv",
        "curves=none:0/0:0/0:0/0:0/0:0/0:/tmp/a.acv",
        "metadata=print:file=/tmp/a",
        "unsharp=/lx=/etc/passwd",
        "showinfo",
    ],
)
def test_a_stack_opens_no_files_for_filters(graph: str) -> None:
    """If this fails, whoever may upload a film may read or write files of a worker."""
    words = "cannot be used on a stack|has no filter"
    with pytest.raises(OptionError, match=words):
        Filters.of(EncodeOptions(vf=graph, vf_lead=0), files=False)


def test_a_survey_sees_the_filtered_pictures_whole_or_in_spans(clip: Path) -> None:
    """If this fails, the plan of a filtered film depends on how many workers survey it."""
    film = Film(clip, vf="tmix=frames=3", start="0.08", fps="30")
    count = len(film.frames)
    whole = survey_of(film.chunk(0, count), film.plan, film.store, trying=False)
    lead, own = film.chunk(2, 26), film.chunk(26, count)
    part = survey_of(own, film.plan, film.store, (lead,), trying=False)
    assert part.alone == whole.alone[26:]
    assert part.last == whole.last[26:]
    assert (
        whole.alone
        != survey_of(
            film.chunk(0, count), Film(clip, start="0.08", fps="30").plan, film.store, trying=False
        ).alone
    )


@pytest.mark.parametrize(
    ("text", "named", "without"),
    [
        ("a=1:b=2", {"a": "1", "b": "2"}, []),
        ("5:5:c='x:y'", {"c": "x:y"}, ["5", "5"]),
        (r"e=if(gt(t\,1)\,2\,3)", {"e": "if(gt(t,1),2,3)"}, []),
        ("", {}, []),
    ],
)
def test_options_are_read_as_ffmpeg_does(
    text: str, named: dict[str, str], without: list[str]
) -> None:
    """If this fails, the table of filters takes other options than FFmpeg."""
    [one] = parse(f"filter={_quoted(text)}")
    assert one.given() == (without, named)


def _quoted(text: str) -> str:
    """A text that a graph's notation leaves as it is."""
    return "".join(f"\\{sign}" if sign in "\\'[],;" else sign for sign in text)


def test_a_filtered_film_is_encoded(clip: Path, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, workers that begin in the middle of a film filter it in another way."""
    outputs = []
    graph = "tmix=frames=3,unsharp"
    for name, workers in (("a", "1"), ("b", "2")):
        outputs.append(tmp_path / f"{name}.webm")
        given = ["--vf", graph, "--start", "0.2", "-n", "4", "-x", "2", "--crf", "8"]
        assert main(["encode", str(clip), str(outputs[-1]), *given, "-j", workers]) == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    wanted = Film(clip, vf=graph, start="0.2").pictures()
    for number, (found, picture) in enumerate(
        zip(check_plays_alike(outputs[0]), wanted, strict=True)
    ):
        luma = np.frombuffer(picture, np.uint8, 96 * 64).reshape(64, 96)
        assert mean_error(found, (luma, luma, luma)) < 3.5, number
