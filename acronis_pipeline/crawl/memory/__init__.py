"""What a crawl knows and keeps: `known` from before, `archive` what is learnt, `journal` safe from a kill, `tables`."""
