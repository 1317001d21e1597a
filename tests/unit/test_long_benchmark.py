"""The benchmark of long films runs, on short ones."""

from pathlib import Path

from benchmarks.long import aac, index, sound


def test_the_steps_of_a_film_are_measured(tmp_path: Path) -> None:
    """The benchmark would fail after minutes of measuring, or measure another film."""
    films = index.measure(tmp_path, 1, True, ("Matroska without cues",))["films"]
    found = films["Matroska without cues"]
    assert found["frames"] == 64 * index.RATE
    assert set(found["times"]) == {index.PEER, "index", "plan", "read both"}
    for asked in found["requests"].values():
        assert asked["first chunk of a worker"]["frames"] == 12


def test_the_sound_of_a_film_is_measured(tmp_path: Path) -> None:
    """Likewise, or what a complexity does to the sound would be measured with a wrong delay."""
    found = sound.measure(tmp_path, tmp_path, 1, True)
    assert found["runs"][sound.PEER]["times_as_fast_as_peer"] == 1.0
    for sounds in found["complexities"].values():
        assert all(one["snr_db"] > 5 for one in sounds.values())


def test_the_aac_of_a_film_is_measured(tmp_path: Path) -> None:
    """Likewise, for what a rate does to the sound."""
    found = aac.measure(tmp_path, 1, True)
    assert found["times_real_time"] > 0
    for sounds in found["sounds"].values():
        assert all(one["snr_db"] > 5 for one in sounds.values())
