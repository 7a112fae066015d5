"""What the README shows is so."""

import re
from pathlib import Path
from typing import Any

import pytest

import visnav.envs
from visnav.envs.grid.drawing import CELLS, read_thing, to_text
from visnav.envs.gym import COMMON
from visnav.experiments import cli, play, watch

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_its_task_is_the_file_that_a_test_trains_on() -> None:
    assert (ROOT / "docs" / "two_rooms.py").read_text(encoding="utf-8") in CODE


def test_its_first_example_runs() -> None:
    names: dict[str, object] = {}
    exec(CODE[0], names)
    assert names["observation"].shape == (256, 64, 64, 3)  # type: ignore[attr-defined]


def test_its_drawing_is_played_and_its_things_can_be_drawn() -> None:
    (example,) = (block for block in CODE if "drawn = " in block)
    names: dict[str, Any] = {}
    exec(example, names)
    names["env"].reset(seed=0)
    assert to_text(names["env"]).strip() == names["drawn"].strip()
    things = README.partition("Things are ")[2].partition("As JSON")[0]
    told = [" ".join(thing.split()) for thing in re.findall(r"`([^`]+)`", things)]
    assert [thing for thing in told if read_thing(thing, "README") is None] == []
    in_red = {name for name in CELLS if "red" in name or " " not in name}
    assert in_red <= set(told)


def test_its_plans_are_plans() -> None:
    (example,) = (block for block in CODE if "planner" in block)
    names: dict[str, Any] = {}
    exec(example, names)
    assert all(names["plans"])
    assert names["to_goal"].shape == (256, 8, 8, 4)
    assert names["shortest"].shape == (256,)


@pytest.mark.slow
def test_its_example_for_stable_baselines3_runs() -> None:
    pytest.importorskip("stable_baselines3")
    (example,) = (block for block in CODE if "stable_baselines3" in block)
    names: dict[str, object] = {}
    exec(example.replace("learn(1_000_000)", "learn(1)").replace("envs, policy", "envs, n_steps=8, policy"), names)
    assert names["model"].num_timesteps >= 1  # type: ignore[attr-defined]


def test_it_names_every_id_and_counts_them() -> None:
    ids = [name.removeprefix(prefix) for name in visnav.envs.TASKS if name.startswith(prefix := "visnav/MiniGrid-")]
    assert f"{len(ids)} MiniGrid environments" in README
    named = []
    for row in README.partition("Distinct layouts |\n|---|---|---|---|\n")[2].partition("\n\n")[0].splitlines():
        families, variants = row.split("|")[1:3]
        for family in re.findall(r"`(.*?)`", families):
            named += [family.replace("…", variant) for variant in variants.strip().split(", ")]
    assert sorted(named) == sorted(ids)


def test_it_names_every_keyword_every_command_and_every_key() -> None:
    assert [name for name in COMMON if f"`{name}`" not in README and name != "device"] == []
    assert [name for name in cli.COMMANDS if f"visnav {name}" not in README] == []
    keys = {key for names in [*play.HELP, *watch.HELP] for key in re.split(r", | ", names) if len(key) > 1}
    assert [key for key in keys if key not in README and key != "period"] == []


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []
