"""Serve the sample site in the foreground until Ctrl-C: ``python -m acronis_pipeline.sample_site [--edits FOLDER]``."""

import argparse
import sys
from pathlib import Path

from acronis_pipeline.sample_site.server import DEFAULT_PORT, base_url, make_server


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m acronis_pipeline.sample_site", description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--edits", type=Path, help="folder whose files shadow the bundled pages")
    arguments = parser.parse_args()
    if arguments.edits and not arguments.edits.is_dir():
        parser.error(f"--edits {arguments.edits} is not a folder; create it first")
    try:
        server = make_server(arguments.port, edits=arguments.edits)
    except OSError as error:
        print(f"port {arguments.port}: {error.strerror}; choose another with --port", file=sys.stderr)
        return 2
    with server:
        print(f"sample site: {base_url(server.server_port)} (Ctrl-C stops it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
