"""Engines that run an encoder: torch itself, or OpenVINO on a converted copy of the model.

embedder = running(folder, identity, settings.model)   # what indexing and questions use

Which engine computes float32 is found out on the machine (`choosing`). A reduced precision is somebody's choice or a
probe's (`precision`), and part of the model's identity, so that queries take the same path as the passages of an index.
"""

from acronis_pipeline.encoders.choosing import running
from acronis_pipeline.encoders.precision import precision_of

__all__ = ["precision_of", "running"]
