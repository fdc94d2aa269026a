"""Going through a site: `course` from beginning to end, `plan` how much of it, `crawler` and `agenda` the way."""
