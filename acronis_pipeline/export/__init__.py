"""Exporting a model for other engines, judged before it is handed out.

done = export(encoder, dataset, Path("out"), "openvino-int8")

The exported model is asked the same test questions as the original; one that may have lost too much is not written.
"""

from acronis_pipeline.export.exporting import FORMATS, Exported, Format, Judgement, export, judge, restore, serve

__all__ = ["FORMATS", "Exported", "Format", "Judgement", "export", "judge", "restore", "serve"]
