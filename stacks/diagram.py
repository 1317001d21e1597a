"""Draws a stack from its template: `python -m stacks.diagram cdk.out/ExCamera.template.json`.

Prints a Mermaid flowchart. Arrows come from the patterns and targets of rules, the states of the
state machine, the API's methods, the actions of alarms, and the rights in policies. An arrow goes
from the actor, or from the source of an event; a dotted one is taken after a failure. Resources
with the same arrows share a node.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

_SHAPES = {
    "AWS::S3::Bucket": '[("{} bucket")]',
    "AWS::Events::Rule": '{{{{"{} rule"}}}}',
    "AWS::Lambda::Function": '["{}"]',
    "AWS::StepFunctions::StateMachine": '[["{} state machine"]]',
    "AWS::SQS::Queue": '[/"{} queue"/]',
    "AWS::SNS::Topic": '>"{} topic"]',
    "AWS::CloudWatch::Alarm": '(("{}"))',
    "AWS::ApiGateway::RestApi": '(["{}"])',
}
_NAMES = {"AWS::CloudWatch::Alarm": "alarms", "AWS::ApiGateway::RestApi": "REST API"}
"""Names of kinds that are drawn as one node, or that occur once."""

_PARTS_OF_FUNCTIONS = ("AWS::Lambda::Version", "AWS::Lambda::Alias")
"""Drawn as the functions that they are of."""

_RIGHTS = {
    "s3:GetObject": "reads",
    "s3:GetObjectVersion": "reads",
    "s3:PutObject": "writes",
    "s3:DeleteObject": "writes",
    "states:StartExecution": "starts",
    "states:StopExecution": "stops",
    "states:ListExecutions": "lists",
    "sns:Publish": "publishes to",
    "sqs:SendMessage": "",
}


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow between two nodes, by their names."""

    source: str
    target: str
    label: str = ""
    dotted: bool = False


_SUBSTITUTED = re.compile(r"\$\{(\w+)\}")


def diagram(template: dict[str, Any]) -> str:
    """A Mermaid flowchart of a CloudFormation template."""
    resources: dict[str, Any] = template["Resources"]
    kinds = {name: one["Type"] for name, one in resources.items() if one["Type"] in _SHAPES}
    owners = _owners(resources)
    found = [
        replace(edge, target=owners.get(edge.target, edge.target))
        for name in resources
        for edge in _edges(name, resources)
    ]
    edges = _joined([e for e in found if e.source != e.target and {e.source, e.target} <= {*kinds}])
    titles = _titles(kinds, edges)
    ids = _ids(titles, kinds)
    lines = [f"  {ids[n]}{_SHAPES[kinds[n]].format(title)}" for n, title in titles.items()]
    # Arrows of events come first: Mermaid lays out in this order.
    for e in sorted(edges, key=lambda edge: not edge.label.startswith("on ")):
        label = f'|"{e.label}"|' if e.label else ""
        lines.append(f"  {ids[e.source]} {'-.->' if e.dotted else '-->'}{label} {ids[e.target]}")
    return "\n".join(["flowchart LR", *dict.fromkeys(lines)]) + "\n"


def _owners(resources: dict[str, Any]) -> dict[str, str]:
    """The function of each version and alias."""
    return {
        name: next(_references(one["Properties"]["FunctionName"]))
        for name, one in resources.items()
        if one["Type"] in _PARTS_OF_FUNCTIONS
    }


def _edges(name: str, resources: dict[str, Any]) -> Iterator[Edge]:
    properties = resources[name].get("Properties", {})
    match resources[name]["Type"]:
        case "AWS::Events::Rule":
            yield from _edges_of_rule(name, properties)
        case "AWS::StepFunctions::StateMachine":
            yield from _edges_of_machine(name, properties)
        case "AWS::ApiGateway::Method":
            for api in _references(properties["RestApiId"]):
                called = _references(properties.get("Integration", {}).get("Uri"))
                yield from (Edge(api, function) for function in called)
        case "AWS::CloudWatch::Alarm":
            yield from (
                Edge(name, told, "notify") for told in _references(properties["AlarmActions"])
            )
        case "AWS::IAM::Policy":
            yield from _edges_of_policy(properties, resources)


def _edges_of_rule(name: str, rule: dict[str, Any]) -> Iterator[Edge]:
    pattern = rule.get("EventPattern", {"detail": {}, "detail-type": []})
    what = "the end" if "status" in pattern["detail"] else ", ".join(pattern["detail-type"])
    for source in _references(pattern):
        yield Edge(source, name, f"on {what}")
    for target in rule["Targets"]:
        yield from (Edge(name, called) for called in _references(target["Arn"]))
        for queue in _references(target.get("DeadLetterConfig")):
            yield Edge(name, queue, dotted=True)


def _edges_of_machine(name: str, machine: dict[str, Any]) -> Iterator[Edge]:
    states = dict(_states(json.loads(machine["DefinitionString"])))
    caught = {catch["Next"] for state in states.values() for catch in state.get("Catch", ())}
    for state_name, state in states.items():
        failed = state_name in caught
        chosen = state.get("Parameters", {}).get("FunctionName.$", "")
        for called in _SUBSTITUTED.findall(f"{state.get('Resource', '')} {chosen}"):
            for function in _references(machine["DefinitionSubstitutions"].get(called)):
                yield Edge(name, function, "when a step failed" if failed else "", dotted=failed)


def _states(scope: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in scope["States"].items():
        yield name, state
        for inner in [*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])]:
            yield from _states(inner)


def _edges_of_policy(policy: dict[str, Any], resources: dict[str, Any]) -> Iterator[Edge]:
    roles = set(_references(policy["Roles"]))
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        if roles.isdisjoint(_references([properties.get("Role"), properties.get("RoleArn")])):
            continue
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                if action == "events:PutEvents":
                    yield from _edges_of_events(name, resources)
                if action == "lambda:InvokeFunction" and _calls_by_itself(resource):
                    yield from (Edge(name, one) for one in _references(statement["Resource"]))
                for target in _references(statement["Resource"] if action in _RIGHTS else None):
                    yield Edge(name, target, _RIGHTS[action], dotted=action.startswith("sqs:"))


def _calls_by_itself(caller: dict[str, Any]) -> bool:
    """Whether a function, or a state machine whose events name them, calls functions."""
    if caller["Type"] == "AWS::Lambda::Function":
        return True
    return '"FunctionName.$": "$.' in caller["Properties"].get("DefinitionString", "")


def _edges_of_events(name: str, resources: dict[str, Any]) -> Iterator[Edge]:
    """From a sender of events to the rules for events that are not AWS's."""
    owners = _owners(resources)
    called_by = {
        rule: {owners.get(one, one) for target in resource["Properties"]["Targets"]
               for one in _references(target["Arn"])}
        for rule, resource in resources.items()
        if resource["Type"] == "AWS::Events::Rule"
    }  # fmt: skip
    # Those that are called for the same events have no need to call each other.
    beside = set().union(*(called for called in called_by.values() if name in called))
    for rule, called in called_by.items():
        pattern = resources[rule]["Properties"].get("EventPattern", {})
        ours = not all(source.startswith("aws.") for source in pattern.get("source", ()))
        if ours and called.isdisjoint(beside):
            yield Edge(name, rule, f"on {', '.join(pattern['detail-type'])}")


def _references(value: Any) -> Iterator[str]:
    """The logical ids of resources that a value names."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), _]}:
            yield name
        case dict() | list():
            for inner in value.values() if isinstance(value, dict) else value:
                yield from _references(inner)


def _joined(edges: list[Edge]) -> list[Edge]:
    """One arrow instead of several from one node to another."""
    labels: dict[Edge, set[str]] = {}
    for e in edges:
        labels.setdefault(replace(e, label=""), set()).add(e.label)
    return [replace(e, label=", ".join(sorted(found))) for e, found in labels.items()]


def _titles(kinds: dict[str, str], edges: list[Edge]) -> dict[str, str]:
    """A title for each node; the same for nodes of one kind with the same arrows."""
    alike: dict[Any, dict[str, str]] = {}
    for node, kind in kinds.items():
        outgoing = {replace(edge, source="") for edge in edges if edge.source == node}
        incoming = {replace(edge, target="") for edge in edges if edge.target == node}
        group = alike.setdefault((kind, frozenset(outgoing), frozenset(incoming)), {})
        group[node] = _word(node, kind)
    return {
        node: ", ".join(dict.fromkeys(group.values())) for group in alike.values() for node in group
    }


def _ids(titles: dict[str, str], kinds: dict[str, str]) -> dict[str, str]:
    """Names of nodes in the chart; the kind distinguishes nodes of the same title."""
    ids: dict[str, str] = {}
    owners: dict[str, tuple[str, str]] = {}
    for node, title in titles.items():
        name = re.sub(r"\W+", "_", title)
        if owners.setdefault(name, (title, kinds[node])) != (title, kinds[node]):
            name = f"{name}_{kinds[node].rpartition('::')[2].lower()}"
        ids[node] = name
    return ids


def _word(logical_id: str, kind: str) -> str:
    """The word "plan" of WorkersPlanFunction385756F0; sizes of a function have the same."""
    if kind in _NAMES:
        return _NAMES[kind]
    own = re.sub(rf"({kind.rpartition('::')[2]}|Memory\d+)$", "", logical_id[:-8])
    words = re.findall(r"[A-Z][a-z0-9]*", own)
    return str(words[-1]).lower()


if __name__ == "__main__":
    print(diagram(json.loads(Path(sys.argv[1]).read_text())), end="")
