"""Scripted play of MiniGrid's own environments, with their whole state in view: to solve them, or to fail."""

import copy
import heapq
from collections import deque
from collections.abc import Callable, Iterator

from minigrid.core import world_object
from minigrid.core.actions import Actions
from minigrid.core.constants import DIR_TO_VEC
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

Position = tuple[int, int]
Pose = tuple[int, int, int]  # column, row, direction

STEPS = tuple((int(x), int(y)) for x, y in DIR_TO_VEC)
IN_THE_WAY, LOCKED = 10, 30  # what moving an object, or unlocking a door, is reckoned to cost in steps
ATTEMPTS = 30  # things moved before a way is given up


class NoWayError(Exception):
    """There is no way to do what was to be done."""


def solution(env: MiniGridEnv) -> list[int] | None:
    """The actions that solve the episode from where it stands, None where there are none; `env` is left as it is."""
    return _rehearsed(env, _solve)


def failure(env: MiniGridEnv, variant: int) -> list[int] | None:
    """Actions that end the episode without success, None where there is no such way; variants differ where they can."""
    return _rehearsed(env, lambda rehearsal: _fail(rehearsal, variant))


def _rehearsed(env: MiniGridEnv, script: Callable[[MiniGridEnv], Iterator[int]]) -> list[int] | None:
    """The actions of a script that is played on a copy of `env`: each before the next is asked for."""
    rehearsal = copy.deepcopy(env)
    actions = []
    try:
        for action in script(rehearsal):
            actions.append(int(action))
            rehearsal.step(action)
    except NoWayError:
        return None
    return actions


def _solve(env: MiniGridEnv) -> Iterator[int]:
    """Solve the episode."""
    if isinstance(env, DynamicObstaclesEnv):
        yield from _dodge(env, "goal")
    elif isinstance(env, UnlockEnv):
        yield from _unlock(env, *_find(env, "door"), frozenset())
    elif isinstance(env, (GoToDoorEnv, GoToObjectEnv)):
        yield from _way(env, lambda pose: _beside(pose, [_place(env.target_pos)]))
        yield Actions.done
    elif isinstance(env, FetchEnv):
        wanted = [place for place, thing in _things(env) if (thing.type, thing.color) == _wanted_look(env)]
        yield from _take(env, wanted[0])
    elif isinstance(env, PutNearEnv):
        yield from _take(env, _place(env.move_pos))
        yield from _way(env, lambda pose: _is_free(env, _front(pose)) and _touches(_front(pose), env.target_pos))
        yield Actions.drop
    elif isinstance(env, MemoryEnv):
        yield from _way(env, lambda pose: pose[:2] == _place(env.success_pos))
    elif isinstance(env, RedBlueDoorEnv):
        for color in ("red", "blue"):
            yield from _toggle(env, color)
    elif getattr(env, "obj", None) is not None:
        yield from _take(env, _place(env.obj.cur_pos))
    else:
        goals = _find(env, "goal")
        if not goals:
            raise NoWayError
        yield from _face(env, goals[0])
        yield Actions.forward


def _fail(env: MiniGridEnv, variant: int) -> Iterator[int]:
    """End the episode without success."""
    if isinstance(env, DynamicObstaclesEnv):
        yield from _dodge(env, ("ball", "wall")[variant % 2])
    elif isinstance(env, (GoToDoorEnv, GoToObjectEnv)):
        if variant % 2 == 0:
            yield Actions.toggle
        else:
            goal = _place(env.target_pos)
            others = [place for place, thing in _things(env) if place != goal and thing.type != "wall"]
            yield from _way(env, lambda pose: _beside(pose, others) and not _beside(pose, [goal]))
            yield Actions.done
    elif isinstance(env, FetchEnv):
        kinds = ("key", "ball")
        others = [
            place
            for place, thing in _things(env)
            if thing.type in kinds and (thing.type, thing.color) != _wanted_look(env)
        ]
        if not others:
            raise NoWayError
        yield from _take(env, others[0])
    elif isinstance(env, PutNearEnv):
        yield from _take(env, _place(env.target_pos if variant % 2 else env.move_pos))
        yield Actions.drop
    elif isinstance(env, MemoryEnv):
        yield from _way(env, lambda pose: pose[:2] == _place(env.failure_pos))
    elif isinstance(env, RedBlueDoorEnv):
        if variant % 2:
            yield from _toggle(env, "red")
            yield Actions.toggle
        yield from _toggle(env, "blue")
    else:
        lava = _find(env, "lava")
        yield from _way(env, lambda pose: _front(pose) in lava)
        yield Actions.forward


# --- what there is ------------------------------------------------------------------------------------------


def _things(env: MiniGridEnv) -> Iterator[tuple[Position, world_object.WorldObj]]:
    """Where something is, and what."""
    for y in range(env.grid.height):
        for x in range(env.grid.width):
            if (thing := env.grid.get(x, y)) is not None:
                yield (x, y), thing


def _find(env: MiniGridEnv, kind: str) -> list[Position]:
    """Where the objects of a kind are."""
    return [place for place, thing in _things(env) if thing.type == kind]


def _keys(env: MiniGridEnv, color: str) -> list[Position]:
    """Where keys of a colour lie, or boxes that hold one."""

    def is_key(thing: world_object.WorldObj | None) -> bool:
        return thing is not None and thing.type == "key" and thing.color == color

    return [place for place, thing in _things(env) if is_key(thing) or is_key(thing.contains)]


def _wanted_look(env: FetchEnv) -> tuple[str, str]:
    return env.targetType, env.targetColor


def _place(position: tuple[int, int]) -> Position:
    """A position as plain integers."""
    return int(position[0]), int(position[1])


def _pose(env: MiniGridEnv) -> Pose:
    return (*_place(env.agent_pos), int(env.agent_dir))


def _front(pose: Pose) -> Position:
    return pose[0] + STEPS[pose[2]][0], pose[1] + STEPS[pose[2]][1]


def _around(place: Position) -> list[Position]:
    return [(place[0] + x, place[1] + y) for x, y in STEPS]


def _beside(pose: Pose | Position, places: list[Position]) -> bool:
    return any(place in _around(pose[:2]) for place in places)


def _touches(place: Position, other: Position) -> bool:
    return max(abs(place[0] - other[0]), abs(place[1] - other[1])) <= 1


def _is_free(env: MiniGridEnv, place: Position) -> bool:
    return env.grid.get(*place) is None


def _has_key(env: MiniGridEnv, color: str) -> bool:
    return env.carrying is not None and env.carrying.type == "key" and env.carrying.color == color


# --- what can be done ---------------------------------------------------------------------------------------


def _face(env: MiniGridEnv, place: Position, avoided: frozenset[Position] = frozenset()) -> Iterator[int]:
    """Walk until `place` is in front; move things out of the way, and unlock doors, but none that is `avoided`."""
    for _ in range(ATTEMPTS):
        way = _search(env, lambda pose: _front(pose) == place)
        if way is not None:
            yield from way
            return
        path = _path(env, place, avoided)
        first = next(step for step in path if not _can_enter(env, step))
        if env.grid.get(*first).type == "door":
            yield from _unlock(env, first, avoided)
        else:
            if env.carrying is not None:
                yield from _put_down(env, path)
            yield from _way(env, lambda pose, first=first: _front(pose) == first)
            yield Actions.pickup
            yield from _put_down(env, path)
    raise NoWayError


def _take(env: MiniGridEnv, place: Position, avoided: frozenset[Position] = frozenset()) -> Iterator[int]:
    """Pick up what is at `place`."""
    yield from _face(env, place, avoided)
    while env.carrying is not None:
        yield from _put_down(env, [place])
        yield from _face(env, place, avoided)
    yield Actions.pickup


def _put_down(env: MiniGridEnv, path: list[Position]) -> Iterator[int]:
    """Drop what is carried where it is not on the path, and not before a door either if there is such a place."""
    doors = _find(env, "door")

    def is_harmless(pose: Pose) -> bool:
        front = _front(pose)
        return _is_inside(env, front) and _is_free(env, front) and front not in path

    way = _search(env, lambda pose: is_harmless(pose) and not _beside(_front(pose), doors))
    yield from _way(env, is_harmless) if way is None else way
    yield Actions.drop


def _unlock(env: MiniGridEnv, door: Position, avoided: frozenset[Position]) -> Iterator[int]:
    """Open a locked door, with a key that is found without it."""
    color = env.grid.get(*door).color
    avoided |= {door}
    yield from _face(env, door, avoided)
    for _ in range(ATTEMPTS):
        if _has_key(env, color):
            yield Actions.toggle
            return
        for place in _keys(env, color):
            try:
                _path(env, place, avoided)
            except NoWayError:
                continue
            yield from _face(env, place, avoided)
            if env.grid.get(*place).type == "box":
                yield Actions.toggle
            yield from _take(env, place, avoided)
            break
        else:
            raise NoWayError
        yield from _face(env, door, avoided)
    raise NoWayError


def _toggle(env: MiniGridEnv, color: str) -> Iterator[int]:
    """Toggle the door of a colour."""
    (door,) = [place for place in _find(env, "door") if env.grid.get(*place).color == color]
    yield from _face(env, door)
    yield Actions.toggle


def _dodge(env: MiniGridEnv, kind: str) -> Iterator[int]:
    """Walk against a ball or a wall, or onto the goal, and against nothing else that moves or stands."""
    for _ in range(env.steps_remaining):
        front = env.grid.get(*_front(_pose(env)))
        if front is not None and front.type == kind:
            yield Actions.forward
            return
        places = _find(env, kind)
        way = _search(env, lambda pose, places=places: _front(pose) in places)
        yield way[0] if way else Actions.left
    raise NoWayError


# --- ways ---------------------------------------------------------------------------------------------------


def _is_inside(env: MiniGridEnv, place: Position) -> bool:
    """Whether a place is within the outer wall."""
    return 0 < place[0] < env.width - 1 and 0 < place[1] < env.height - 1


def _can_enter(env: MiniGridEnv, place: Position) -> bool:
    """Whether the agent can walk there, when it opens closed doors."""
    thing = env.grid.get(*place)
    return _is_inside(env, place) and (thing is None or (thing.type == "door" and not thing.is_locked))


def _way(env: MiniGridEnv, is_end: Callable[[Pose], bool]) -> list[int]:
    """The fewest turns and steps to a pose where `is_end` holds, and the toggles of doors that stand in the way."""
    way = _search(env, is_end)
    if way is None:
        raise NoWayError
    return way


def _search(env: MiniGridEnv, is_end: Callable[[Pose], bool]) -> list[int] | None:
    """Breadth-first search over poses; never onto lava or goal."""
    start = _pose(env)
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
        if _can_enter(env, front):
            cell = env.grid.get(*front)
            closed = cell is not None and not cell.is_open
            moves.append(((*front, direction), [Actions.toggle, Actions.forward] if closed else [Actions.forward]))
        for after, actions in moves:
            if after not in ways:
                ways[after] = ways[pose] + actions
                queue.append(after)
    return None


def _path(env: MiniGridEnv, place: Position, avoided: frozenset[Position]) -> list[Position]:
    """Cells to walk to one beside `place`, through as few objects and locked doors as can be."""
    start = _place(env.agent_pos)
    queue: list[tuple[int, list[Position]]] = [(0, [start])]
    done = set()
    while queue:
        cost, path = heapq.heappop(queue)
        here = path[-1]
        if here in done:
            continue
        done.add(here)
        if place in _around(here):
            return path[1:]
        for step in _around(here):
            thing = env.grid.get(*step) if _is_inside(env, step) else world_object.Wall()
            if step == place or step in avoided or (thing is not None and thing.type in ("wall", "lava", "goal")):
                continue
            if thing is None or _can_enter(env, step):
                price = 1
            elif thing.type == "door":
                if not _has_key(env, thing.color) and not _keys(env, thing.color):
                    continue
                price = LOCKED
            else:
                price = IN_THE_WAY
            heapq.heappush(queue, (cost + price, [*path, step]))
    raise NoWayError
