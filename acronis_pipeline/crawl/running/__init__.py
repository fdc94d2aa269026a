"""Crawling a site: `crawl_run` from beginning to end, `session` the arrival, `crawler` and `url_queue` the way.

A `folder` answers as a website does, `render` runs pages that scripts build, `reader` makes pages of answers.
"""
