"""What a data folder remembers of the site that it was made from."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from acronis_pipeline.core.errors import SettingsError, SiteError
from acronis_pipeline.core.settings import Settings, read_profile, write_profile


@contextmanager
def remembering(settings: Settings, profile: dict[str, Any]) -> Iterator[None]:
    """Have the data folder remember `profile`, so that the UI and the nightly run go on with the same site.

    It forgets it again if the block finds that the site cannot be crawled.

    Raises
    ------
    SettingsError
        If the folder belongs to another site.
    """
    before = read_profile(settings.data_dir)
    _require_same_site(settings, before)
    if "site" in profile:
        # As an address: the path of a folder may be relative to where this command was typed.
        profile = {**profile, "site": {**profile["site"], "url": settings.site.url}}
    write_profile(settings, _merged(before, profile))
    try:
        yield
    except SiteError:
        _restore(settings, before)
        raise


def remember_addresses(settings: Settings, addresses: dict[str, str]) -> None:
    """Have links lead to where the UIs are served, typed in another terminal too: settings such as `mlflow_ui_url`.

    A folder that knows of no site remembers nothing else either.
    """
    before = read_profile(settings.data_dir)
    moved = {name: address for name, address in addresses.items() if getattr(settings, name) != address}
    if before and moved:
        write_profile(settings, before | moved)


def _require_same_site(settings: Settings, profile: dict[str, Any]) -> None:
    known = profile.get("site", {}).get("url")
    if known is not None and known != settings.site.url:
        raise SettingsError(
            f"data folder {settings.data_dir} belongs to {known}, not to {settings.site.url}; "
            "name another folder with --data"
        )


def _restore(settings: Settings, before: dict[str, Any]) -> None:
    if before:
        write_profile(settings, before)
    else:
        settings.profile_file.unlink()


def _merged(before: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """`new` over `before`, group by group, so that settings added by hand stay."""
    merged = dict(before)
    for name, value in new.items():
        old = merged.get(name)
        merged[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
