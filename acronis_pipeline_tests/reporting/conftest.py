from acronis_pipeline_tests.evaluate.conftest import computed_once

__all__ = ["computed_once"]
