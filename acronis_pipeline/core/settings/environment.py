"""What is wrong with a setting, in one line that names what to set.

`explain` words what validation found. Validation never sees what the environment and `.env` say that cannot become a
setting, misspelt names and lists that are no JSON, so these are looked for before it.
"""

import json
import os
import re
from collections.abc import Collection, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource

from acronis_pipeline.core.errors import SettingsError


def explain(problem: Any, settings: type[BaseSettings], profile_name: str) -> str:
    """One of pydantic's errors as a sentence for people.

    `profile_name` is the file, beside the environment and `.env`, that a setting may come from.
    """
    path = [str(part) for part in problem["loc"] if part != "[key]"]
    name = ".".join(path)
    if problem["type"] == "extra_forbidden":
        return f"{name} is not a setting; docs/reference/settings.md lists them"
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


def refuse_unknown_variables(settings: type[BaseSettings], others: Collection[str]) -> None:
    """A misspelt group or top-level name would be passed over in silence: raises a SettingsError that names it."""
    prefix = settings.model_config.get("env_prefix", "")
    known = {f"{prefix}{name.upper()}" for name in settings.model_fields} | set(others)
    for variable in os.environ:
        upper = variable.upper()
        if upper.startswith(prefix) and upper not in known and upper.split("__")[0] not in known:
            raise SettingsError(f"{variable} is not a setting; docs/reference/settings.md lists them")


def refuse_malformed_values(settings: type[BaseSettings]) -> None:
    """Lists, mappings and whole groups are written as JSON; pydantic-settings does not say which variable is not.

    The SettingsError raised here names the variable, what it holds and how to write it.
    """
    prefix = settings.model_config.get("env_prefix", "")
    for source, where in ((EnvSettingsSource(settings), ""), (DotEnvSettingsSource(settings), " in .env")):
        for name, value in source.env_vars.items():
            field = _field(settings, name.upper().removeprefix(prefix)) if name.upper().startswith(prefix) else None
            if field and value and not _is_json(value) and (example := _example(field, value)):
                # A group may hold a key, options of the store hold theirs.
                secret = _group_in(field.annotation) or "Secret" in str(field.annotation)
                held = "" if secret else f"={value!r}"
                raise SettingsError(
                    f"{name.upper()}{held}{where} is not what this setting takes; write it as JSON: '{example}'"
                )


def _field(settings: type[BaseSettings], name: str) -> FieldInfo | None:
    """The field that a variable (without the prefix) sets; None for an unknown one, or an entry of a mapping."""
    group: Any = settings
    *groups, last = name.lower().split("__")
    for part in groups:
        group = group.model_fields[part].annotation if part in group.model_fields else None
        if not _is_group(group):
            return None
    return group.model_fields.get(last)


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def _example(field: FieldInfo, value: str) -> str | None:
    """How a value is written, if the field is written as JSON."""
    if group := _group_in(field.annotation):
        example = {next(iter(group.model_fields)): "…"}
        return json.dumps(example if group is field.annotation else [example], ensure_ascii=False)
    if get_origin(field.annotation) is tuple:
        return json.dumps([part.strip() for part in value.strip("[]()").split(",")], ensure_ascii=False)
    if get_origin(field.annotation) is dict:
        return json.dumps(dict(list(field.default.items())[:2]) or {"name": "value"})
    return None


def _group_in(annotation: Any) -> type[BaseModel] | None:
    """The group that a field is, or is a list of."""
    return next((part for part in (annotation, *get_args(annotation)) if _is_group(part)), None)


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
