"""A MiniGrid environment's state in our form: to play on from any situation in both."""

import numpy as np
from minigrid.core.world_object import Door, WorldObj
from minigrid.envs import GoToDoorEnv, KeyCorridorEnv, UnlockEnv, UnlockPickupEnv
from minigrid.minigrid_env import MiniGridEnv

from visnav.envs import Env
from visnav.envs.grid import world

NUMBERED = ("door", "key", "ball", "box", "goal")


def inject(original: MiniGridEnv, twin: Env) -> None:
    """Put `twin` (reset before, and of the same task) into the situation that `original` is in."""
    numbers: dict[int, int] = {}  # by identity

    def code(thing: WorldObj | None) -> int:
        if thing is None:
            return world.EMPTY
        kind, color, door_state = thing.encode()
        kind = (kind, world.DOOR_CLOSED, world.DOOR_LOCKED)[door_state]
        number = numbers.setdefault(id(thing), len(numbers) + 1) if thing.type in NUMBERED else 0
        return kind | color << 4 | number << 8

    state = twin.get_state()
    grid = original.grid
    state["world.cells"][0] = [[code(grid.get(x, y)) for x in range(grid.width)] for y in range(grid.height)]
    state["world.agent"][0] = (*original.agent_pos, original.agent_dir)
    state["world.carrying"][0] = 0 if original.carrying is None else code(original.carrying)
    state["world.step_count"][0] = original.step_count
    state["world.mission"][0] = twin.simulation.task.missions.index(original.mission)
    state["world.target"][0] = _target(original, numbers)
    state["world.phase"][0] = world.PLAYING
    state["slots.num_objects"][0] = len(numbers)
    twin.set_state(state)


def _target(original: MiniGridEnv, numbers: dict[int, int]) -> tuple[int, int, int]:
    """(column, row, object number) that the objective speaks of."""
    if isinstance(original, GoToDoorEnv):
        return (*original.target_pos, 0)
    if isinstance(original, UnlockEnv):
        assert isinstance(original.door, Door)
        return (*original.door.cur_pos, 0)
    if isinstance(original, (UnlockPickupEnv, KeyCorridorEnv)):
        return (0, 0, numbers[id(original.obj)])
    return (0, 0, 0)


def look_of(twin: Env) -> np.ndarray:
    """The cells as `minigrid.core.grid.Grid.encode` gives them: (width, height, 3) uint8 kind, colour, state."""
    cells = twin.simulation.world.cells[0].T & world.LOOK
    kind, color = cells & 15, cells >> 4
    state = np.select([kind == world.DOOR_CLOSED, kind == world.DOOR_LOCKED], [1, 2], 0)
    return np.stack([np.where(state > 0, world.DOOR_OPEN, kind), color, state], -1).astype(np.uint8)
