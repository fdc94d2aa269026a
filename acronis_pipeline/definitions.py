"""What Dagster loads: the only place that builds definitions from what the environment says."""

from acronis_pipeline.core.settings import load_settings
from acronis_pipeline.defs import build_definitions

defs = build_definitions(load_settings())
