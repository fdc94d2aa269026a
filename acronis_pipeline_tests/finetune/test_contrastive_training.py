import pytest

torch = pytest.importorskip("torch")

from acronis_pipeline.finetune.contrast import info_nce  # noqa: E402
from acronis_pipeline.finetune.contrastive_training import Schedule  # noqa: E402
from acronis_pipeline.finetune.interpolate import between, choose_share  # noqa: E402
