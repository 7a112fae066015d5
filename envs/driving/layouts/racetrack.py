"""Racetracks: three closed courses (`highway_env/envs/racetrack_env.py`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from visnav.envs.checks import check_flag, check_real, check_whole
from visnav.envs.driving.lanes import position
from visnav.envs.driving.roads import Lane, Network, circular, straight
from visnav.envs.driving.spawning import put, put_on_lane
from visnav.envs.driving.world import (
    ACTION,
    COLLISION,
    CONTINUOUS,
    EGO_META,
    IDM,
    LANE_CENTERING,
    NO_LINE,
    OBSTACLE,
    ON_ROAD,
    STRIPED,
    TERMS,
    Task,
)
from visnav.envs.rng import integers, uniform

WIDTH = 5.0  # m
INNER, OUTER = (CONTINUOUS, NO_LINE), (NO_LINE, CONTINUOUS)
BESIDE = (STRIPED, CONTINUOUS)  # the outer of two lanes
FIRST = (CONTINUOUS, STRIPED)


def _arc(
    center: tuple[float, float],
    radius: float,
    start: float,
    end: float,
    lines: tuple[int, int],
    speed_limit: float = 10.0,
) -> Lane:
    """An arc between two angles in degrees, clockwise where they grow."""
    phases = np.deg2rad(start), np.deg2rad(end)
    return circular(center, radius, *phases, end > start, lines, width=WIDTH, speed_limit=speed_limit)


def racetrack_network() -> Network:
    """Two lanes around 300 m of straights and five bends."""
    line = partial(straight, width=WIDTH, speed_limit=10.0)
    network = Network()
    network.add("a", "b", line((42, 0), (100, 0), FIRST))
    network.add("a", "b", line((42, 5), (100, 5), BESIDE))
    network.add("b", "c", _arc((100, -20), 20, 90, -1, INNER))
    network.add("b", "c", _arc((100, -20), 25, 90, -1, BESIDE))
    network.add("c", "d", line((120, -20), (120, -30), INNER))
    network.add("c", "d", line((125, -20), (125, -30), BESIDE))
    network.add("d", "e", _arc((105, -30), 15, 0, -181, INNER))
    network.add("d", "e", _arc((105, -30), 20, 0, -181, BESIDE))
    network.add("e", "f", _arc((70, -30), 20, 0, 136, FIRST))
    network.add("e", "f", _arc((70, -30), 15, 0, 137, OUTER))
    network.add("f", "g", line((55.7, -15.7), (35.7, -35.7), INNER))
    network.add("f", "g", line((59.3934, -19.2), (39.3934, -39.2), BESIDE))
    network.add("g", "h", _arc((18.1, -18.1), 25, 315, 170, INNER))
    network.add("g", "h", _arc((18.1, -18.1), 30, 315, 165, BESIDE))
    network.add("h", "i", _arc((18.1, -18.1), 25, 170, 56, INNER))
    network.add("h", "i", _arc((18.1, -18.1), 30, 170, 58, BESIDE))
    network.add("i", "a", _arc((43.2, 23.4), 23.5, 240, 270, FIRST))
    network.add("i", "a", _arc((43.2, 23.4), 18.5, 238, 268, OUTER))
    return network


def racetrack_large_network(speed_limit: float) -> Network:
    """Three lanes around a longer course; `speed_limit` in m/s."""
    line = partial(straight, width=WIDTH, speed_limit=speed_limit)
    arc = partial(_arc, speed_limit=speed_limit)
    lines = (INNER, (STRIPED, STRIPED), OUTER)
    slant = (np.array([155.7, -45.7]), np.array([159.3934, -49.2]))
    slant_end = (np.array([105.7, -95.7]), np.array([109.3934, -99.2]))
    bend, bend_end = np.array([88.1, -78.1]), np.deg2rad(205)
    last, last_start = np.array([42.0, -15.0]), np.deg2rad(210)
    network = Network()
    for k, marks in enumerate(((CONTINUOUS, STRIPED), (STRIPED, STRIPED), OUTER)):
        network.add("a", "b", line((42, WIDTH * k), (200, WIDTH * k), marks))
    for k in range(3):
        network.add("b", "c", arc((200, -20), 20 + WIDTH * k, 90, -1, lines[k]))
    for k in range(3):
        network.add("c", "d", line((220 + WIDTH * k, -20), (220 + WIDTH * k, -61), lines[k]))
    for k in range(3):
        network.add("d", "e", arc((205, -60), 15 + WIDTH * k, 0, -181, lines[k]))
    for k, end in enumerate((136, 137, 137)):
        network.add("e", "f", arc((170, -60), 20 - WIDTH * k, 0, end, lines[k]))
    for k in range(3):
        begin, finish = slant[0] + k * (slant[1] - slant[0]), slant_end[0] + k * (slant_end[1] - slant_end[0])
        network.add("f", "g", line(begin, finish, lines[k]))
    for k, end in enumerate((202, 205, 205)):
        network.add("g", "h", arc((bend[0], bend[1]), 25 + WIDTH * k, 317, end, lines[k]))
    for k in range(3):
        begin = bend + (25 + WIDTH * k) * np.array([np.cos(bend_end), np.sin(bend_end)])
        finish = last + (15 + WIDTH * k) * np.array([np.cos(last_start), np.sin(last_start)])
        network.add("h", "i", line(begin, finish, lines[k]))
    for k, (start, end) in enumerate(((210, 88), (210, 90), (212, 88))):
        network.add("i", "a", arc((last[0], last[1]), 15 + WIDTH * k, start, end, lines[k]))
    return network


def racetrack_oval_network(length: float, lanes: int) -> Network:
    """An oval with straights of about that length (m); lanes are numbered from the inside."""
    line = partial(straight, width=WIDTH, speed_limit=10.0)
    network = Network()
    for k in range(lanes):
        outwards = WIDTH * k
        between = (STRIPED, NO_LINE)
        marks = INNER if k == 0 else BESIDE if k == lanes - 1 else between
        first = FIRST if k == 0 else marks
        last = BESIDE if marks is between else marks
        network.add("a", "b", line((0, outwards), (length + 1, outwards), first))
        network.add("b", "c", _arc((length, -20), 20 + outwards, 90, 0, marks))
        network.add("c", "d", line((length + 20 + outwards, -20), (length + 20 + outwards, -50), marks))
        network.add("d", "e", _arc((length + 5, -50), 15 + outwards, 0, -90, marks))
        network.add("e", "f", line((length + 5, -65 - outwards), (-5, -65 - outwards), marks))
        network.add("f", "g", _arc((-5, -50), 15 + outwards, -90, -180, marks))
        network.add("g", "h", line((-20 - outwards, -50), (-20 - outwards, -20), marks))
        network.add("h", "a", _arc((0, -20), 20 + outwards, 180, 90, last))
    return network


def racetrack(i, world, roads, args):  # type: ignore[no-untyped-def]
    """Ego at the start, a vehicle in its lane of the first bend, and more anywhere, 20 m from others at least.

    args: most other vehicles; segments; lanes that ego may start in; then by obstacle, metres before the end of the
    first straight, and y. The start is segment 0, the first bend segment 1.
    """
    rng, r = world.rng[i], world.road[i]
    others, segments = np.int64(args[0]), np.int64(args[1])
    number = integers(rng, 0, np.int64(args[2]))
    put_on_lane(i, 0, number, uniform(rng, 20.0, 50.0), roads.lanes.speed_limit[r, number], EGO_META, world, roads)
    placed = 1
    if others > 0:
        bend = np.int64(roads.segments.first_lane[r, 1])
        along = uniform(rng, 0.0, roads.lanes.length[r, bend])
        put_on_lane(i, 1, bend + number, along, uniform(rng, 6.0, 9.0), IDM, world, roads)
        placed = 2
        for _ in range(integers(rng, 0, others)):
            segment = integers(rng, 0, segments)
            lane = np.int64(roads.segments.first_lane[r, segment]) + integers(
                rng, 0, np.int64(roads.segments.segment_lanes[r, segment])
            )
            along, speed = uniform(rng, 0.0, roads.lanes.length[r, lane]), uniform(rng, 6.0, 9.0)
            x, y = position(r, lane, roads, along, 0.0)
            free = True
            for other in range(placed):
                dx, dy = world.vehicles.x[i, other] - x, world.vehicles.y[i, other] - y
                free = free and dx * dx + dy * dy >= 400.0
            if free:
                put_on_lane(i, placed, lane, along, speed, IDM, world, roads)
                placed += 1
    for k in range(3, args.shape[0], 2):
        v = 1 + others + (k - 3) // 2
        x, y = position(r, 0, roads, roads.lanes.length[r, 0] - args[k], args[k + 1])
        put(i, v, x, y, 0.0, 0.0, OBSTACLE, world, roads)


def _task(
    layout: Callable[[int], Network],
    other_vehicles: int,
    collision_reward: float,
    action_reward: float,
    lane_centering_reward: float,
    lane_centering_cost: float,
    terminate_off_road: bool,
    ego_lanes: int = 2,
    obstacles: tuple[float, ...] = (),
    num_roads: int = 1,
) -> Task:
    """What the three have in common."""
    network = layout(0)
    weights = {
        COLLISION: collision_reward, ACTION: action_reward, LANE_CENTERING: lane_centering_reward, ON_ROAD: 0.0,
    }  # fmt: skip
    others = check_whole("other_vehicles", other_vehicles, 0)
    return Task(
        layout=layout,
        spawn=racetrack,
        max_vehicles=1 + others + len(obstacles) // 2,
        args=(others, len(network.segments()), ego_lanes, *obstacles),
        num_roads=num_roads,
        policy_frequency=5,
        duration=300.0,
        action="ContinuousAction",
        longitudinal=False,
        weights={term: check_real(TERMS[term], weight) for term, weight in weights.items()},
        centering_cost=check_real("lane_centering_cost", lane_centering_cost, least=0),
        reward_range=(collision_reward, 1.0),
        off_road_reward=0.0,
        lanes=ego_lanes,
        end_offroad=check_flag("terminate_off_road", terminate_off_road),
    )


def racetrack_task(
    other_vehicles: int = 1,
    collision_reward: float = -1.0,
    action_reward: float = -0.3,
    lane_centering_reward: float = 1.0,
    lane_centering_cost: float = 4.0,
    terminate_off_road: bool = True,
) -> Task:
    """highway-env's RacetrackEnv."""
    rewards = collision_reward, action_reward, lane_centering_reward, lane_centering_cost
    return _task(lambda k: racetrack_network(), other_vehicles, *rewards, terminate_off_road)


def racetrack_large_task(
    speed_limit: float = 10.0,
    other_vehicles: int = 1,
    collision_reward: float = -1.0,
    action_reward: float = -0.3,
    lane_centering_reward: float = 1.0,
    lane_centering_cost: float = 4.0,
    terminate_off_road: bool = True,
) -> Task:
    """highway-env's RacetrackEnvLarge."""
    check_real("speed_limit", speed_limit, above=0)
    rewards = collision_reward, action_reward, lane_centering_reward, lane_centering_cost
    return _task(lambda k: racetrack_large_network(speed_limit), other_vehicles, *rewards, terminate_off_road)


def racetrack_oval_task(
    length: float = 100.0,
    no_lanes: int = 3,
    block_lane: bool = False,
    force_decision: bool = False,
    other_vehicles: int = 1,
    collision_reward: float = -1.0,
    action_reward: float = -0.3,
    lane_centering_reward: float = 1.0,
    lane_centering_cost: float = 4.0,
    terminate_off_road: bool = True,
) -> Task:
    """highway-env's RacetrackEnvOval; with length 0 each of 100 roads has its own, of 100 m to 199 m.

    `no_lanes` 0, which is to mean any number, raises an error in the original and is not allowed here.
    """
    check_real("length", length, least=0)
    check_whole("no_lanes", no_lanes, 2)
    rewards = collision_reward, action_reward, lane_centering_reward, lane_centering_cost
    obstacles: list[float] = []
    if check_flag("block_lane", block_lane):
        obstacles += [ordinate for back in (40, 43, 46, 49) for y in (3.75, 6.25) for ordinate in (1.0 + back, y)]
    if check_flag("force_decision", force_decision):
        obstacles += [ordinate for y in (-1.25, 1.25, 8.85, 11.25) for ordinate in (91.0, y)]
    return _task(
        lambda k: racetrack_oval_network(length or 100 + k, no_lanes),
        other_vehicles, *rewards, terminate_off_road, no_lanes, tuple(obstacles), 1 if length else 100,
    )  # fmt: skip
