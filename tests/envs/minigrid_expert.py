"""Scripted play of MiniGrid's own environments, with their whole state in view: to solve them, or to fail."""

import copy
from collections import deque
from collections.abc import Callable, Iterator

from minigrid.core import world_object
from minigrid.core.actions import Actions
from minigrid.envs import GoToDoorEnv, KeyCorridorEnv, UnlockEnv, UnlockPickupEnv
from minigrid.minigrid_env import MiniGridEnv

Position = tuple[int, int]
Pose = tuple[int, int, int]  # column, row, direction

STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # by direction


def solution(env: MiniGridEnv) -> list[int]:
    """The actions that solve the episode from where it stands; `env` is left as it is."""
    rehearsal = copy.deepcopy(env)
    actions = []
    for action in _solve(rehearsal):
        actions.append(int(action))
        rehearsal.step(action)
    return actions


def failure(env: MiniGridEnv, variant: int) -> list[int] | None:
    """Actions that end the episode without success, None where there is no such way; variants differ where they can."""
    if isinstance(env, GoToDoorEnv):
        if variant % 2 == 0:
            return [Actions.toggle]
        others = [door for door in _find(env, "door") if door != _target(env)]
        return [*_way(env, lambda pose: _beside(pose, others) and not _beside(pose, [_target(env)])), Actions.done]
    lava = _find(env, "lava")
    return [*_way(env, lambda pose: _front(pose) in lava), Actions.forward] if lava else None


def _solve(env: MiniGridEnv) -> Iterator[int]:
    """Solve the episode step by step, on the assumption that every action is played before the next is asked for."""
    locked = [door for door in _find(env, "door") if env.grid.get(*door).is_locked]
    for door in locked:
        key = next(key for key in _find(env, "key") if env.grid.get(*key).color == env.grid.get(*door).color)
        yield from _way(env, lambda pose, key=key: _front(pose) == key)
        yield Actions.pickup
        yield from _way(env, lambda pose, door=door: _front(pose) == door)
        yield Actions.toggle
    if isinstance(env, UnlockEnv):
        return
    if isinstance(env, (UnlockPickupEnv, KeyCorridorEnv)):
        wanted = tuple(map(int, env.obj.cur_pos))
        yield from _way(env, lambda pose: _may_drop(env, pose, wanted))
        yield Actions.drop
        yield from _way(env, lambda pose: _front(pose) == wanted)
        yield Actions.pickup
    elif isinstance(env, GoToDoorEnv):
        yield from _way(env, lambda pose: _beside(pose, [_target(env)]))
        yield Actions.done
    else:
        (goal,) = _find(env, "goal")
        yield from _way(env, lambda pose: _front(pose) == goal)
        yield Actions.forward


def _find(env: MiniGridEnv, kind: str) -> list[Position]:
    """Where the objects of a kind are."""
    places = ((x, y) for y in range(env.grid.height) for x in range(env.grid.width))
    return [place for place in places if env.grid.get(*place) is not None and env.grid.get(*place).type == kind]


def _target(env: GoToDoorEnv) -> Position:
    return int(env.target_pos[0]), int(env.target_pos[1])


def _front(pose: Pose) -> Position:
    return pose[0] + STEPS[pose[2]][0], pose[1] + STEPS[pose[2]][1]


def _beside(pose: Pose, places: list[Position]) -> bool:
    return any(abs(pose[0] - x) + abs(pose[1] - y) == 1 for x, y in places)


def _may_drop(env: MiniGridEnv, pose: Pose, wanted: Position) -> bool:
    """Whether what is carried can be dropped in front without blocking the way to face `wanted`."""
    front = _front(pose)
    if env.grid.get(*front) is not None:
        return False
    return _search(env, pose, lambda later: _front(later) == wanted, blocked=front) is not None


def _way(env: MiniGridEnv, is_end: Callable[[Pose], bool]) -> list[int]:
    """The fewest turns and steps to a pose where `is_end` holds, and the toggles of doors that stand in the way."""
    start = (int(env.agent_pos[0]), int(env.agent_pos[1]), int(env.agent_dir))
    way = _search(env, start, is_end)
    if way is None:
        raise RuntimeError(f"found no way in\n{env.pprint_grid()}")
    return way


def _search(
    env: MiniGridEnv, start: Pose, is_end: Callable[[Pose], bool], blocked: Position | None = None
) -> list[int] | None:
    """Breadth-first search over poses; never onto lava, goal or `blocked`."""
    ways: dict[Pose, list[int]] = {start: []}
    queue = deque([start])
    while queue:
        pose = queue.popleft()
        if is_end(pose):
            return ways[pose]
        x, y, direction = pose
        moves = [
            ((x, y, (direction + 3) % 4), [Actions.left]),
            ((x, y, (direction + 1) % 4), [Actions.right]),
        ]
        front = _front(pose)
        inside = 0 < front[0] < env.width - 1 and 0 < front[1] < env.height - 1
        cell = env.grid.get(*front) if inside else world_object.Wall()
        if front != blocked and (cell is None or (cell.type == "door" and not cell.is_locked)):
            closed = cell is not None and not cell.is_open
            moves.append(((*front, direction), [Actions.toggle, Actions.forward] if closed else [Actions.forward]))
        for after, actions in moves:
            if after not in ways:
                ways[after] = ways[pose] + actions
                queue.append(after)
    return None
