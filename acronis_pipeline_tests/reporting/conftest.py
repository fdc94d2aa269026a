from acronis_pipeline_tests.evaluate.conftest import timed_briefly

__all__ = ["timed_briefly"]
