"""What every stage builds on: settings, errors, hashing, files, labelled data, gold questions."""
