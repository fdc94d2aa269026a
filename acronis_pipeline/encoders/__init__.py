"""Engines that run an encoder: torch itself, or OpenVINO on a converted copy of the model.

embedder = running(folder, identity, settings.model)   # what indexing and questions use

Which engine computes float32 is found out on the machine (`choosing`); a reduced precision is somebody's choice and
part of the model's identity, which is what makes queries take the same path as the passages of an index.
"""

from acronis_pipeline.encoders.choosing import asked_precision, running

__all__ = ["asked_precision", "running"]
