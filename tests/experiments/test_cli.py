"""The command line: what it prints, what it returns, and that a user's mistake is never a traceback."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gymnasium as gym
import pytest

import visnav.envs
from visnav.envs.grid.drawing import to_text
from visnav.experiments import cli
from visnav.experiments.episode import Episode
from visnav.experiments.list import nearest_ids

DOOR_KEY = "visnav/MiniGrid-DoorKey-8x8-v0"


def visnav_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`visnav …` in a process of its own."""
    command = [sys.executable, "-m", "visnav.experiments.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_list_prints_every_registered_id_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    printed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert printed == list(visnav.envs.TASKS)


def test_list_prints_what_the_environment_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "doorkey-8"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    env = gym.make(DOOR_KEY)
    _, info = env.reset(seed=0)
    assert line.split(maxsplit=3) == [DOOR_KEY, "8x8", "640", info["mission"]]


def test_list_counts_the_layouts(capsys: pytest.CaptureFixture[str]) -> None:
    """Empty-Random-5x5: 8 free cells (the goal takes the ninth) and 4 directions; Empty-5x5: always the same."""
    assert cli.main(["list", "empty", "--layouts", "20000"]) == 0
    counts = {line.split()[0]: line.split()[3] for line in capsys.readouterr().out.splitlines()}
    assert counts["visnav/MiniGrid-Empty-Random-5x5-v0"] == "32"
    assert counts["visnav/MiniGrid-Empty-5x5-v0"] == "1"


def test_list_finds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "dorkey"]) == 2
    assert "visnav/MiniGrid-DoorKey" in capsys.readouterr().err


def test_a_printed_level_is_played_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], press: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `visnav layout` prints, edited, is what `play` and `watch` show."""
    assert cli.main(["layout", DOOR_KEY, "--level", "7"]) == 0
    printed = capsys.readouterr().out
    env = gym.make(DOOR_KEY)
    env.reset(options={"level": 7})
    assert printed == to_text(env)
    mine = tmp_path / "mine.txt"
    mine.write_text(printed.replace("yellow", "blue"))
    worlds = []
    screen = Episode.screen
    monkeypatch.setattr(Episode, "screen", lambda e, **k: worlds.append(to_text(e.env)) or screen(e, **k))
    for command in ("play", "watch"):
        press("escape")
        assert cli.main([command, DOOR_KEY, "--layout", str(mine)]) == 0
    assert worlds == [mine.read_text()] * 2


@pytest.mark.parametrize("name", ["MiniGrid-DoorKey-8x8-v0", "visnav/minigrid-doorkey-8x8-v0", "visnav/DoorKey-8x8-v0"])
def test_the_nearest_id_of_a_misspelt_one(name: str) -> None:
    assert nearest_ids(name)[0] == DOOR_KEY


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == cli.main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in cli.COMMANDS)


def test_an_unknown_command_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["wacth"]) == 2
    assert "'wacth'; did you mean watch" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["play", "visnav/MiniGrid-DoorKey-9x9-v0"], DOOR_KEY),
        (["play", DOOR_KEY, "--camera", "tile"], "tiles"),
        (["play", DOOR_KEY, "--seed", "-1"], "-1"),
        (["play", DOOR_KEY, "--layout", "nowhere.txt"], "there is no file 'nowhere.txt'"),
        (["layout", DOOR_KEY, "--level", "-3"], "start at 0"),
        (["watch", "runs/nowhere"], "no folder of a run"),
        (["watch", "."], "config.json"),
        (["watch", DOOR_KEY, "--level", "-3"], "start at 0"),
        (["evaluate", "runs/nowhere"], "config.json"),
        (["train", "visnav/MiniGrid-DoorKey-9x9-v0"], "DoorKey"),
        (["train", "MiniGrid-DoorKey-8x8-v0"], f"did you mean {DOOR_KEY}"),
        (["train", "two_rooms:me/TwoRooms-6x6-v0"], "begin with visnav --import two_rooms"),
        (["--import"], "takes the name of a module"),
        (["--import", "nowhere.two_rooms", "list"], "no module 'nowhere.two_rooms'"),
    ],
)
def test_a_mistake_is_one_clear_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_without_a_display_play_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert cli.main(["play", DOOR_KEY]) == 2
    assert "no display" in capsys.readouterr().err


def test_a_missing_package_is_named() -> None:
    code = "import sys; sys.modules['torch'] = None; from visnav.experiments.cli import main; sys.exit(main(['train']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr.strip()) == (2, "visnav: train needs torch: pip install 'visnav[train]'")


def test_the_reader_may_leave_early() -> None:
    pipe = f"{sys.executable} -m visnav.experiments.cli list | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", pipe], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("visnav/")


def test_the_command_is_light_until_it_is_needed() -> None:
    code = "import sys, visnav.experiments.cli; print(sorted({'torch', 'pygame', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_exit_status_reaches_the_shell() -> None:
    assert visnav_command("nonsense").returncode == 2
    assert visnav_command("--help").returncode == 0
