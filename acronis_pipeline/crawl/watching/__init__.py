"""Noticing changes between crawls with a few requests: `probe` looks, `changes` compares, `sampling` takes turns."""
