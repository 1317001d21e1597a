"""What a stack learns from its jobs: constants that come nearer to the true ones."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from excamera.job.encoders import AnchorSettings
from excamera.job.options import EncodeOptions
from excamera.job.packing import Limits
from excamera.job.results import JobResult, Outcome, Prediction
from excamera.job.steps import DEFAULT_MEMORY_MB, task_name
from excamera.job.tally import Tally
from excamera.price.costs import actual
from excamera.price.estimate import estimate
from excamera.price.film import Film
from excamera.price.learned import BOUND, KEPT, PARTS, Lesson, Model, ModelUnusable, lesson_of
from excamera.price.pace import SOUND_BITS, Pace
from excamera.price.predicted import MOST_SIMULATED, predict, workers_within
from excamera.price.simulated import Simulated, before_s, simulated
from excamera.price.stages import equal_batches
from excamera.price.workers import Workers
from mu import Attempt
from mu.simulation import CLOUD

WORKERS = Workers(DEFAULT_MEMORY_MB)
FILM = Film(14_400, 1920, 1080, 600.0)
OPTIONS = EncodeOptions()
STEADY = replace(CLOUD.steady(), bandwidth=1e12)
"""A cloud in which calls take what the pace says; `learn` adds noise of its own."""


def attempts_of(job: Simulated) -> list[Attempt]:
    """The timeline of a simulated job: a call's time is without the start of its environment."""
    found = []
    for call in job.result.calls:
        took = sum(seconds for kind, seconds in call.spent if kind != "cold start")
        found.append(Attempt(task_name(call.task, call.event), 1, round(1000 * took)))
    return found


def learn(
    model: Model,
    job: str,
    hidden: Pace,
    film: Film = FILM,
    options: EncodeOptions = OPTIONS,
    *,
    slower: float = 1.0,
    seed: int = 0,
) -> tuple[Model, Prediction, Outcome]:
    """A job of a stack whose true pace is `hidden`: predicted, run in simulated time, learned.

    Args:
        model: what the stack has learned before.
        job: the job's name.
        hidden: the pace that nobody knows.
        film: what it encodes.
        options: its options.
        slower: by how much all calls of just this job were.
        seed: of the simulation.
    """
    batches = equal_batches(film, options)
    predicted = predict(film, options, WORKERS, model.pace, batches)
    ran = simulated(film, options, WORKERS, hidden, batches=batches, seed=seed, cloud=STEADY)
    attempts = [
        replace(one, milliseconds=round(slower * one.milliseconds)) for one in attempts_of(ran)
    ]
    size = estimate(film, options, WORKERS, hidden).size
    sound = SOUND_BITS * film.duration_s / 8 if film.sound else 0
    usd = actual(Tally.of(attempts), DEFAULT_MEMORY_MB, anchored=options.mode == "anchors")
    took = Outcome(ran.seconds - before_s(CLOUD), usd.dollars("arm64"), size)
    lesson = lesson_of(
        job,
        attempts,
        film,
        options,
        WORKERS,
        chunks=ran.stages.shape.chunks,
        made=JobResult("k", size, film.frames, 1, film.duration_s, round(size - sound), "encoded"),
        took=took,
        predicted=predicted,
    )
    assert lesson is not None
    return model.with_lesson(lesson), predicted, took


def scaled(factor: float) -> Pace:
    """A machine that is so much slower in everything, and whose films have as many more bits."""
    usual = Pace()
    names = {constant for part in PARTS.values() for constant in part.constants} - {"waits"}
    return replace(usual, **{name: factor * getattr(usual, name) for name in names})


@pytest.mark.parametrize("factor", [0.7, 1.3])
@pytest.mark.parametrize("mode", ["anchors", "rebase"])
def test_a_pace_converges_to_the_true_one(factor: float, mode: str) -> None:
    """If this fails, predictions stay as wrong as on the first day, or get worse."""
    chance, hidden, model = random.Random(1), scaled(factor), Model()
    options = EncodeOptions(mode=mode)
    errors = []
    for number in range(12):
        film = replace(FILM, frames=chance.randrange(1000, 20_000))
        film = replace(film, duration_s=film.frames / 24)
        noise = chance.uniform(0.9, 1.1)
        model, predicted, took = learn(
            model, f"j{number}", hidden, film, options, slower=noise, seed=number
        )
        assert took.usd
        errors.append(abs(predicted.usd / took.usd - 1))
    assert model.factor(mode) == pytest.approx(factor, rel=0.07)
    assert model.factor("bits") == pytest.approx(factor, rel=0.05)
    for part in ("survey", "audio", "stitch"):
        assert model.factor(part) == pytest.approx(factor, rel=0.15), part
    other = {"anchors": "rebase", "rebase": "anchors"}[mode]
    assert model.factor(other) == model.factor("plan") == 1.0
    # The first job was predicted with our own constants.
    assert errors[0] > 0.15
    # A job's own noise is up to 11%, and nobody can foretell it; the model may be off by 5.
    assert max(errors[3:]) < 0.16
    assert sum(errors[-4:]) / 4 < errors[0] / 3
    assert model.jobs == 12


def test_the_second_prediction_is_nearer() -> None:
    """If this fails, a stack needs many jobs before it learns anything."""
    hidden = scaled(1.3)
    model, first, took = learn(Model(), "one", hidden)
    model, second, again = learn(model, "two", hidden)
    for name in ("usd", "bytes", "calls_s"):
        true = {"usd": took.usd, "bytes": took.bytes}.get(name)
        if true is None:
            true = predict(FILM, OPTIONS, WORKERS, hidden, equal_batches(FILM, OPTIONS)).calls_s
        assert abs(getattr(second, name) - true) < abs(getattr(first, name) - true), name
    assert again == took


def test_one_odd_job_does_not_ruin_the_model() -> None:
    """If this fails, a single job on a bad day makes all later predictions wrong."""
    model = Model()
    for number in range(6):
        model, _, _ = learn(model, f"j{number}", Pace(), seed=number)
    before = model.factor("anchors")
    odd, _, _ = learn(model, "odd", scaled(8.0), seed=7)
    assert odd.told["anchors"].last[-1][0] > 6
    assert odd.factor("anchors") == pytest.approx(before, rel=0.1)
    assert odd.factor("bits") == pytest.approx(model.factor("bits"), rel=0.1)


def test_a_short_job_says_little() -> None:
    """If this fails, two seconds of film count as much as an hour."""
    tiny = Film(48, 1920, 1080, 2.0)
    short, _, _ = learn(Model(), "short", scaled(2.0), tiny)
    long, _, _ = learn(Model(), "long", scaled(2.0))
    assert 1.0 < short.factor("anchors") < 1.25 < 1.6 < long.factor("anchors") < 2.05
    # A long film outweighs some short ones.
    mixed, _, _ = learn(Model(), "long", Pace())
    for number in range(3):
        mixed, _, _ = learn(mixed, f"j{number}", scaled(2.0), tiny)
    assert mixed.factor("anchors") < 1.15


def test_effort_and_crf_tell_of_the_same_factor() -> None:
    """If this fails, a job with other options makes those with the usual ones look slow."""
    model, _, _ = learn(
        Model(), "one", Pace(), options=EncodeOptions(crf=40, anchors=AnchorSettings(effort=4))
    )
    assert model.factor("anchors") == pytest.approx(1.0, rel=0.1)
    assert model.factor("bits") == pytest.approx(1.0, rel=0.02)


def lesson(job: str, **told: tuple[float, float]) -> Lesson:
    return Lesson(job, told, {"seconds": 1.2, "usd": 0.5})


def test_a_job_is_learned_once_and_old_ones_are_forgotten() -> None:
    """If this fails, an event that comes twice counts twice, or a model never follows a change."""
    model = Model().with_lesson(lesson("one", anchors=(2.0, 1e6)))
    assert model.with_lesson(lesson("one", anchors=(2.0, 1e6))) is model
    for number in range(KEPT):
        model = model.with_lesson(lesson(f"j{number}", anchors=(1.0, 1e6)))
    assert (model.jobs, model.told["anchors"].jobs) == (KEPT + 1, KEPT + 1)
    assert model.told["anchors"].work == 1e6 * (KEPT + 1)
    assert len(model.told["anchors"].last) == len(model.last) == KEPT
    assert model.factor("anchors") == 1.0


def test_errors_are_medians_in_percent() -> None:
    """If this fails, a user trusts predictions that are often wrong, or the other way round."""
    model = Model()
    for number, ratio in enumerate((0.5, 1.1, 1.2)):
        model = model.with_lesson(Lesson(f"j{number}", {}, {"seconds": ratio, "usd": 1.0}))
    assert model.errors() == pytest.approx({"seconds": 20.0, "usd": 0.0})
    assert Model().errors() == {}


def timeline(*, audio_ms: int = 5000, again: bool = False) -> list[Attempt]:
    names = {"index": 400, "plan": 300, "audio": audio_ms, "stitch": 600,
             "encode-000000-000000": 60_000}  # fmt: skip
    found = [Attempt(name, 1, ms) for name, ms in names.items()]
    return [*found, Attempt("index", 1, 399)] if again else found


def lesson_from(attempts: list[Attempt], sound: str, options: EncodeOptions = OPTIONS) -> Any:
    film = Film(240, 1280, 720, 10.0)
    made = JobResult("k", 10**6, 240, 1, 10.0, 9 * 10**5, sound)
    return lesson_of(
        "j", attempts, film, options, WORKERS, chunks=12, made=made, took=Outcome(30.0, 0.01, 10**6)
    )


def test_a_job_tells_of_what_it_did() -> None:
    """If this fails, copied sound makes the encoder of sound look fast, or so do steps not run."""
    assert set(lesson_from(timeline(), "encoded").told) == {
        "anchors", "audio", "bits", "stitch", "survey",
    }  # fmt: skip
    assert "audio" not in lesson_from(timeline(audio_ms=50), "copied").told
    fixed = lesson_from(timeline(), "none", EncodeOptions(mode="rebase", chunk_frames=6))
    assert set(fixed.told) == {"bits", "plan", "rebase", "stitch"}
    assert fixed.errors == {}


def test_a_job_that_began_again_tells_nothing() -> None:
    """If this fails, a job that found its pieces finished makes the stack look fast."""
    assert lesson_from(timeline(again=True), "encoded") is None
    assert lesson_from(timeline()[:-2], "encoded") is None


def test_waits_are_what_calls_do_not_explain() -> None:
    """If this fails, slow calls count as waits too, or waits are never learned."""
    predicted = Prediction(50.0, 0.01, 10**6, computing_s=20.0, calls_s=30.0, waits=1.5)
    film = Film(240, 1280, 720, 10.0)
    made = JobResult("k", 10**6, 240, 1, 10.0, 9 * 10**5, "none")
    found = lesson_of(
        "j", timeline(), film, OPTIONS, WORKERS, chunks=12, made=made, predicted=predicted,
        took=Outcome(seconds=80.0, usd=0.02, bytes=10**6),
    )  # fmt: skip
    assert found is not None
    # Calls took twice as long, so 40 s are computing; the other 40 s are waits, of which 20 are
    # what is assumed.
    assert found.told["waits"] == pytest.approx((2.0, 20.0))
    assert found.errors == pytest.approx({"seconds": 50 / 80, "usd": 0.5, "bytes": 1.0})
    model = Model().with_lesson(found)
    usual = estimate(film, OPTIONS, WORKERS)
    slow = estimate(film, OPTIONS, WORKERS, replace(Pace(), waits=model.pace.waits))
    waited = usual.seconds - usual.computing_s
    assert 1.4 < model.pace.waits < 2
    assert slow.seconds == pytest.approx(usual.computing_s + model.pace.waits * waited)


factors = st.floats(1e-6, 1e6)
told = st.dictionaries(st.sampled_from([*PARTS]), st.tuples(factors, st.floats(0, 1e9)))


@given(st.lists(told, max_size=2 * KEPT))
def test_a_model_is_stored_and_read(jobs: list[dict[str, tuple[float, float]]]) -> None:
    """If this fails, a model forgets, or some jobs make a factor that no machine has."""
    model = Model()
    for number, one in enumerate(jobs):
        model = model.with_lesson(Lesson(f"j{number}", one, {"usd": 1.5}))
    assert Model.from_json(json.loads(json.dumps(model.to_json()))) == model
    assert len(json.dumps(model.to_json())) < 40_000
    for part in PARTS:
        assert 1 / BOUND <= model.factor(part) <= BOUND
    assert min(vars_of(model.pace)) > 0


def vars_of(pace: Pace) -> list[float]:
    return [getattr(pace, name) for name in pace.__dataclass_fields__]


GOOD = Model().with_lesson(lesson("one", anchors=(2.0, 10.0))).to_json()


@pytest.mark.parametrize(
    "broken",
    [
        None, [], {}, {**GOOD, "version": 2}, {**GOOD, "told": 3}, {**GOOD, "last": None},
        {**GOOD, "told": {"anchors": {"jobs": 1, "work": 1.0, "last": [["x", 1]]}}},
        {**GOOD, "told": {"anchors": {"jobs": 1, "work": 1.0, "last": [[float("nan"), 1]]}}},
        {**GOOD, "told": {"anchors": {"jobs": 1, "work": 1.0, "last": [[-1, 1]]}}},
    ],
)  # fmt: skip
def test_a_broken_or_newer_record_is_known(broken: Any) -> None:
    """If this fails, what another version wrote is misread, or ends a job."""
    assert Model.from_json(GOOD).jobs == 1
    with pytest.raises(ModelUnusable):
        Model.from_json(broken)


def test_a_prediction_is_of_what_the_job_was_given() -> None:
    """If this fails, a job in a busy account is promised the speed of an idle one."""
    batches = equal_batches(FILM, OPTIONS)

    def seconds(limits: Limits, **given: Any) -> float:
        workers = workers_within(limits, WORKERS)
        return predict(FILM, OPTIONS, workers, Pace(), batches, **given).seconds

    free = seconds(Limits(cpus=3, concurrency=997))
    assert seconds(Limits(cpus=3, concurrency=997, granted=10)) > 2 * free
    assert seconds(Limits(cpus=3, concurrency=10)) > 2 * free
    assert seconds(Limits(cpus=3, concurrency=997), warm=True) < free - 5
    assert workers_within(Limits(), WORKERS).concurrency == WORKERS.concurrency


def test_a_prediction_is_of_the_real_cut() -> None:
    """If this fails, a film of one long scene and one of many short ones look alike."""
    film = Film(1920, 1920, 1080, 80.0)
    even = predict(film, OPTIONS, WORKERS, Pace(), [(24,) * 8] * 10)
    uneven = predict(film, OPTIONS, WORKERS, Pace(), [(24,) * 8, *[(24,)] * 72])
    assert even.bytes == uneven.bytes
    assert uneven.usd > even.usd


def test_a_very_large_job_is_not_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, the plan of a long film waits for its own prediction."""

    def refused(*_args: Any, **_given: Any) -> None:
        raise AssertionError("it is simulated")

    monkeypatch.setattr("excamera.price.predicted.simulated", refused)
    frames = 96 * (MOST_SIMULATED + 1)
    film = Film(frames, 1920, 1080, frames / 24)
    batches = [(24,) * 4] * (MOST_SIMULATED + 1)
    found = predict(film, OPTIONS, WORKERS, Pace(), batches)
    assert 0 < found.computing_s < found.seconds
    twice = predict(film, OPTIONS, WORKERS, replace(Pace(), waits=2.0), batches)
    assert twice.seconds - found.seconds == pytest.approx(found.seconds - found.computing_s)
    with pytest.raises(AssertionError):
        predict(film, OPTIONS, WORKERS, Pace(), batches[1:])
