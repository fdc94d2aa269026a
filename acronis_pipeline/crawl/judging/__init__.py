"""Telling what answers are: bodies (`formats`), what is no page (`non_pages`), and what came of a visit
(`verdict`)."""
