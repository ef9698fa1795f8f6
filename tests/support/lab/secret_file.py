"""Files with keys and passwords."""

import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Nobody else can read the file, not even for the moment between its creation and its end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
