"""Imports point one way, and importing the worlds stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {  # a package and the other packages of visnav that it may import
    "envs": set(),
    "perception": set(),
    "agents": {"perception"},
    "experiments": {"agents", "perception", "envs"},
}


def imported_modules(source: str, module: str, is_package: bool) -> Iterator[str]:
    """The absolute dotted name of everything that `source` imports, at any depth."""
    parents = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{prefix}.{alias.name}" for alias in node.names)


def source_files(package: str) -> Iterator[tuple[Path, str]]:
    """The files of a top-level folder and the absolute name of the module that each one is."""
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield path, ".".join(["visnav", *(parts[:-1] if parts[-1] == "__init__" else parts)])


def forbidden_arrows(package: str, files: Iterator[tuple[Path, str]]) -> list[str]:
    """The imports in `files` that lead from `package` to a package of visnav that it may not know."""
    arrows = []
    for path, module in files:
        for name in imported_modules(path.read_text(encoding="utf-8"), module, path.name == "__init__.py"):
            parts = name.split(".")
            target = parts[1] if parts[0] == "visnav" and len(parts) > 1 else parts[0]
            if target in ALLOWED and target != package and target not in ALLOWED[package]:
                arrows.append(f"{path.relative_to(path.parents[1])}: {package} -> {name}")
    return arrows


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_one_way(package: str) -> None:
    assert forbidden_arrows(package, source_files(package)) == []


@pytest.mark.parametrize(
    "line",
    [
        "import visnav.envs.gym",
        "from visnav import envs",
        "from ..envs import gym",
        "from .. import envs",
        "import envs",
        "def f():\n    from visnav.envs.gym import VectorEnv",
    ],
)
def test_every_form_of_a_forbidden_import_is_seen(line: str, tmp_path: Path) -> None:
    path = tmp_path / "agents" / "ppo.py"
    path.parent.mkdir()
    path.write_text(line)
    assert len(forbidden_arrows("agents", iter([(path, "visnav.agents.ppo")]))) == 1


def test_only_batch_imports_numba_cuda() -> None:
    importers = {
        str(path.relative_to(ROOT))
        for package in ALLOWED
        for path, module in source_files(package)
        for name in imported_modules(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")
        if name == "numba.cuda" or name.startswith("numba.cuda.")
    }
    assert importers <= {"envs/batch.py"}


def run_python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`code` in a fresh interpreter started in `cwd`."""
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=120)


def test_importing_envs_leaves_torch_pygame_and_matplotlib_alone(tmp_path: Path) -> None:
    code = "import sys, visnav.envs; print(sorted({'torch', 'pygame', 'matplotlib'} & set(sys.modules)))"
    done = run_python(code, tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.parametrize("package", ALLOWED)
def test_importing_a_folder_under_its_plain_name_is_refused(package: str) -> None:
    done = run_python(f"import {package}", ROOT)
    assert done.returncode == 1
    assert f"`import visnav.{package}`" in done.stderr
