"""What Dagster loads."""

from acronis_pipeline.core.settings import load_settings
from acronis_pipeline.defs import build_definitions

defs = build_definitions(load_settings())
