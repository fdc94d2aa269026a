"""Telling what answers are: bodies (`formats`), what is no page (`walls`, `soft404`), and what came of a visit
(`verdict`)."""
