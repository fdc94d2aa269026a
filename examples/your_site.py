"""Your site, from pages to answers: `python examples/your_site.py [FOLDER OR ADDRESS] [DATA FOLDER]`.

Without arguments it takes this project's own documentation and a data folder that goes when it ends.
"""

import sys
import tempfile
from pathlib import Path

from acronis_pipeline import api

DOCS = Path(__file__).parent.parent / "docs"


def main(site: str = str(DOCS), data: str | None = None, question: str = "How do I roll back a champion?") -> None:
    with tempfile.TemporaryDirectory() as temporary:
        settings = api.load_settings(data or temporary, site={"url": site})
        result = api.run(settings, ["query_adapter"])
        print(result.verdict)
        answer = api.Answerer(settings).ask(question)
        print(answer.text, *(citation.url for citation in answer.citations), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
