"""ComfyUI's validation of a graph (execution.py, validate_prompt): same checks, same words."""

from collections.abc import Collection
from typing import Any

Graph = dict[str, Any]
Nodes = dict[str, dict[str, Any]]
Problem = dict[str, Any]
#: ComfyUI leaves longer lists of allowed values out of its answer.
LONGEST_LIST = 20


class Invalid(Exception):
    """The graph as a whole is refused."""

    def __init__(self, error: Problem, node_errors: dict[str, Any] | None = None) -> None:
        super().__init__(error["message"])
        self.error = error
        self.node_errors = node_errors or {}


def validate(graph: Graph, nodes: Nodes, files: Collection[str] = ()) -> tuple[list[str], dict[str, Any]]:
    """Output nodes that can run, and the errors of the nodes that cannot. Raises Invalid when none can.

    `files` are those of the input folder, for LoadImage.

    Like ComfyUI, a graph with one good and one bad output passes, with the bad one's errors.
    """
    outputs = _outputs(graph, nodes)
    validated: dict[str, list[Problem]] = {}
    good: list[str] = []
    node_errors: dict[str, Any] = {}
    for output in outputs:
        before = set(validated)
        try:
            right = _validate_node(graph, nodes, output, validated)
            gone = _gone_files(graph, validated, files)
            validated |= gone
            right = right and not gone
        except (LookupError, TypeError, AttributeError) as error:
            # A link to a node or slot that does not exist, for one: the original reports what it raised.
            right = False
            validated[output] = [
                _problem("exception_during_validation", "Exception when validating node", str(error))
            ]
        if right:
            good.append(output)
            continue
        for node, problems in validated.items():
            if problems and (node not in before or node in node_errors):
                report = node_errors.setdefault(
                    node, {"errors": problems, "dependent_outputs": [], "class_type": graph[node]["class_type"]}
                )
                report["dependent_outputs"].append(output)
    if not good:
        raise Invalid(
            _problem("prompt_outputs_failed_validation", "Prompt outputs failed validation", ""), node_errors
        )
    return good, node_errors


def _outputs(graph: Graph, nodes: Nodes) -> list[str]:
    for node_id, node in graph.items():
        details = f"Node ID '#{node_id}'"
        if "class_type" not in node:
            raise Invalid(
                _problem(
                    "invalid_prompt",
                    "Cannot execute because a node is missing the class_type property.",
                    details,
                )
            )
        if node["class_type"] not in nodes:
            # Since 0.3.68 or so; before that it was "invalid_prompt".
            title = node.get("_meta", {}).get("title") or node["class_type"]
            message = f"Node '{title}' not found. The custom node may not be installed."
            extra = {"node_id": node_id, "class_type": node["class_type"], "node_title": title}
            raise Invalid(
                {"type": "missing_node_type", "message": message, "details": details, "extra_info": extra}
            )
    outputs = [node_id for node_id, node in graph.items() if nodes[node["class_type"]]["output_node"]]
    if not outputs:
        raise Invalid(_problem("prompt_no_outputs", "Prompt has no outputs", ""))
    return outputs


def _validate_node(graph: Graph, nodes: Nodes, node_id: str, validated: dict[str, list[Problem]]) -> bool:
    """Fill `validated` for the node and all it depends on; whether all of them are right."""
    node = graph[node_id]
    description = nodes[node["class_type"]]["input"]
    problems: list[Problem] = []
    right = True
    for required, group in ((True, "required"), (False, "optional")):
        for name, config in description.get(group, {}).items():
            if name not in node["inputs"]:
                if required:
                    problems.append(
                        _problem("required_input_missing", "Required input is missing", name, input_name=name)
                    )
                continue
            value = node["inputs"][name]
            if isinstance(value, list):
                problem, linked = _check_link(graph, nodes, name, config, value, validated)
                right = right and linked
            else:
                problem = _check_value(node["inputs"], name, config)
            if problem:
                problems.append(problem)
    validated[node_id] = problems
    return right and not problems


def _gone_files(
    graph: Graph, validated: dict[str, list[Problem]], files: Collection[str]
) -> dict[str, list[Problem]]:
    """LoadImage's own validation."""
    return {
        node: [
            _problem(
                "custom_validation_failed",
                "Custom validation failed for node",
                f"image - Invalid image file: {graph[node]['inputs']['image']}",
                input_name="image",
            )
        ]
        for node in validated
        if graph[node]["class_type"] == "LoadImage" and graph[node]["inputs"].get("image") not in files
    }


def _check_link(
    graph: Graph, nodes: Nodes, name: str, config: list[Any], link: list[Any], validated: dict[str, list[Problem]]
) -> tuple[Problem | None, bool]:
    extra = {"input_name": name, "input_config": config}
    if len(link) != 2:
        message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
        return _problem("bad_linked_input", message, name, **extra, received_value=link), True
    source, slot = link
    received = nodes[graph[source]["class_type"]]["output"][slot]
    if received != config[0]:
        details = f"{name}, received_type({received}) mismatch input_type({config[0]})"
        message = "Return type mismatch between linked nodes"
        return _problem(
            "return_type_mismatch", message, details, **extra, received_type=received, linked_node=link
        ), True
    if source in validated:
        return None, not validated[source]
    return None, _validate_node(graph, nodes, source, validated)


def _check_value(inputs: dict[str, Any], name: str, config: list[Any]) -> Problem | None:
    kind = config[0]
    options = config[1] if len(config) > 1 else {}
    value = inputs[name]
    extra = {"input_name": name, "input_config": config, "received_value": value}
    convert = {"INT": int, "FLOAT": float, "STRING": str}.get(kind) if isinstance(kind, str) else None
    if convert:
        try:
            value = inputs[name] = convert(value)
        except (TypeError, ValueError) as error:
            message = f"Failed to convert an input value to a {kind} value"
            return _problem("invalid_input_type", message, f"{name}, {value}, {error}", **extra)
    if "min" in options and value < options["min"]:
        message = f"Value {value} smaller than min of {options['min']}"
        return _problem("value_smaller_than_min", message, name, **extra)
    if "max" in options and value > options["max"]:
        message = f"Value {value} bigger than max of {options['max']}"
        return _problem("value_bigger_than_max", message, name, **extra)
    if isinstance(kind, list) and value not in kind:
        short = len(kind) <= LONGEST_LIST
        allowed = str(kind) if short else f"(list of length {len(kind)})"
        extra["input_config"] = config if short else None
        return _problem("value_not_in_list", "Value not in list", f"{name}: '{value}' not in {allowed}", **extra)
    return None


def _problem(kind: str, message: str, details: str, **extra: Any) -> Problem:
    return {"type": kind, "message": message, "details": details, "extra_info": extra}
