"""What a film would take on this stack, by what it has learned."""

from __future__ import annotations

from excamera.api.estimates import EstimateAnswer, EstimateRequest, asked, told
from excamera.job.options import EncodeOptions
from excamera.lifecycle import learning
from excamera.price.estimate import estimate
from excamera.price.learned import Model, ModelUnusable
from excamera.price.workers import Workers
from functions.api.settings import ApiSettings
from mu import Store


def estimated(request: EstimateRequest, store: Store, settings: ApiSettings) -> EstimateAnswer:
    """The time, size and price of a job.

    Raises:
        Unprocessable: the options do not fit the film.
    """
    film, options = asked(request, EncodeOptions.from_json(settings.default_options))
    try:
        model = learning.read(store, settings.architecture)
    except ModelUnusable:
        model = Model()
    workers = Workers(
        settings.memory_mb,
        settings.architecture,
        encode_sizes=tuple(settings.encode_sizes[1:]),
    )
    found = estimate(film, options, workers, model.pace)
    by = f"{model.jobs} jobs of this stack" if model.jobs else "the constants of another machine"
    return told(film, found.seconds, found.size, by, usd=round(found.dollars, 6))
