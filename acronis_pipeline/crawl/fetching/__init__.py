"""Asking a site: which addresses (`urls`, `scope`), what it says of itself (`site_files`, `sitemap`), requests.

A request is made by `fetch`, as often as `pace` allows, and never into a private network (`guard`).
"""
