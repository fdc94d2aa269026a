"""Evaluating the sensor, and reading what it answered."""

import dagster as dg

from acronis_pipeline.core.settings import Settings
from acronis_pipeline.defs.automation import build_site_sensor
from acronis_pipeline.defs.instance import open_instance
from acronis_pipeline.defs.resources import StoreResource


def tick(settings: Settings, cursor: str | None = None) -> dg.SensorResult:
    """One evaluation of the sensor in the data folder's own instance."""
    sensor = build_site_sensor(settings)
    with (
        open_instance(settings) as instance,
        dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"store": StoreResource(uri=settings.store_uri)}
        ) as context,
    ):
        result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


def skip_reason(result: dg.SensorResult) -> str:
    assert not result.run_requests
    assert isinstance(result.skip_reason, dg.SkipReason)
    return result.skip_reason.skip_message or ""


def requested(result: dg.SensorResult) -> dg.RunRequest:
    """The one run that a tick asked for."""
    (request,) = list(result.run_requests or [])
    return request


def urls_of(request: dg.RunRequest) -> list[str]:
    """The addresses that a run is to fetch; none means the whole site."""
    return (request.run_config or {})["ops"]["raw_pages"]["config"]["urls"]
