"""What a job has used so far, by its plan and its calls."""

from __future__ import annotations

from collections.abc import Mapping

from excamera.job.options import EncodeOptions
from excamera.job.results import PlanSummary
from excamera.job.tally import Tally
from excamera.price.costs import Ladder, Usage, actual


def used(tally: Tally, planned: PlanSummary | None, usual_mb: Mapping[str, int]) -> Usage:
    """The usage of a job so far, see `actual`.

    Args:
        tally: of its calls.
        planned: what its plan step has returned; None before its end.
        usual_mb: memory of each function's usual size, by its name.
    """
    if planned is None:
        return actual(tally, usual_mb)
    ladder = None
    if planned.rungs:
        options = EncodeOptions.from_json(planned.options)
        ladder = Ladder.of(planned.rungs, options, planned.sound, planned.duration_s)
    return actual(tally, planned.memory(usual_mb), anchored=planned.anchored > 0, ladder=ladder)
