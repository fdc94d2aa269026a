"""What a question would look like to BM25 if a customer had asked it: some of the passage's words left out.

Fusion weights and systems chosen on questions made from the passage would lean on words that customers do not use, so
on validation BM25 sees each structural question without a fixed 40 % of its content words (`pairs.thinning`). The
encoder, which also knows synonyms, sees it whole.
"""

from acronis_pipeline.pairs.thinning import CUSTOMERS_LACK, thinned


def as_customers_would(query: str, share: float = CUSTOMERS_LACK) -> str:
    """The query without `share` of its content words, the same ones every time; a single one is kept."""
    return thinned(query, share)
