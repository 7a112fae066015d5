"""What is installed is what stands in the folders."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("envs", "perception", "agents", "experiments")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_package_list_is_the_folders_with_code() -> None:
    found = {
        ".".join(["visnav", *init.parent.relative_to(ROOT).parts])
        for folder in FOLDERS
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    assert sorted(str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").exists()) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_types_are_published(folder: str) -> None:
    assert (ROOT / folder / "py.typed").is_file()


def test_every_direct_dependency_is_pinned() -> None:
    from packaging.requirements import Requirement

    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {line.partition("==")[0] for line in lines if "==" in line}
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = {
        Requirement(text).name.lower().replace("_", "-")
        for text in [*PROJECT["project"]["dependencies"], *(text for extra in extras for text in extra)]
    }
    assert wanted - {"visnav"} - pins == set()


@pytest.mark.slow
def test_a_wheel_holds_every_module_and_the_licence(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path / "wheel")]
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, files):  # a copy, so that the build leaves nothing in the working tree
        if (ROOT / name).is_file():
            (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / "source" / name)
    subprocess.run([*build, str(tmp_path / "source")], check=True, timeout=300)
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    members = set(zipfile.ZipFile(wheel).namelist())
    modules = {
        f"visnav/{name}"
        for name in files
        if name.split("/")[0] in FOLDERS and name.endswith((".py", "py.typed"))  # not the trained policies
    }
    assert modules <= members
    licences = {Path(member).name for member in members if ".dist-info/licenses/" in member}
    assert licences == {"LICENSE", "NOTICE"}
