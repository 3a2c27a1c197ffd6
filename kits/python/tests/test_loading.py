from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nodes import Plain
from support import ENVIRONMENT

from squall_raft.loading import NotFound, target_of

CLASS = "from squall_raft import Replica\n\nclass Mine(Replica):\n    pass\n"


def load_elsewhere(target: str, folder: Path) -> str:
    """What another process finds: the class's module and name, and what failed."""
    code = (
        "import sys; from squall_raft.loading import load; c = load(sys.argv[1]);"
        "print(c.__module__, c.__qualname__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, target],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        cwd=folder,
        check=False,
    )
    return done.stdout.strip() or done.stderr


def test_a_class_of_a_test_file_is_found_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a folder" / "test_of_mine.py").write_text(CLASS)
    monkeypatch.syspath_prepend(tmp_path / "a folder")
    monkeypatch.chdir(tmp_path)
    module: Any = __import__("test_of_mine")
    target = target_of(module.Mine)
    assert target == "a folder/test_of_mine.py:Mine"
    assert load_elsewhere(target, tmp_path) == "test_of_mine Mine"
    monkeypatch.chdir(Path(__file__).parent)
    assert target_of(module.Mine) == f"{tmp_path.resolve()}/a folder/test_of_mine.py:Mine"


def test_a_class_of_a_package_keeps_its_relative_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "outer_package" / "inner"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package.parent / "__init__.py").touch()
    (package / "base.py").write_text(CLASS)
    (package / "derived.py").write_text("from .base import Mine\n\nclass Yours(Mine):\n  pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    from outer_package.inner.derived import Yours  # type: ignore[import-not-found]

    target = target_of(Yours)
    assert target == "outer_package/inner/derived.py:Yours"
    assert load_elsewhere(target, tmp_path) == "outer_package.inner.derived Yours"


def test_a_class_of_a_namespace_package_is_found_by_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "namespace_only").mkdir()
    (tmp_path / "namespace_only" / "mine.py").write_text(CLASS)
    monkeypatch.syspath_prepend(tmp_path)
    from namespace_only.mine import Mine  # type: ignore[import-not-found]

    assert target_of(Mine) == "namespace_only.mine:Mine"
    assert load_elsewhere("namespace_only.mine:Mine", tmp_path) == "namespace_only.mine Mine"


def test_a_class_within_a_class_is_found(tmp_path: Path) -> None:
    (tmp_path / "nested.py").write_text(CLASS + "    class Inner(Replica):\n        pass\n")
    assert load_elsewhere("nested.py:Mine.Inner", tmp_path) == "nested Mine.Inner"


def test_a_class_within_a_function_is_not() -> None:
    class Hidden(Plain):
        pass

    with pytest.raises(NotFound, match="at the top of its module"):
        target_of(Hidden)
