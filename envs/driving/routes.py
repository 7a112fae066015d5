"""Routes through a road's segments, planned in a world's row."""

from __future__ import annotations

import numpy as np

from visnav.envs.batch import jit


@jit
def plan_route(i, v, destination, world, roads):  # type: ignore[no-untyped-def]
    """Plan the way of vehicle v from its lane to a node, by number: the fewest segments.

    Where none leads there, or it is longer than a row has room for, the route ends with what there is
    (ControlledVehicle.plan_route_to of `highway_env/vehicle/controller.py`).
    """
    r = world.road[i]
    segment = np.int64(roads.lanes.segment[r, world.vehicles.lane[i, v]])
    world.route[i, v, 0, 0] = segment
    world.route[i, v, 0, 1] = roads.lanes.number[r, world.vehicles.lane[i, v]]
    world.vehicles.route_at[i, v] = 0
    for k in range(1, world.route.shape[2]):
        if segment >= 0:
            segment = np.int64(roads.toward[r, roads.segments.to_node[r, segment], destination])
        world.route[i, v, k, 0] = segment
        world.route[i, v, k, 1] = -1
