# For the type checker. The real one imports every model family, 2,000 files of which this project names one class:
# reading them took half of the checker's time. Submodules are still the library's own.
from typing import Any

def __getattr__(name: str) -> Any: ...
