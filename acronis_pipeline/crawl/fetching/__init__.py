"""Getting answers from a site.

Arriving (`source`, `session`, `robots`, `sitemap`, `site_files`), asking (`fetch`, `folder`, `render`), manners
(`pace`, `retries`, `health`) and safety (`guard`).
"""
