# SPDX-License-Identifier: Apache-2.0
"""What an upstream says, independent of its dialect: a list of turns, each a list of parts."""

import dataclasses
import hashlib


@dataclasses.dataclass(frozen=True)
class Think:
    """Thoughts, with state that only this upstream can have made and wants back."""

    text: str


@dataclasses.dataclass(frozen=True)
class Text:
    text: str


@dataclasses.dataclass(frozen=True)
class Call:
    """A call of a tool. name: as the request offers it, or its end ("exec_command" for "functions__exec_command")."""

    name: str
    arguments: dict


@dataclasses.dataclass(frozen=True)
class Turn:
    """parts: Think, Text and Call in order. stop: "end", "length" or "filter"; calls decide for themselves."""

    parts: tuple
    stop: str = "end"
    input_tokens: int = 100
    cached_tokens: int = 40
    output_tokens: int = 20
    reasoning_tokens: int = 0

    @property
    def has_calls(self):
        return any(isinstance(p, Call) for p in self.parts)


def seal(kind, text):
    """State that belongs to a text; `kind` keeps dialects apart."""
    return f"{kind}-" + hashlib.sha256(f"{kind}:{text}".encode()).hexdigest()


def pieces(text, size=7):
    """The text in pieces, as deltas."""
    return [text[i : i + size] for i in range(0, len(text), size)] or [""]


class Refusal(Exception):
    """A request that the provider would answer with 400."""

    def __init__(self, message):
        super().__init__(message)
        self.message = message


def require(condition, message):
    if not condition:
        raise Refusal(message)


def known(value, names, where):
    """Refuse members that the provider does not know, as its validation does."""
    require(isinstance(value, dict), f"{where}: expected an object")
    for name in value:
        require(name in names, f"{where}.{name}: unknown parameter")


def schema_object(schema, where):
    require(isinstance(schema, dict), f"{where}: schema must be a JSON object")
    require(schema.get("type") == "object", f"{where}: schema must have type 'object', got {schema.get('type')!r}")


def real_name(name, offered):
    """The offered tool that a script's call means."""
    for candidate in offered:
        if candidate == name:
            return candidate
    for candidate in offered:
        if candidate.endswith("__" + name):
            return candidate
    raise AssertionError(f"the request offers no tool {name!r}, only {sorted(offered)}")
