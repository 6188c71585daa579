"""Whether a workflow fits a running ComfyUI: its node classes, their inputs and the files that it names. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from generation.workflows.workflow import Workflow, load

ObjectInfo = Mapping[str, Mapping[str, Any]]


def problems(workflow: Workflow, object_info: ObjectInfo) -> Iterator[str]:
    """A sentence for each thing that ComfyUI would refuse; `object_info` is its answer to `/object_info`."""
    for node, content in workflow.graph.items():
        kind = content["class_type"]
        if kind not in object_info:
            yield f"{workflow.name}: ComfyUI has no node {kind} (node {node})"
            continue
        known = _inputs(object_info[kind])
        given = content["inputs"]
        for name in sorted(object_info[kind]["input"].get("required", {}).keys() - given.keys()):
            yield f"{workflow.name}: node {node} ({kind}) lacks the input {name}"
        for name, value in given.items():
            if name in known and workflow.is_filled(f"{node}.{name}"):
                continue
            if name not in known:
                yield f"{workflow.name}: node {node} ({kind}) has no input {name} in this ComfyUI"
            elif unknown := _unknown_choice(known[name], value):
                yield f"{workflow.name}: node {node} ({kind}): {name} {unknown}"


def fitted(workflow: Workflow, object_info: ObjectInfo) -> tuple[Workflow, list[str]]:
    """The workflow without the switches that this ComfyUI lacks nodes or files for, and a sentence for each."""
    found, why = workflow, []
    for name in sorted(workflow.on):
        before = list(problems(found, object_info))
        if not before or workflow.path is None:
            break
        without = load(workflow.path, {each: each in found.on - {name} for each in workflow.switches})
        gone = [sentence for sentence in before if sentence not in set(problems(without, object_info))]
        if gone:
            found = without
            why.append(f"{gone[0]}: switch {name} is off")
    return found, why


def choice_problem(workflow: Workflow, name: str, value: object, object_info: ObjectInfo) -> str:
    """What is wrong with a value for one of the workflow's named inputs; empty when nothing is."""
    node, _, field = workflow.address(name).partition(".")
    kind = workflow.graph[node]["class_type"]
    known = _inputs(object_info.get(kind, {"input": {}}))
    problem = _unknown_choice(known[field], value) if field in known else ""
    return f"{workflow.name}: {name} {problem}" if problem else ""


def _inputs(description: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: spec
        for group in ("required", "optional")
        for name, spec in description["input"].get(group, {}).items()
    }


def _unknown_choice(spec: Any, value: object) -> str:
    """Lists of choices come as the list itself, or as "COMBO" with its options in newer versions."""
    choices = spec[0] if isinstance(spec[0], list) else None
    if spec[0] == "COMBO" and len(spec) > 1:
        choices = spec[1].get("options")
    if choices is None or isinstance(value, list) or value in choices:
        return ""
    some = ", ".join(map(str, choices[:8])) or "none"
    return f"{value!r} is not among what this ComfyUI has: {some}"
