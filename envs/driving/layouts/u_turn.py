"""U-turn: two lanes that turn back, with slow traffic in them (`highway_env/envs/u_turn_env.py`)."""

from __future__ import annotations

import numpy as np

from visnav.envs.checks import check_flag, check_range, check_real
from visnav.envs.driving.config import IDM_VEHICLE, traffic_kind
from visnav.envs.driving.roads import Network, circular, straight
from visnav.envs.driving.routes import plan_route
from visnav.envs.driving.spawning import put_on_lane, randomize
from visnav.envs.driving.world import (
    CLIPPED_SPEED,
    COLLISION,
    CONTINUOUS,
    CONTINUOUS_LINE,
    EGO_META,
    LANE_SHARE,
    LANE_WIDTH,
    NO_LINE,
    ON_ROAD,
    STRIPED,
    TERMS,
    Task,
)
from visnav.envs.rng import normal

LENGTH, RADIUS = 128.0, 20.0  # m: of the straights, of the inner lane's turn


def u_turn_network() -> Network:
    """128 m to the right, half a turn anticlockwise, and 128 m back."""
    network = Network()
    middle = LANE_WIDTH + RADIUS
    edges = (CONTINUOUS_LINE, STRIPED), (NO_LINE, CONTINUOUS_LINE)
    for k in range(2):
        y = middle - RADIUS - LANE_WIDTH * k
        network.add("c", "d", straight((LENGTH, y), (0, y), edges[k]))
    for k, lines in enumerate(((CONTINUOUS, STRIPED), (NO_LINE, CONTINUOUS))):
        half = circular((LENGTH, middle), RADIUS + LANE_WIDTH * k, np.pi / 2, -np.pi / 2, clockwise=False, lines=lines)
        network.add("b", "c", half)
    for k in range(2):
        y = middle + RADIUS + LANE_WIDTH * k
        network.add("a", "b", straight((0, y), (LENGTH, y), edges[k]))
    return network


def u_turn(i, world, roads, args):  # type: ignore[no-untyped-def]
    """Ego enters with 16 m/s; six slower vehicles are at set places, give or take 2 m.

    args: destination; first lanes of the way there, of the turn, and of the way back; traffic's behaviour.
    """
    rng = world.rng[i]
    there, turn, back = np.int64(args[1]), np.int64(args[2]), np.int64(args[3])
    put_on_lane(i, 0, there, 0.0, 16.0, EGO_META, world, roads)
    for v in range(1, 7):
        lane = there if v <= 2 else turn if v <= 4 else back
        if v in (2, 3, 6):
            lane += 1
        along = 25.0 if v == 1 else 56.0 if v == 2 else 0.5 if v == 3 else 17.5 if v == 4 else 1.0 if v == 5 else 30.0
        speed = 13.5 if v == 1 else 14.5 if v == 2 else 4.5 if v == 3 else 3.5 if v == 5 else 5.5
        along += 2.0 * normal(rng)
        put_on_lane(i, v, lane, along, speed + 2.0 * normal(rng), np.int64(args[4]), world, roads)
        if v == 1:
            randomize(i, v, world)
    for v in range(7):
        plan_route(i, v, np.int64(args[0]), world, roads)


def u_turn_task(
    collision_reward: float = -1.0,
    left_lane_reward: float = 0.1,
    high_speed_reward: float = 0.4,
    reward_speed_range: tuple[float, float] = (8.0, 24.0),
    normalize_reward: bool = True,
    other_vehicles_type: str = IDM_VEHICLE,
) -> Task:
    """highway-env's UTurnEnv."""
    network = u_turn_network()
    weights = {
        COLLISION: collision_reward, LANE_SHARE: left_lane_reward, CLIPPED_SPEED: high_speed_reward, ON_ROAD: 0.0,
    }  # fmt: skip
    best = high_speed_reward + left_lane_reward
    return Task(
        layout=lambda k: u_turn_network(),
        spawn=u_turn,
        max_vehicles=7,
        args=(
            network.node_number("d"),
            *(network.lane_number(*nodes) for nodes in ("ab", "bc", "cd")),
            traffic_kind(other_vehicles_type),
        ),
        route_length=4,
        duration=10.0,
        target_speeds=(8.0, 16.0, 24.0),
        weights={term: check_real(TERMS[term], weight) for term, weight in weights.items()},
        reward_speed_range=check_range("reward_speed_range", reward_speed_range),
        reward_range=(collision_reward, best) if check_flag("normalize_reward", normalize_reward) else None,
        off_road_reward=0.0,
        lanes=2,
    )
