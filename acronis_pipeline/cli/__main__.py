"""`python -m acronis_pipeline.cli`: the command line without its script."""

from acronis_pipeline.cli import main

if __name__ == "__main__":
    main()
