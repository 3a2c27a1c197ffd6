#!/usr/bin/env python3
"""Builds rraft-py 0.2.27 from its source distribution, into a virtual environment of its own.

rraft-py is on PyPI as source alone, and its Cargo.toml asks for a fork of raft by a git address. What its Python side
needs of the fork is a module that formats messages; all else is in the released crate raft 0.7.0. So this script

- has pip download the source, and checks its SHA-256;
- unpacks it into `build/`, points it at the released crate, and gives it `derializer.rs`, which is beside this script;
- builds the wheel with maturin and installs it into `build/venv`, together with Squall's Python kit.

It needs Rust, a C linker, and Python 3.10 to 3.12 with venv and pip; all packages come from the registries. Run it
again at any time: what is done is not done again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

VERSION = "0.2.27"
SHA256 = "df77d268a95d366449017d7ab2109c3720ed8486c3434b025252ca03553b2685"
MATURIN = "1.9.6"
# The version in Cargo.lock does not compile with Rust 1.80 and later.
TIME = "0.3.36"

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
VENV = BUILD / "venv"
SOURCE = BUILD / f"rraft_py-{VERSION}"
KIT = HERE.parent.parent / "kits" / "python" / "src"

# Who asks for the metadata of a source distribution runs its build backend, which for rraft-py would compile all of
# it. This one says what pip wants to hear before it keeps a file.
STUB_BACKEND = f"""
import os


def prepare_metadata_for_build_wheel(directory, config_settings=None):
    name = "rraft_py-{VERSION}.dist-info"
    os.mkdir(os.path.join(directory, name))
    with open(os.path.join(directory, name, "METADATA"), "w", encoding="utf-8") as file:
        file.write("Metadata-Version: 2.1\\nName: rraft-py\\nVersion: {VERSION}\\n")
    return name
"""

FORK = (
    'raft = { git = "https://github.com/jopemachine/raft-rs.git", '
    'features = ["prost-codec", "default-logger"], default-features = false }'
)
RELEASED = (
    'raft = { version = "=0.7.0", '
    'features = ["prost-codec", "default-logger"], default-features = false }'
)
USERS_OF_DERIALIZER = (
    "src/lib.rs",
    "src/raftpb_bindings/conf_change.rs",
    "src/raftpb_bindings/conf_change_v2.rs",
    "src/raftpb_bindings/entry.rs",
    "src/raftpb_bindings/message.rs",
    "src/raftpb_bindings/snapshot.rs",
    "src/utils/deserializer.rs",
)


def main() -> None:
    if not (3, 10) <= sys.version_info[:2] <= (3, 12):
        sys.exit("rraft-py needs Python 3.10 to 3.12: run this script with one of them")
    python = venv_python()
    stamp = BUILD / "done"
    recipe = hashlib.sha256(Path(__file__).read_bytes() + derializer().encode()).hexdigest()
    done = stamp.exists() and stamp.read_text() == recipe
    if not done or not imports(python):
        shutil.rmtree(SOURCE, ignore_errors=True)
        stamp.unlink(missing_ok=True)
        make_venv(python)
        unpack(download(python))
        patch()
        install(python, build_wheel(python))
        if not imports(python):
            sys.exit("rraft-py is installed, and cannot be imported")
        stamp.write_text(recipe)
    link_kit(python)
    print(python)


def venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def derializer() -> str:
    return (HERE / "derializer.rs").read_text(encoding="utf-8")


def run(*command: object, **environment: str) -> None:
    words = [str(word) for word in command]
    print("+", " ".join(words), file=sys.stderr)
    done = subprocess.run(words, env={**os.environ, **environment}, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        sys.exit(f"{words[0]} has failed")


def imports(python: Path) -> bool:
    if not python.exists():
        return False
    command = [str(python), "-c", "import rraft"]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def make_venv(python: Path) -> None:
    if not python.exists():
        run(sys.executable, "-m", "venv", VENV)
    run(python, "-m", "pip", "install", "--quiet", f"maturin=={MATURIN}")


def download(python: Path) -> Path:
    archive = BUILD / f"rraft_py-{VERSION}.tar.gz"
    if not archive.exists():
        stub = BUILD / "stub"
        stub.mkdir(exist_ok=True)
        (stub / "maturin.py").write_text(STUB_BACKEND, encoding="utf-8")
        options = ["--quiet", "--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
        pip = [python, "-m", "pip", "download", *options]
        run(*pip, "--dest", BUILD, f"rraft-py=={VERSION}", PYTHONPATH=str(stub))
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        sys.exit(f"{archive.name} has the SHA-256 {found}, and should have {SHA256}")
    return archive


def unpack(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(BUILD, filter="data")
        else:
            tar.extractall(BUILD)


def patch() -> None:
    replace("Cargo.toml", FORK, RELEASED)
    # It is no member of the workspace that it lies in.
    replace("Cargo.toml", "[dependencies]\n", "[workspace]\n\n[dependencies]\n")
    lock = SOURCE / "Cargo.lock"
    lines = lock.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith('source = "git+')]
    if len(lines) - len(kept) != 2:
        sys.exit("Cargo.lock should have two packages from git, raft and raft-proto")
    lock.write_text("".join(kept), encoding="utf-8")
    for path in USERS_OF_DERIALIZER:
        replace(path, "use raft::derializer::", "use crate::derializer::")
    replace("src/lib.rs", "mod bindings;\n", "mod bindings;\nmod derializer;\n")
    (SOURCE / "src" / "derializer.rs").write_text(derializer(), encoding="utf-8")
    run(
        "cargo", "update", "--quiet", "--manifest-path", manifest(), "-p", "time", "--precise", TIME
    )


def replace(path: str, old: str, new: str) -> None:
    file = SOURCE / path
    text = file.read_text(encoding="utf-8")
    if text.count(old) != 1:
        sys.exit(f"{path} should have this once: {old}")
    file.write_text(text.replace(old, new), encoding="utf-8")


def manifest() -> Path:
    return SOURCE / "Cargo.toml"


def build_wheel(python: Path) -> Path:
    wheels = BUILD / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    maturin = [python, "-m", "maturin", "build", "--release", "--locked"]
    paths = ["--manifest-path", manifest(), "--out", wheels, "--interpreter", python]
    environment = {"CARGO_TARGET_DIR": str(BUILD / "target"), "PROTOC": protoc()}
    run(*maturin, *paths, **environment)
    (wheel,) = wheels.glob("*.whl")
    return wheel


def protoc() -> str:
    """The compiler of raft's message definitions: the caller's, or the one that the crate protobuf-build carries."""
    own = os.environ.get("PROTOC") or shutil.which("protoc")
    if own:
        return own
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path"]
    metadata = subprocess.run([*command, str(manifest())], stdout=subprocess.PIPE, check=True)
    packages = json.loads(metadata.stdout)["packages"]
    (carrier,) = (package for package in packages if package["name"] == "protobuf-build")
    names = {
        ("Linux", "x86_64"): "protoc-linux-x86_64",
        ("Linux", "aarch64"): "protoc-linux-aarch_64",
        ("Darwin", "x86_64"): "protoc-osx-x86_64",
        ("Darwin", "arm64"): "protoc-osx-x86_64",
        ("Windows", "AMD64"): "protoc-win32.exe",
    }
    machine = (platform.system(), platform.machine())
    if machine not in names:
        sys.exit("no protoc was found: install one, or name it in PROTOC")
    return str(Path(carrier["manifest_path"]).parent / "bin" / names[machine])


def install(python: Path, wheel: Path) -> None:
    options = ["--quiet", "--no-deps", "--force-reinstall"]
    run(python, "-m", "pip", "install", *options, wheel)


def link_kit(python: Path) -> None:
    """Makes the kit, as it is in the source tree, importable there."""
    command = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    link = Path(found.stdout.strip()) / "squall_raft.pth"
    link.write_text(f"{KIT}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
