"""Every call of a language model: requests, retries, budget, cache, batches, and reading what came back."""
