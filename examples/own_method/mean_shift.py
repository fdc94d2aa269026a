"""A method of your own: every question is moved by what answers differ from their questions on average."""

import numpy as np
from pydantic import Field

from acronis_pipeline.finetune.method import Changed, Fitted, Method, MethodParameters, Task


class Parameters(MethodParameters):
    share: float = Field(0.1, ge=0, description="Of the difference that a question is moved by.")


def fit(task: Task, parameters: Parameters) -> Fitted:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Router
    from sentence_transformers.sentence_transformer.modules import Normalize
    from torch import from_numpy, nn, zeros

    train = task.examples.train
    answers = [next(iter(train.relevant(question))) for question in range(len(train))]
    passages = task.passage_vectors.matrix[task.passage_vectors.starts[answers]]
    shift = parameters.share * (passages - task.query_vectors).mean(axis=0, dtype=np.float32)
    size, modules = len(shift), list(task.local_base.model.children())
    moved = Dense(
        *(size, size), activation_function=nn.Identity(), use_residual=True, init_weight=zeros(size, size),
        init_bias=from_numpy(shift),
    )  # fmt: skip
    router = Router.for_query_document(query_modules=[*modules, moved, Normalize()], document_modules=modules)
    model = SentenceTransformer(modules=[router], prompts=task.local_base.model.prompts, similarity_fn_name="cosine")
    return Fitted(model, Changed.QUERIES, "mean", [])


METHOD = Method(Parameters, fit)
