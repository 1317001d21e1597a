"""The picture of the stack in the documentation."""

from __future__ import annotations

from typing import Any

from stacks.diagram import diagram
from tests.support.assembly import ROOT


def test_the_picture_shows_what_is_deployed(stack: dict[str, Any]) -> None:
    """If this fails, docs/deploy.md shows another stack than this one.

    Replace the picture with what `python -m stacks.diagram cdk.out/ExCamera.template.json` prints.
    """
    _, _, rest = (ROOT / "docs" / "deploy.md").read_text().partition("```mermaid\n")
    assert rest.partition("```")[0] == diagram(stack)


def test_rights_to_read_and_write_become_one_arrow(stack: dict[str, Any]) -> None:
    """If this fails, the picture leaves out what a role allows, or misnames it."""
    lines = diagram(stack).splitlines()
    assert '  stitch -->|"reads, writes"| output' in lines
    assert '  plan -->|"reads, writes"| work' in lines
    assert not any("audio" in line and "output" in line for line in lines)


def test_what_is_called_after_a_failure_is_dotted(stack: dict[str, Any]) -> None:
    """If this fails, recording a failure looks like a step of every job."""
    lines = diagram(stack).splitlines()
    assert '  job -.->|"when a step failed"| failure' in lines
    assert "  job --> failure" not in lines


def test_only_resources_that_do_something_are_drawn() -> None:
    """If this fails, logs, roles and policies clutter the picture."""
    template = {
        "Resources": {
            "StorageInput12345678": {"Type": "AWS::S3::Bucket"},
            "WorkersPlanLog12345678": {"Type": "AWS::Logs::LogGroup"},
            "WorkersPlanRole12345678": {"Type": "AWS::IAM::Role"},
        }
    }
    assert diagram(template) == 'flowchart LR\n  input[("input bucket")]\n'
