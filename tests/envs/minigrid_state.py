"""A MiniGrid environment's state in our form: to play on from any situation in both."""

from collections.abc import Callable

import numpy as np
from minigrid.core.world_object import Box, WorldObj
from minigrid.envs import (
    DynamicObstaclesEnv,
    FetchEnv,
    GoToDoorEnv,
    GoToObjectEnv,
    MemoryEnv,
    PutNearEnv,
    RedBlueDoorEnv,
    UnlockEnv,
)
from minigrid.minigrid_env import MiniGridEnv

from visnav.envs import Env
from visnav.envs.grid import world

NUMBERED = ("door", "key", "ball", "box", "goal")
KINDS = {"key": world.KEY, "ball": world.BALL, "box": world.BOX}


def inject(original: MiniGridEnv, twin: Env) -> None:
    """Put `twin` (reset before, and of the same task) into the situation that `original` is in."""
    numbers: dict[int, int] = {}  # by identity

    def number_of(thing: WorldObj) -> int:
        return numbers.setdefault(id(thing), len(numbers) + 1)

    def code(thing: WorldObj | None) -> int:
        if thing is None:
            return world.EMPTY
        kind, color, door_state = thing.encode()
        kind = (kind, world.DOOR_CLOSED, world.DOOR_LOCKED)[door_state]
        return kind | color << 4 | (number_of(thing) if thing.type in NUMBERED else 0) << 8

    state = twin.get_state()
    grid = original.grid
    state["world.contents"][0] = 0
    boxes = [box for box in (*grid.grid, original.carrying) if isinstance(box, Box) and box.contains is not None]
    for number, box in enumerate(boxes, start=1):  # these first, as there is room for low numbers only
        numbers[id(box)] = number
    for box in boxes:
        state["world.contents"][0, number_of(box)] = code(box.contains)
    state["world.cells"][0] = [[code(grid.get(x, y)) for x in range(grid.width)] for y in range(grid.height)]
    state["world.agent"][0] = (*original.agent_pos, original.agent_dir)
    state["world.carrying"][0] = 0 if original.carrying is None else code(original.carrying)
    state["world.step_count"][0] = original.step_count
    state["world.mission"][0] = twin.simulation.task.missions.index(original.mission)
    state["world.target"][0], state["world.other_target"][0] = _targets(original, number_of)
    if isinstance(original, DynamicObstaclesEnv):
        state["world.obstacles"][0] = [ball.cur_pos for ball in original.obstacles]
    state["world.rng"][0] = words_of(original.np_random)
    state["world.phase"][0] = world.PLAYING
    state["slots.num_objects"][0] = len(numbers)
    twin.set_state(state)


def _targets(
    original: MiniGridEnv, number_of: Callable[[WorldObj], int]
) -> tuple[tuple[int, int, int], tuple[int, int]]:
    """(column, row, object number or look) and (column, row) that the objective speaks of."""
    if isinstance(original, (GoToDoorEnv, GoToObjectEnv)):
        return (*original.target_pos, 0), (0, 0)
    if isinstance(original, FetchEnv):
        return (0, 0, _look(original.targetType, original.targetColor)), (0, 0)
    if isinstance(original, PutNearEnv):
        return (*original.target_pos, _look(original.move_type, original.moveColor)), (0, 0)
    if isinstance(original, MemoryEnv):
        return (*original.success_pos, 0), original.failure_pos
    if isinstance(original, RedBlueDoorEnv):
        return (*_where(original, original.blue_door), 0), _where(original, original.red_door)
    if isinstance(original, UnlockEnv):
        return (*original.door.cur_pos, 0), (0, 0)
    if hasattr(original, "obj"):
        return (0, 0, number_of(original.obj)), (0, 0)
    return (0, 0, 0), (0, 0)


def _look(kind: str, color: str) -> int:
    return KINDS[kind] | world.COLOR_NAMES.index(color) << 4


def _where(original: MiniGridEnv, thing: WorldObj) -> tuple[int, int]:
    """Column and row of a thing."""
    row, column = divmod(original.grid.grid.index(thing), original.grid.width)
    return column, row


def words_of(generator: np.random.Generator) -> np.ndarray:
    """A NumPy generator as the words of `visnav.envs.rng`: (6,) uint64."""
    state = generator.bit_generator.state
    halves = [divmod(state["state"][name], 2**64) for name in ("state", "inc")]
    return np.array([*halves[0], *halves[1], state["has_uint32"], state["uinteger"]], np.uint64)


def look_of(twin: Env) -> np.ndarray:
    """The cells as `minigrid.core.grid.Grid.encode` gives them: (width, height, 3) uint8 kind, colour, state."""
    cells = twin.simulation.world.cells[0].T & world.LOOK
    kind, color = cells & 15, cells >> 4
    state = np.select([kind == world.DOOR_CLOSED, kind == world.DOOR_LOCKED], [1, 2], 0)
    return np.stack([np.where(state > 0, world.DOOR_OPEN, kind), color, state], -1).astype(np.uint8)
