"""
A CloudFormation template as it comes out for given parameters: rules, conditions and functions are worked out.

What only AWS knows stays symbolic: an attribute is ``{Fn::GetAtt: …}``; in a text it is ``<Name.Attribute>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackName": "flows",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/flows/1",
    "AWS::URLSuffix": "amazonaws.com",
}
NO_VALUE = object()
_IN_TEXT = re.compile(r"\$\{([^!}][^}]*)\}")


class _Loader(yaml.SafeLoader):
    pass


def _function(loader: yaml.Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)


def load(path: Path) -> dict[str, Any]:
    template: dict[str, Any] = yaml.load(path.read_text(), Loader=_Loader)
    return template


class Stack:
    """A template with parameters: ``resources`` and ``outputs`` are those whose condition holds, worked out."""

    def __init__(self, template: Mapping[str, Any], **parameters: str) -> None:
        self._template = template
        unknown = parameters.keys() - template["Parameters"].keys()
        assert not unknown, f"no such parameters: {unknown}"
        self.parameters = {
            name: parameters.get(name, str(value["Default"]))
            for name, value in template["Parameters"].items()
        }
        self._lists = {
            name
            for name, value in template["Parameters"].items()
            if value["Type"] == "CommaDelimitedList"
        }

    @cached_property
    def resources(self) -> dict[str, Any]:
        return self._existing("Resources")

    @cached_property
    def outputs(self) -> dict[str, Any]:
        return self._existing("Outputs")

    def of_type(self, kind: str) -> dict[str, Any]:
        return {name: one for name, one in self.resources.items() if one["Type"] == kind}

    def holds(self, condition: str) -> bool:
        return bool(self.value(self._template["Conditions"][condition]))

    def refusals(self) -> list[str]:
        """What the rules have against these parameters, in their own words."""
        return [
            assertion["AssertDescription"]
            for rule in self._template["Rules"].values()
            if self.value(rule.get("RuleCondition", True))
            for assertion in rule["Assertions"]
            if not self.value(assertion["Assert"])
        ]

    def dangling(self) -> set[str]:
        """Names that are referred to and not there."""
        known = self.resources.keys() | self.parameters.keys() | PSEUDO.keys()
        return {name for name in _references([self.resources, self.outputs]) if name not in known}

    def environment(self, function: str) -> dict[str, str]:
        own = self.resources[function]["Properties"].get("Environment", {}).get("Variables", {})
        shared = self.value(self._template["Globals"]["Function"]["Environment"]["Variables"])
        return {**shared, **own}

    def statements(self, role: str) -> list[dict[str, Any]]:
        """All that a role may do: its own policies and those attached to it."""
        inline = self.resources[role]["Properties"].get("Policies", [])
        attached = [
            policy["Properties"]
            for policy in self.of_type("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Properties"]["Roles"]
        ]
        return [
            statement
            for policy in [*inline, *attached]
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    def value(self, node: Any) -> Any:
        """Work a value out; a list or mapping loses what is ``AWS::NoValue``."""
        if isinstance(node, list):
            return [v for v in map(self.value, node) if v is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, given),) = node.items()
            if name == "Ref":
                return self._ref(given)
            if name == "Condition" and isinstance(given, str):
                return self.holds(given)
            if name.startswith("Fn::"):
                return getattr(self, "_" + name[4:].lower())(given)
        worked = {key: self.value(value) for key, value in node.items()}
        return {key: value for key, value in worked.items() if value is not NO_VALUE}

    def _existing(self, section: str) -> dict[str, Any]:
        return {
            name: {k: self.value(v) for k, v in one.items() if k not in ("Condition", "Metadata")}
            for name, one in self._template[section].items()
            if "Condition" not in one or self.holds(one["Condition"])
        }

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self._lists:
            return self.parameters[name].split(",")
        if name in self.parameters:
            return self.parameters[name]
        return PSEUDO.get(name, {"Ref": name})

    def _if(self, given: list[Any]) -> Any:
        condition, yes, no = given
        return self.value(yes if self.holds(condition) else no)

    def _equals(self, given: list[Any]) -> bool:
        left, right = map(self.value, given)
        return bool(str(left) == str(right))

    def _not(self, given: list[Any]) -> bool:
        return not self.value(given[0])

    def _and(self, given: list[Any]) -> bool:
        return all(map(self.value, given))

    def _or(self, given: list[Any]) -> bool:
        return any(map(self.value, given))

    def _contains(self, given: list[Any]) -> bool:
        among, wanted = map(self.value, given)
        return wanted in among

    def _getatt(self, given: Any) -> Any:
        return {"Fn::GetAtt": given}

    def _join(self, given: list[Any]) -> str:
        by, parts = given
        return str(by).join(map(_text, self.value(parts)))

    def _split(self, given: list[Any]) -> list[str]:
        by, text = given
        return _text(self.value(text)).split(by)

    def _select(self, given: list[Any]) -> Any:
        index, among = given
        return self.value(among)[int(index)]

    def _sub(self, given: Any) -> str:
        text, own = (given, {}) if isinstance(given, str) else given

        def put(match: re.Match[str]) -> str:
            name = match[1]
            if name in own:
                return _text(self.value(own[name]))
            if "." in name:
                return f"<{name}>"
            return _text(self._ref(name))

        return _IN_TEXT.sub(put, text).replace("${!", "${")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        ((kind, name),) = value.items()
        return f"<{name if kind == 'Ref' else '.'.join(name)}>"
    return str(value)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _references(one)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref" and isinstance(value, str):
                yield value
            elif key == "Fn::GetAtt":
                yield value[0]
            elif key == "DependsOn":
                yield from [value] if isinstance(value, str) else value
            else:
                yield from _references(value)
    elif isinstance(node, str):
        yield from (name.partition(".")[0] for name in re.findall(r"<([A-Z]\w+(?:\.\w+)*)>", node))
