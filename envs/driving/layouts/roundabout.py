"""Roundabouts: four arms into a ring (`highway_env/envs/roundabout_env.py`)."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from visnav.envs.checks import check_flag, check_real, check_whole
from visnav.envs.driving.config import IDM_VEHICLE, traffic_kind
from visnav.envs.driving.lanes import position
from visnav.envs.driving.roads import Network, circular, sine, straight
from visnav.envs.driving.routes import plan_route
from visnav.envs.driving.spawning import put_on_lane, randomize
from visnav.envs.driving.world import (
    COLLISION,
    CONTINUOUS,
    EGO_META,
    HALF_SPEED_INDEX,
    LANE_CHANGE,
    LANE_WIDTH,
    NO_LINE,
    ON_ROAD,
    STRIPED,
    TERMS,
    Task,
)
from visnav.envs.rng import integers, normal, uniform

ALPHA = 24  # degrees between an arm's axis and where its lanes meet the ring
ARMS = ("s", "e", "n", "w")  # in the order in which the ring meets them, from the south on
MERGING = (CONTINUOUS, CONTINUOUS)
ROUTE = 12  # segments of the longest way, once around the ring
OBSERVATION = {
    "absolute": True,
    "features_range": {"x": (-100, 100), "y": (-100, 100), "vx": (-15, 15), "vy": (-15, 15)},
}


def _turned(x: float, y: float, quarters: int) -> tuple[float, float]:
    """A point after that many quarter turns anticlockwise on the map, about the ring's middle."""
    for _ in range(quarters):
        x, y = y, -x
    return x, y


def _add_ring(network: Network, radius: float, lanes: int) -> None:
    """The ring, eight segments from node to node: (entry of an arm, exit of the next), (exit, entry) and so on."""
    nodes = ("se", "ex", "ee", "nx", "ne", "wx", "we", "sx", "se")
    for lane in range(lanes):
        lines = (CONTINUOUS if lane == 0 else NO_LINE, CONTINUOUS if lane == lanes - 1 else STRIPED)
        for k in range(8):  # anticlockwise; the last two are counted on from 180 degrees
            start = 90 - ALPHA - 90 * (k // 2) - (k % 2) * (90 - 2 * ALPHA) + (360 if k >= 6 else 0)
            end = start - (2 * ALPHA if k % 2 else 90 - 2 * ALPHA)
            phases = np.deg2rad(start), np.deg2rad(end)
            arc = circular((0, 0), radius + LANE_WIDTH * lane, *phases, clockwise=False, lines=lines)
            network.add(nodes[k], nodes[k + 1], arc)


def roundabout_network() -> Network:
    """The ring of 20 m and two lanes, with arms of 170 m."""
    network = Network()
    _add_ring(network, radius=20, lanes=2)
    access, far, amplitude = 170.0, 85 / 2, 5.0  # m: an arm's length, where its curved lanes begin, their sway
    pulsation = 2 * np.pi / 85
    entry, leaving = 0.2 * 85, 0.8 * 85  # m, along the curved lanes
    for quarters, arm in enumerate(ARMS):

        def at(x: float, y: float, quarters: int = quarters) -> tuple[float, float]:
            return _turned(x, y, quarters)

        x = 2 + amplitude
        into = straight(at(2, access), at(2, far), (STRIPED, CONTINUOUS))
        network.add(f"{arm}er", f"{arm}es", into)
        curve = sine(at(x, far), at(x, far - entry), amplitude, pulsation, -np.pi / 2, MERGING)
        network.add(f"{arm}es", f"{arm}e", curve)
        phase = -np.pi / 2 + pulsation * leaving
        curve = sine(at(-x, leaving - far), at(-x, far), amplitude, pulsation, phase, MERGING)
        network.add(f"{arm}x", f"{arm}xs", curve)
        network.add(f"{arm}xs", f"{arm}xr", straight(at(-2, far), at(-2, access), (NO_LINE, CONTINUOUS)))
    return network


def roundabout_generic_network(radius: float, lanes: int) -> Network:
    """A ring of that inner radius (m) and number of lanes, whose arms end where its outermost lane passes."""
    network = Network()
    _add_ring(network, radius, lanes)
    outer = radius + LANE_WIDTH * (lanes - 1)
    far = max(100.0, 2 * outer + 40.0) / 2
    access = 2 * far + 40.0
    meets_x, meets_y = outer * np.sin(np.deg2rad(ALPHA)), outer * np.cos(np.deg2rad(ALPHA))  # right of the south arm
    amplitude, pulsation = (meets_x - 2) / 2, np.pi / (far - meets_y)
    for quarters, arm in enumerate(ARMS):

        def at(x: float, y: float, quarters: int = quarters) -> tuple[float, float]:
            return _turned(x, y, quarters)

        x = 2 + amplitude
        network.add(f"{arm}er", f"{arm}es", straight(at(2, access), at(2, far), (STRIPED, CONTINUOUS)))
        curve = sine(at(x, far), at(x, meets_y), amplitude, pulsation, -np.pi / 2, MERGING)
        network.add(f"{arm}es", f"{arm}e", curve)
        curve = sine(at(-x, meets_y), at(-x, far), -amplitude, pulsation, -np.pi / 2, MERGING)
        network.add(f"{arm}x", f"{arm}xs", curve)
        network.add(f"{arm}xs", f"{arm}xr", straight(at(-2, far), at(-2, access), (NO_LINE, CONTINUOUS)))
    return network


def roundabout(i, world, roads, args):  # type: ignore[no-untyped-def]
    """Ego comes from the south; three vehicles are in the ring, and one comes from the east.

    args: number of the first vehicle's destination or -1; destinations; ego's destination; lanes of ego, of the ring
    (inner) and of who comes from the east; traffic's behaviour.
    """
    rng = world.rng[i]
    put_on_lane(i, 0, np.int64(args[5]), 125.0, 8.0, EGO_META, world, roads)
    plan_route(i, 0, np.int64(args[4]), world, roads)
    ring, east = np.int64(args[6]), np.int64(args[7])
    for v in range(1, 5):
        lane = ring + 1 if v == 1 else east if v == 4 else ring
        along = (5.0 if v == 1 else 20.0 if v == 2 else -20.0 if v == 3 else 50.0) + 2.0 * normal(rng)
        put_on_lane(i, v, lane, along, 16.0 + 2.0 * normal(rng), np.int64(args[8]), world, roads)
        chosen = np.int64(args[0]) if v == 1 and args[0] >= 0 else integers(rng, 0, 3)
        plan_route(i, v, np.int64(args[1 + chosen]), world, roads)
        randomize(i, v, world)


def roundabout_generic(i, world, roads, args):  # type: ignore[no-untyped-def]
    """Ego comes from the south; traffic is anywhere else, 7 m apart at least.

    args: number of everyone's destination or -1; destinations; ego's destination; ego's lane; vehicles; first lanes of
    the seven segments that traffic starts from; traffic's behaviour.
    """
    rng, r = world.rng[i], world.road[i]
    lane = np.int64(args[6])
    put_on_lane(i, 0, lane, roads.lanes.length[r, lane] - 2.5, 8.0, EGO_META, world, roads)
    plan_route(i, 0, np.int64(args[5]), world, roads)
    placed = 1
    for _ in range(np.int64(args[7])):
        for _attempt in range(10):
            lane = np.int64(args[8 + integers(rng, 0, 7)])
            lane += integers(rng, 0, np.int64(roads.segments.segment_lanes[r, roads.lanes.segment[r, lane]]))
            most = roads.lanes.length[r, lane] - 5.0
            along = uniform(rng, 5.0, most if most > 5.0 else 5.0)
            x, y = position(r, lane, roads, along, 0.0)
            free = True
            for other in range(placed):
                dx, dy = world.vehicles.x[i, other] - x, world.vehicles.y[i, other] - y
                free = free and dx * dx + dy * dy >= 49.0
            if free:
                put_on_lane(i, placed, lane, along, 14.0 + 2.0 * normal(rng), np.int64(args[15]), world, roads)
                chosen = np.int64(args[0]) if args[0] >= 0 else integers(rng, 0, 4)
                plan_route(i, placed, np.int64(args[1 + chosen]), world, roads)
                randomize(i, placed, world)
                placed += 1
                break


def _chosen_destination(incoming_vehicle_destination: int | None, destinations: int) -> float:
    """What the spawn functions take for it: its number, or -1 for any."""
    if incoming_vehicle_destination is None:
        return -1.0
    return float(check_whole("incoming_vehicle_destination", incoming_vehicle_destination, 0, destinations - 1))


def _rewards(
    collision_reward: float, high_speed_reward: float, lane_change_reward: float, normalize_reward: bool
) -> dict[str, Any]:
    """Fields of the task that say what is rewarded."""
    weights = {
        COLLISION: collision_reward, HALF_SPEED_INDEX: high_speed_reward, LANE_CHANGE: lane_change_reward, ON_ROAD: 0.0,
    }  # fmt: skip
    return {
        "weights": {term: check_real(TERMS[term], weight) for term, weight in weights.items()},
        "reward_range": (collision_reward, high_speed_reward)
        if check_flag("normalize_reward", normalize_reward)
        else None,
        "off_road_reward": 0.0,
    }


def roundabout_task(
    incoming_vehicle_destination: int | None = None,
    collision_reward: float = -1.0,
    high_speed_reward: float = 0.2,
    lane_change_reward: float = -0.05,
    normalize_reward: bool = True,
    other_vehicles_type: str = IDM_VEHICLE,
) -> Task:
    """highway-env's RoundaboutEnv; the first vehicle's destination is drawn, or 0 east, 1 south, 2 north."""
    network = roundabout_network()
    return Task(
        layout=lambda k: roundabout_network(),
        spawn=roundabout,
        max_vehicles=5,
        args=(
            _chosen_destination(incoming_vehicle_destination, 3),
            *(network.node_number(node) for node in ("exr", "sxr", "nxr", "nxs")),
            network.lane_number("ser", "ses"),
            network.lane_number("we", "sx"),
            network.lane_number("eer", "ees"),
            traffic_kind(other_vehicles_type),
        ),
        route_length=ROUTE,
        duration=11.0,
        target_speeds=(0.0, 8.0, 16.0),
        observation=OBSERVATION,
        **_rewards(collision_reward, high_speed_reward, lane_change_reward, normalize_reward),
    )


def roundabout_generic_task(
    roundabout_radius: float = 20.0,
    roundabout_lanes: int = 2,
    vehicles_count: int = 5,
    incoming_vehicle_destination: int | None = None,
    collision_reward: float = -1.0,
    high_speed_reward: float = 0.2,
    lane_change_reward: float = -0.05,
    normalize_reward: bool = True,
    other_vehicles_type: str = IDM_VEHICLE,
) -> Task:
    """highway-env's RoundaboutGenericEnv; every vehicle's destination is drawn, or 0 east, 1 south, 2 north, 3 west."""
    check_real("roundabout_radius", roundabout_radius, least=15)
    check_whole("roundabout_lanes", roundabout_lanes, 1)
    layout = partial(roundabout_generic_network, roundabout_radius, roundabout_lanes)
    network = layout()
    starts = (("we", "sx"), ("sx", "se"), ("ee", "nx"), ("nx", "ne"), ("eer", "ees"), ("ner", "nes"), ("wer", "wes"))
    return Task(
        layout=lambda k: layout(),
        spawn=roundabout_generic,
        max_vehicles=1 + check_whole("vehicles_count", vehicles_count, 0),
        args=(
            _chosen_destination(incoming_vehicle_destination, 4),
            *(network.node_number(node) for node in ("exr", "sxr", "nxr", "wxr", "nxs")),
            network.lane_number("ser", "ses"),
            vehicles_count,
            *(network.lane_number(*start) for start in starts),
            traffic_kind(other_vehicles_type),
        ),
        route_length=ROUTE,
        duration=17.0,
        target_speeds=(0.0, 8.0, 16.0),
        observation=OBSERVATION,
        **_rewards(collision_reward, high_speed_reward, lane_change_reward, normalize_reward),
    )
