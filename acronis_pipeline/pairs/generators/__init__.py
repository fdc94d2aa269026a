"""Question generators: chunks in, candidate queries out."""
