"""What a crawl knows and keeps: `tables`, the `archive` of what is learnt, a `journal` safe from kills, the `plan`."""
