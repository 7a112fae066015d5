"""Control in metres and radians for a batch of mazes: keywords, action space, sensors and Habitat's measures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from visnav.envs.checks import check_name, check_real
from visnav.envs.grid import motion
from visnav.envs.grid.motion import DRIVE_NAMES, WALK_NAMES, Motion, make_trip
from visnav.envs.grid.pictures import Moves, Rows
from visnav.envs.grid.world import OBJECT_GOAL, Task, World

DRIVING = ("actions", "reward", "max_speed", "max_turn_rate", "time_step", "gps_noise", "compass_noise")  # keywords
ACTIONS = ("continuous", "discrete")
REWARDS = ("dense", "sparse")
RADIUS = 0.18  # m, Habitat's agent
STRIDE = 0.25  # m, of Habitat's forward action
TURN = math.radians(10)  # of Habitat's turns
MAX_STRIDE = 1.0  # m a step: in one step an agent cannot get past what it would have seen before


class Navigation:
    """What a task under continuous control has beside its grid world.

    Args:
        task: with the objective POINT_GOAL or OBJECT_GOAL.
        num_envs: N.
        actions: "continuous": Box(-1, 1, (2,)), the shares of max_speed forward (negative: backwards) and of
            max_turn_rate to the left; or "discrete": Habitat's stop, forward 0.25 m, left 10°, right 10°.
        reward: "dense": Habitat's for PointNav: metres nearer to the goal - 0.01 + 2.5 on success; or "sparse": 1 on
            success.
        max_speed: m/s of continuous actions.
        max_turn_rate: rad/s of continuous actions.
        time_step: s of a step with continuous actions; max_speed * time_step is at most MAX_STRIDE.
        gps_noise: m, standard deviation of both coordinates of the place that sensors are told.
        compass_noise: rad, of the heading that they are told.

    With discrete actions an episode ends with `stop`, which succeeds nearer to the goal than the task's
    success_distance. With continuous ones it ends when the agent gets that near.
    """

    def __init__(
        self,
        task: Task,
        num_envs: int,
        *,
        actions: str = "continuous",
        reward: str = "dense",
        max_speed: float = 2.0,
        max_turn_rate: float = math.pi,
        time_step: float = 0.1,
        gps_noise: float = 0.0,
        compass_noise: float = 0.0,
    ) -> None:
        is_discrete = check_name("actions", actions, ACTIONS) == "discrete"
        is_dense = check_name("reward", reward, REWARDS) == "dense"
        check_real("max_speed", max_speed, above=0)
        check_real("max_turn_rate", max_turn_rate, above=0)
        check_real("time_step", time_step, above=0)
        if max_speed * time_step > MAX_STRIDE:
            raise ValueError(
                f"max_speed * time_step is at most {MAX_STRIDE:g} m a step; got {max_speed:g} m/s * {time_step:g} s"
            )
        stride, turn = (STRIDE, TURN) if is_discrete else (max_speed * time_step, max_turn_rate * time_step)
        self.motion = Motion(
            radius=np.float32(RADIUS),
            stride=np.float32(stride),
            turn=np.float32(turn),
            success_distance=np.float32(task.success_distance),
            needs_stop=is_discrete,
            dense=is_dense,
            gps_noise=np.float32(check_real("gps_noise", gps_noise, least=0)),
            compass_noise=np.float32(check_real("compass_noise", compass_noise, least=0)),
        )
        self.trip = make_trip(num_envs, task.width, task.height)
        self.action_names = WALK_NAMES if is_discrete else DRIVE_NAMES
        self.action_space: spaces.Space[Any] = (
            spaces.Discrete(len(WALK_NAMES)) if is_discrete else spaces.Box(-1, 1, (len(DRIVE_NAMES),), np.float32)
        )
        self._step_rows = motion.walk_rows if is_discrete else motion.drive_rows
        farthest = math.hypot(task.width, task.height)
        self.sensor_spaces: dict[str, spaces.Space[Any]] = {
            "gps": spaces.Box(-farthest, farthest, (2,), np.float32),
            "compass": spaces.Box(-math.pi, math.pi, (1,), np.float32),
        }
        if task.objective == OBJECT_GOAL:
            self.sensor_spaces["objectgoal"] = spaces.Discrete(len(task.missions))
            self.goal_sensor = "objectgoal"
        else:
            low, high = np.array([0, -math.pi], np.float32), np.array([farthest, math.pi], np.float32)
            self.sensor_spaces["pointgoal_with_gps_compass"] = spaces.Box(low, high)
            self.goal_sensor = "pointgoal_with_gps_compass"
        self._sensed = np.zeros((num_envs, 2), np.float32), np.zeros((num_envs, 1), np.float32)
        self._bearing = np.zeros((num_envs, 2), np.float32)

    def start(self, lo: int, hi: int, chosen: NDArray[np.bool_], rows: Rows) -> None:
        """Begin the trips of those of rows lo..hi that are chosen, whose levels were just made."""
        motion.start_rows(lo, hi, chosen, rows.world, rows.slots, self.trip, rows.params, self.motion)

    def step(self, lo: int, hi: int, rows: Rows, moves: Moves) -> None:
        """Play actions, (N, 2) float32 or (N,) int64, in rows lo..hi."""
        self._step_rows(lo, hi, rows.world, self.trip, rows.params, self.motion, *moves)

    def sense(self, world: World, observation: dict[str, Any]) -> None:
        """Write those of gps, compass and the goal's sensor that an observation has.

        Noise may place the agent outside of the grid; what is sensed is clipped to the sensor's space.
        """
        if not observation.keys() & self.sensor_spaces.keys():
            return
        motion.sense_rows(0, len(world.phase), world, self.trip, *self._sensed, self._bearing)
        values = {
            "gps": self._sensed[0],
            "compass": self._sensed[1],
            "pointgoal_with_gps_compass": self._bearing,
            "objectgoal": world.mission,
        }
        for name in observation.keys() & self.sensor_spaces.keys():
            space = self.sensor_spaces[name]
            if isinstance(space, spaces.Box):
                np.clip(values[name], space.low, space.high, out=observation[name])
            else:
                observation[name][...] = values[name]

    def measures(self, success: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """Habitat's measures (`habitat/tasks/nav/nav.py`), one value a slot.

        spl (N,) float64: success * l / max(l, p), with l the geodesic distance at the start and p the metres driven
            (Anderson et al. 2018, arXiv:1807.06757); soft_spl: max(0, 1 - d / l) instead of success.
        distance_to_goal (N,) float64: d, geodesic, in metres.
        collisions (N,) int64: steps that something solid cut short, Habitat's collisions.count; is_collision (N,)
            bool: whether the last step was.
        """
        trip = self.trip
        start, driven = trip.start_distance.astype(np.float64), trip.path_length.astype(np.float64)
        distance = trip.distance.astype(np.float64)
        longer = np.maximum(np.maximum(start, driven), np.finfo(np.float32).tiny)
        progress = np.maximum(0.0, 1.0 - distance / np.maximum(start, np.finfo(np.float32).tiny))
        return {
            "spl": success * start / longer,
            "soft_spl": progress * start / longer,
            "distance_to_goal": distance,
            "collisions": trip.collisions.astype(np.int64),
            "is_collision": trip.collided.copy(),
        }

    def distances(self, world: World, points: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Geodesic metres to the goals, (N, K) float32, from points (N, K, 2): x, y in metres.

        The disc's centre keeps its radius from everything solid; beside a wall a way begins where the disc just fits,
        and from inside of something solid, or where there is no way, the distance is infinite.

        Raises:
            ValueError: points are not numbers of that shape.
        """
        places = np.ascontiguousarray(points, np.float32)
        if places.ndim != 3 or places.shape[0] != len(world.phase) or places.shape[2] != 2:
            raise ValueError(f"points have the shape ({len(world.phase)}, K, 2): x and y in m; got {np.shape(points)}")
        found = np.empty(places.shape[:2], np.float32)
        motion.distance_rows(0, len(world.phase), world, self.trip, self.motion, places, found)
        return found
