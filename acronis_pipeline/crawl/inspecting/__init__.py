"""Seeing what crawls did: `status`, `history` of a page, `summary` in words, `plots`."""
