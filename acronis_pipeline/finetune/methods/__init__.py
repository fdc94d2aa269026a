"""The methods a recipe can name: those in this folder, and those that installed packages add.

A package adds one through an entry point of the group `acronis_pipeline.methods`: its name is what recipes write, and
it leads to a `Method`. The names of ours are taken.

    [project.entry-points."acronis_pipeline.methods"]
    my_method = "my_package.my_method:METHOD"
"""

from importlib.metadata import EntryPoint, entry_points

from acronis_pipeline.core.errors import RecipeError
from acronis_pipeline.finetune.method import Method
from acronis_pipeline.finetune.methods import decoder, distill, encoder, ensemble, query_adapter, two_tower

GROUP = "acronis_pipeline.methods"
"""Of the entry points by which other packages add methods."""

OURS = {
    "query_adapter": query_adapter.METHOD,
    "full": encoder.FULL,
    "ensemble": ensemble.METHOD,
    "two_tower": two_tower.METHOD,
    "decoder": decoder.METHOD,
    "distill": distill.METHOD,
    "lora": encoder.LORA,
}


def method_names() -> list[str]:
    """All that a recipe can name, sorted; imports no other package."""
    return sorted(OURS.keys() | entry_points(group=GROUP).names)


def method_named(name: str) -> Method:
    """The method of that name.

    Raises
    ------
    RecipeError
        If there is none, more than one, or one that does not load.
    """
    if name in OURS:
        return OURS[name]
    offered = list(entry_points(group=GROUP, name=name))
    if not offered:
        raise RecipeError(f"method = {name!r} is unknown; use one of {', '.join(method_names())}")
    if len(offered) > 1:
        packages = " and ".join(sorted(_package_of(one) for one in offered))
        raise RecipeError(f"method = {name!r} comes with {packages}; uninstall all but one")
    return _loaded(offered[0])


def _loaded(entry_point: EntryPoint) -> Method:
    whose = f"method = {entry_point.name!r}: {entry_point.value} of package {_package_of(entry_point)}"
    try:
        found = entry_point.load()
    except Exception as error:  # whatever somebody else's module raises when it is imported
        raise RecipeError(
            f"{whose} cannot be loaded ({type(error).__name__}: {error}); mend or uninstall it"
        ) from error
    if not isinstance(found, Method):
        raise RecipeError(f"{whose} is a {type(found).__name__}, not a finetune.method.Method; mend or uninstall it")
    return found


def _package_of(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist else entry_point.value
