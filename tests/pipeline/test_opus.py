"""libopus over pieces of a track: one sound, whoever encodes it."""

from __future__ import annotations

import contextlib

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext

from excamera.media import opus
from excamera.media.opus import FRAME_SAMPLES, RATE, SAME_FRAMES, OpusEncoder, Samples

CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6}
FRAMES = 2400
PIECE = 800


def music(layout: str) -> Samples:
    """Notes with an attack and noise in it, which differ from channel to channel."""
    rng = np.random.default_rng(48)
    time_s = np.arange(FRAMES * FRAME_SAMPLES) / RATE
    beat = np.exp(-6 * ((2 * time_s) % 1))
    channels = []
    for number in range(CHANNELS[layout]):
        pitch = np.array([220.0, 277.2, 329.6, 440.0])[(time_s + number / 3).astype(int) % 4]
        tone = sum(np.sin(2 * np.pi * pitch * k * time_s) / k for k in (1, 2, 3))
        channels.append(0.15 * tone * beat + 0.03 * rng.standard_normal(len(time_s)) * beat)
    return np.stack(channels, axis=1).astype(np.float32)


def encoded(samples: Samples, layout: str, threads: int = 2) -> list[bytes]:
    """Encode what comes in parts of an odd length."""
    with OpusEncoder(layout, threads) as encoder:
        for at in range(0, len(samples), 1023):
            encoder.add(samples[at : at + 1023])
        return encoder.finish()


def decoded(packets: list[bytes], layout: str, decoder: str) -> np.ndarray:
    """All samples of some packets, shape (channels, samples), by a decoder that begins there."""
    context = AudioCodecContext.create(decoder, "r")
    with OpusEncoder(layout, 1) as encoder:
        context.extradata = encoder.head
    context.open()
    resampler = av.AudioResampler(format="fltp", rate=RATE)
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet))]
    return np.concatenate(
        [piece.to_ndarray() for frame in frames for piece in resampler.resample(frame)], axis=1
    )


def test_pieces_of_stereo_are_one_encoders_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, many CPUs write other sound than one encoder does."""
    samples = music("stereo")
    monkeypatch.setattr(opus, "PIECE_FRAMES", len(samples))
    whole = encoded(samples, "stereo")
    monkeypatch.setattr(opus, "PIECE_FRAMES", PIECE)
    assert encoded(samples, "stereo") == whole


@pytest.mark.parametrize("layout", CHANNELS)
def test_threads_do_not_change_a_byte(layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a result depends on the memory of the function that made it."""
    samples = music(layout)[: 3 * 300 * FRAME_SAMPLES]
    monkeypatch.setattr(opus, "PIECE_FRAMES", 300)
    assert encoded(samples, layout, threads=1) == encoded(samples, layout, threads=4)


@pytest.mark.parametrize("layout", CHANNELS)
@pytest.mark.parametrize("decoder", ["opus", "libopus"])
def test_a_joint_cannot_be_heard(
    layout: str, decoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, sound clicks or changes where another encoder takes over."""
    samples = music(layout)
    monkeypatch.setattr(opus, "PIECE_FRAMES", len(samples))
    before = encoded(samples, layout)
    second = encoded(samples[PIECE * FRAME_SAMPLES :], layout)
    monkeypatch.setattr(opus, "PIECE_FRAMES", PIECE)
    joined = encoded(samples[: 2 * PIECE * FRAME_SAMPLES], layout)[: 2 * PIECE]
    second = second[:PIECE]
    differing = [n for n in range(PIECE) if joined[PIECE + n] != second[n]]
    joint = max(differing) + 1 + SAME_FRAMES
    assert PIECE + joint < len(joined), "never joined: nothing is tested"
    # Up to the joint it is the first encoder's sound, and a second before the joint both are one.
    assert joined[: PIECE + joint] == before[: PIECE + joint]
    ours = decoded(joined, layout, decoder)[:, (PIECE + joint) * FRAME_SAMPLES :]
    theirs = decoded(second, layout, decoder)[:, joint * FRAME_SAMPLES :]
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-6


def test_encoders_that_never_agree_are_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, sound is joined where a decoder can tell."""
    samples = music("mono")[: 300 * FRAME_SAMPLES]
    monkeypatch.setattr(opus, "PIECE_FRAMES", len(samples))
    whole = encoded(samples, "mono")
    monkeypatch.setattr(opus, "PIECE_FRAMES", SAME_FRAMES - 1)
    assert encoded(samples, "mono") == whole


def test_an_error_ends_the_threads() -> None:
    """If this fails, a worker that refuses a source goes on encoding it."""
    encoder = OpusEncoder("mono", 1)
    with contextlib.suppress(ZeroDivisionError), encoder:
        raise ZeroDivisionError
    with pytest.raises(RuntimeError, match="shutdown"):
        encoder.finish()
