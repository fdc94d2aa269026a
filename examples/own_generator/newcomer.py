"""A question generator of one's own: what somebody asks who has heard of a thing and no more."""

from collections.abc import Sequence

from acronis_pipeline.core.settings import PairSettings
from acronis_pipeline.pairs.generator import Candidate, Chunk, Generation, Generator


class Newcomer(Generator):
    """One question about the heading of each section."""

    name = "newcomer"  # that of the entry point; it stands in the pairs table
    prompt_hash = "1"  # when it changes, every chunk is asked again

    def __init__(self, chunks: Sequence[Chunk], settings: PairSettings) -> None:
        """Both are here for generators that weigh words by the whole site, or have settings to follow."""

    def generate(self, chunks: Sequence[Chunk]) -> Generation:
        told = [chunk for chunk in chunks if chunk.heading_path]
        return Generation(
            tuple(
                Candidate(
                    query=f"I am new here, where is {chunk.heading_path[-1].lower()} explained?",
                    chunk_id=chunk.chunk_id,
                    style="question",
                    generator=self.name,
                    prompt_hash=self.prompt_hash,
                )
                for chunk in told
            ),
            {"no heading": len(chunks) - len(told)} if len(told) < len(chunks) else {},
        )
