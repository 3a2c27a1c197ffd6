#!/usr/bin/env python3
"""Installs PySyncObj 0.3.17 from PyPI, whose SHA-256 pip checks, into `build/venv`, and Squall's Python kit with it.

It needs Python 3.9 or newer with venv and pip. Run it again at any time: what is done is not done again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / "build" / "venv"
KIT = HERE.parent.parent / "kits" / "python" / "src"
IS_INSTALLED = "import pysyncobj.version as it; raise SystemExit(it.VERSION != '0.3.17')"


def main() -> None:
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        run(sys.executable, "-m", "venv", VENV)
    check = [str(python), "-c", IS_INSTALLED]
    if subprocess.run(check, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        options = ["--quiet", "--require-hashes", "--no-deps"]
        run(python, "-m", "pip", "install", *options, "-r", HERE / "requirements.txt")
    link_kit(python)
    print(python)


def run(*command: object) -> None:
    words = [str(word) for word in command]
    print("+", " ".join(words), file=sys.stderr)
    if subprocess.run(words, stdout=sys.stderr, check=False).returncode != 0:
        sys.exit(f"{words[0]} has failed")


def link_kit(python: Path) -> None:
    """Makes the kit, as it is in the source tree, importable there."""
    command = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    link = Path(found.stdout.strip()) / "squall_raft.pth"
    link.write_text(f"{KIT}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
