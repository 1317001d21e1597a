"""The state machine that runs one job, derived from ExCamera's flow."""

from __future__ import annotations

from aws_cdk import aws_s3 as s3
from constructs import Construct

from excamera.job.flow import excamera_flow
from excamera.job.steps import ENCODING, SPREADING, name_of_size
from mu.flow import Sequence
from stacks.function import Function
from stacks.settings import Settings
from stacks.state_machine import allow_distributed_map, new_state_machine
from stacks.states_language import STORE, Spreading, state_machine


def definition(settings: Settings) -> dict[str, object]:
    """The state machine's definition; ``${...}`` is known only after deployment."""
    flow = excamera_flow(
        # Slightly above the function's own limit, whose error says more.
        timeout_s=settings.timeout_s + 15
    )
    assert isinstance(flow, Sequence)
    return state_machine(
        flow,
        on_failure="failure",
        timeout_s=settings.job_timeout_s,
        comment="ExCamera: one video, encoded by many workers into one VP8 stream",
        sizes={
            ENCODING: [
                ENCODING if not number else name_of_size(ENCODING, memory_mb)
                for number, memory_mb in enumerate(settings.sizes_of(ENCODING))
            ]
        },
        spreading=Spreading(SPREADING, settings.timeout_s + 15, {"job": "$.job"}),
    )


class Job(Construct):
    """The state machine, its role and its log."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        functions: dict[str, Function],
        work: s3.IBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        self.machine = new_state_machine(
            self,
            definition(settings),
            settings=settings,
            substitutions={
                STORE: work.bucket_name,
                **{
                    name: function.current_version.function_arn
                    for one in functions.values()
                    for name, function in one.by_name.items()
                },
            },
            functions=[function for one in functions.values() for function in one.sizes.values()],
        )
        allow_distributed_map(
            self,
            self.machine,
            [
                (["s3:GetObject"], work.arn_for_objects("jobs/*/items.json")),
                (
                    [
                        "s3:PutObject",
                        "s3:GetObject",
                        "s3:ListMultipartUploadParts",
                        "s3:AbortMultipartUpload",
                    ],
                    work.arn_for_objects("jobs/*/map/*"),
                ),
            ],
            why_shapes="Jobs are named by their uploads: the right is on a key's shape.",
            redrive=True,
        )
