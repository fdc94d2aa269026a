"""What is wrong with a setting, in one line that names what to set."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_settings import BaseSettings


def explain(problem: Any, settings: type[BaseSettings], profile_name: str) -> str:
    """One of pydantic's errors as a sentence for people.

    Parameters
    ----------
    profile_name
        The file, beside the environment and `.env`, that a setting may come from.
    """
    path = [str(part) for part in problem["loc"] if part != "[key]"]
    name = ".".join(path)
    if problem["type"] == "extra_forbidden":
        return f"{name} is not a setting; docs/operations.md lists them"
    message = problem["msg"].removeprefix("Value error, ")
    shown = (
        name
        if problem["loc"][-1:] == ("[key]",) or _may_hold_a_key(problem, path)
        else f"{name} = {problem['input']!r}"
    )
    to_set = " or ".join(_variables(settings, path, message))
    return f"{shown}: {message} (set {to_set}, .env or {profile_name})" if path else message


def _may_hold_a_key(problem: Any, path: Sequence[str]) -> bool:
    """A whole group, or a list of them, may; so may an option of the store, and an address with a password."""
    found = problem["input"]
    many = found if isinstance(found, list | tuple) else [found]
    is_group = any(isinstance(one, dict | BaseModel) for one in many)
    return path[:1] == ["storage_options"] or path[-1:] == ["api_key"] or is_group or "@" in str(found)


def _variables(settings: type[BaseSettings], path: Sequence[str], message: str) -> list[str]:
    """The variables that can mend it: of the field that the path leads to, or of those of a group that it speaks of."""
    named: list[str] = []
    group: Any = settings
    for part in path:
        if not (isinstance(group, type) and issubclass(group, BaseModel)) or part not in group.model_fields:
            break
        named.append(part)
        group = group.model_fields[part].annotation
    spoken_of: list[str] = []
    if isinstance(group, type) and issubclass(group, BaseModel):
        spoken_of = [word for word in dict.fromkeys(re.findall(r"\w+", message)) if word in group.model_fields]
    prefix = settings.model_config.get("env_prefix", "")
    return [f"{prefix}{'__'.join([*named, *last]).upper()}" for last in ([[word] for word in spoken_of] or [[]])]
