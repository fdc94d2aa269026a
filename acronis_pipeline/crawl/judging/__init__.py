"""Telling what addresses and answers are.

Spelling and scope (`urls`, `scope`, `traps`, `spellings`), bodies (`formats`, `charset`, `page`), and what is no page
(`walls`, `soft404`, `languages`, `verdict`).
"""
