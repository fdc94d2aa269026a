"""Tags by which a run in MLflow names the run in Dagster that made it."""

DAGSTER_RUN = "dagster.run_id"
DAGSTER_URL = "dagster.run_url"
