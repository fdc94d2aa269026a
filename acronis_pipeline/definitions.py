"""What Dagster loads."""

from acronis_pipeline.defs import build_definitions
from acronis_pipeline.settings import load_settings

defs = build_definitions(load_settings())
