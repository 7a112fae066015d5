"""N driving worlds of one task with their camera: what Gymnasium's faces in `visnav.envs.gym` drive."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from typing import Any

import numba
import numpy as np
from gymnasium import spaces
from numba import types
from numpy.typing import NDArray

from visnav.envs import batch
from visnav.envs.cameras import choose_sensors, label_arrays
from visnav.envs.checks import check_name, check_real, check_state, check_whole
from visnav.envs.driving import loops
from visnav.envs.driving.cameras import CAMERAS, CameraOptions, DrivingCamera
from visnav.envs.driving.config import configured
from visnav.envs.driving.ground import Ground, make_ground
from visnav.envs.driving.kinematics import KinematicsGoal, make_observation
from visnav.envs.driving.regulation import FREQUENCY, MOMENTS
from visnav.envs.driving.roads import make_roads
from visnav.envs.driving.world import (
    CHOSEN,
    CONTINUOUS_ACTION,
    DISCRETE_ACTION,
    ENDED,
    FRESH,
    GOAL,
    META,
    META_LATERAL,
    META_LONGITUDINAL,
    PLAYING,
    REAL,
    TERMS,
    UNSTARTED,
    VEHICLE_NUMBERS,
    Outcome,
    Params,
    Slots,
    Tables,
    Task,
    World,
    make_outcome,
    make_slots,
    make_tables,
    make_world,
    nothing,
)
from visnav.envs.levels import level_source, seed_rows

Observation = dict[str, Any]

ACTION_NAMES = {
    META: ("lane left", "idle", "lane right", "faster", "slower"),
    META_LONGITUDINAL: ("slower", "idle", "faster"),
    META_LATERAL: ("lane left", "idle", "lane right"),
}
KINEMATICS = "kinematics"  # the camera that makes no picture
GOAL_SENSORS = ("observation", "achieved_goal", "desired_goal")  # what it has where there is a goal
MISSION = ""  # driving tasks say with their ID what is to be done


class DrivingSimulation:
    """N worlds of a driving task: their state, rules and one camera.

    Args:
        task: what is simulated.
        num_envs: N.
        camera: "kinematics", "birdseye", "topdown" or "front"; None for the task's own, or for "kinematics" where an
            observation is given.
        sensors: names to return, None for the camera's default.
        levels: numbers that episodes are drawn from, None for all.
        split: None, "train" or "test": only layouts of that part.
        max_steps: policy steps until truncation, instead of the task's duration.
        observation: of camera="kinematics", as in highway-env's configuration: "type" and the keywords of
            `visnav.envs.driving.kinematics`; it replaces the task's as a whole.
        action, duration, simulation_frequency, policy_frequency, neighbour_vehicles_connected_lanes: as in
            highway-env's configuration, see `visnav.envs.driving.config.configured`.
        vehicle_ranges: (low, high) by name: what every vehicle's sizes, mass, tyres and driver are drawn from, see
            `visnav.envs.driving.config.VEHICLE_BOUNDS`.
        action_repeat: policy steps per step.
        num_threads: threads that share the rows.
        **options: fields of `CameraOptions`.
    """

    KEYWORDS = (
        "camera", "sensors", "levels", "split", "max_steps", "observation", "action_repeat", "action", "duration",
        "simulation_frequency", "policy_frequency", "neighbour_vehicles_connected_lanes", "vehicle_ranges",
        *(option.name for option in fields(CameraOptions)),
    )  # fmt: skip  # of `gym.make`

    def __init__(
        self,
        task: Task,
        num_envs: int,
        *,
        camera: str | None = None,
        sensors: Sequence[str] | None = None,
        levels: Sequence[int] | NDArray[np.integer[Any]] | None = None,
        split: str | None = None,
        max_steps: int | None = None,
        observation: Mapping[str, Any] | None = None,
        action: Mapping[str, Any] | None = None,
        duration: float | None = None,
        simulation_frequency: int | None = None,
        policy_frequency: int | None = None,
        neighbour_vehicles_connected_lanes: bool | None = None,
        vehicle_ranges: Mapping[str, Sequence[float]] | None = None,
        action_repeat: int = 1,
        num_threads: int = 1,
        **options: Any,
    ) -> None:
        task = configured(
            task, action, duration, simulation_frequency, policy_frequency, neighbour_vehicles_connected_lanes,
            vehicle_ranges,
        )  # fmt: skip
        max_steps = task.max_steps if max_steps is None else check_whole("max_steps", max_steps, 1)
        self.task = task
        self.num_envs = num_envs
        self.num_threads = num_threads
        if camera is None:
            camera = task.camera if observation is None else KINEMATICS
        self.camera = check_name("camera", camera, (KINEMATICS, *CAMERAS))
        if observation is not None and camera != KINEMATICS:
            raise ValueError(f"observation is of camera={KINEMATICS!r}; got camera={camera!r}")
        self.params = make_params(task, check_whole("action_repeat", action_repeat, 1))
        if max_steps is not None:
            self.params = self.params._replace(duration=(max_steps - 0.5) * self.params.policy_dt)
        self.networks = [task.layout(k) for k in range(task.num_roads)]
        self.roads = make_roads(self.networks)
        self.world = make_world(num_envs, task.max_vehicles, task.route_length)
        self.slots = make_slots(num_envs)
        self.outcome = make_outcome(num_envs)
        moments = MOMENTS if task.regulated else 0
        self.tables = make_tables(num_envs, self.roads.lanes.kind.shape[1], task.max_vehicles, moments)
        self._source = level_source(levels, split)
        self._seed_is_level = levels is None and split is None
        self._args = np.array(task.args, REAL)
        signature = types.void(
            types.int64, numba.typeof(self.world), numba.typeof(self.roads), numba.typeof(self._args)
        )
        self._spawn, self._enter, self._renew = (
            batch.compile_callback(function, signature) for function in (task.spawn, task.enter, task.renew)
        )
        self._commands = np.zeros((num_envs, 2), REAL)
        self._missions = np.full(num_envs, MISSION, dtype=object)
        self._missions.setflags(write=False)
        self.action_names, self.action_space = _actions(self.params)
        self.num_actions = len(self.action_names)
        self._lens: DrivingCamera | None = None
        if self.camera == KINEMATICS:
            if options:
                raise ValueError(f"{next(iter(options))} is not for camera={KINEMATICS!r}; it belongs to {CAMERAS}")
            offered = self._choose_vectors(task.observation if observation is None else observation)
        else:
            self._lens = self._make_camera(self.camera, num_envs, CameraOptions(**options))
            offered = dict(self._lens.spaces)
        default = ("rgb",) if "rgb" in offered else tuple(offered)
        self.sensor_spaces = choose_sensors(sensors, default, self.camera, offered)

    def _choose_vectors(self, options: Mapping[str, Any]) -> dict[str, spaces.Space[Any]]:
        """Prepare camera="kinematics", and return its sensors."""
        vectors = make_observation(options)
        if isinstance(vectors, KinematicsGoal):
            if GOAL not in self.task.weights:
                raise ValueError("the observation KinematicsGoal is for tasks with a goal; this one has none")
            self._goal_view = vectors.view()
            self._unwanted = np.zeros((self.num_envs, len(vectors.features)))
            space = spaces.Box(-np.inf, np.inf, (len(vectors.features),), np.float64)
            return dict.fromkeys(GOAL_SENSORS, space)
        self._view = vectors.view(self.task.lanes, self.roads)
        shape = vectors.vehicles_count, len(vectors.features)
        return {KINEMATICS: spaces.Box(-np.inf, np.inf, shape, np.float32)}

    @cached_property
    def _ground(self) -> Ground:
        """What cameras see of the roads; drawn when the first camera needs it."""
        return make_ground(self.roads, [network.paved for network in self.networks])

    def _make_camera(self, name: str, num_envs: int, options: CameraOptions) -> DrivingCamera:
        return DrivingCamera(name, self._ground, num_envs, self.task.max_vehicles, options)

    # --- episodes ---------------------------------------------------------------------------------------

    def seed(self, seeds: NDArray[np.int64], chosen: NDArray[np.bool_]) -> None:
        """Start the streams of the chosen slots; without levels= or split=, a seed is also the next level."""
        self.seed_streams(seeds, chosen)
        if self._seed_is_level:
            self.slots.next_level[chosen] = seeds[chosen]

    def seed_streams(self, seeds: NDArray[np.int64], chosen: NDArray[np.bool_]) -> None:
        """Start the streams that the chosen slots draw their levels from."""
        seed_rows(0, self.num_envs, self.slots, seeds, chosen)

    def choose_levels(self, levels: NDArray[np.int64], chosen: NDArray[np.bool_]) -> None:
        """Name the level that each chosen slot plays next, -1 to draw one."""
        self.slots.next_level[chosen] = levels[chosen]

    def reset(self, chosen: NDArray[np.bool_]) -> None:
        """Start a new episode in the chosen slots.

        Raises:
            ValueError: the split has no level among those given.
        """
        self.world.phase[chosen] = CHOSEN
        self._reset_phase(CHOSEN, PLAYING)

    def _reset_phase(self, before: int, after: int) -> None:
        """Start a new episode in every slot that is in phase `before`; they are then in phase `after`."""
        count = np.count_nonzero(self.world.phase == before)
        if count == 0:
            return

        def work(lo: int, hi: int) -> None:
            loops.reset_rows(
                lo, hi, self.world, self.roads, self.tables, self.slots, self.params, self._source, self._spawn,
                self._enter, self._args, before, after,
            )  # fmt: skip

        batch.run(work, self.num_envs, self.num_threads if count >= batch.MIN_ROWS_PER_THREAD else 1)
        empty = (self.slots.level < 0) & (self.world.phase == after)
        if empty.any():
            self.world.phase[empty] = UNSTARTED
            raise ValueError("none of the levels given has a layout in the split asked for; give more levels")

    def step(self, actions: NDArray[Any], observation: Observation | None, reset_ended: bool) -> Outcome:
        """Play one action in every slot and write the observation.

        Args:
            actions: (N,) int64 within the action space, or (N, 1) or (N, 2) float32.
            observation: its arrays are written; None to skip them.
            reset_ended: whether slots whose episode had ended start their next one instead.
        """
        if reset_ended:
            self._reset_phase(ENDED, FRESH)
        self._commands[:, : actions.shape[1] if actions.ndim == 2 else 1] = actions.reshape(self.num_envs, -1)

        def work(lo: int, hi: int) -> None:
            loops.step_rows(
                lo, hi, self.world, self.roads, self.tables, self.params, self._renew, self._args, self._commands,
                self.outcome,
            )  # fmt: skip
            if observation:
                self._draw(lo, hi, observation)

        batch.run(work, self.num_envs, self.num_threads)
        return self.outcome

    def reset_ended(self, observation: Observation) -> NDArray[np.bool_]:
        """Start the next episode of every slot that has ended, and renew its rows of `observation`."""
        ended = self.world.phase == ENDED
        self._reset_phase(ENDED, PLAYING)
        for i in np.flatnonzero(ended).tolist():
            self._draw(i, i + 1, observation)
        return ended

    def first_rows(self, count: int) -> DrivingSimulation:
        """The first `count` slots as a simulation of their own, without camera, in the same memory."""
        part = copy.copy(self)
        part.num_envs = count
        part._commands, part._missions, part._lens = self._commands[:count], self._missions[:count], None
        part.world = World._make(array[:count] for array in self.world)
        part.tables = Tables._make(array[:count] for array in self.tables)
        part.slots = Slots._make(array[:count] for array in self.slots)
        part.outcome = Outcome._make(array[:count] for array in self.outcome)
        return part

    # --- observations -----------------------------------------------------------------------------------

    def allocate(self) -> Observation:
        """Room for one observation of the batch: the arrays of every sensor."""
        return {
            name: np.empty((self.num_envs, *space.shape), space.dtype)  # type: ignore[misc]
            for name, space in self.sensor_spaces.items()
        }

    def observe(self, observation: Observation, redraw: bool = True) -> None:
        """Write the observation of every slot, from `allocate`."""
        if redraw:
            batch.run(lambda lo, hi: self._draw(lo, hi, observation), self.num_envs, self.num_threads)

    def _draw(self, lo: int, hi: int, observation: Observation) -> None:
        """Write rows lo..hi of the observation."""
        if self._lens is not None:
            self._lens.draw(lo, hi, self.world, self.slots.level, observation)
        elif KINEMATICS in observation:
            loops.kinematics_rows(
                lo, hi, self.world, self.roads, self.tables, self._view, observation[KINEMATICS]
            )  # fmt: skip
        else:
            wanted = (observation.get(name, self._unwanted) for name in GOAL_SENSORS)
            loops.goal_rows(lo, hi, self.world, self.roads, self.tables, *self._goal_view, *wanted)

    def annotate(self, labels: Sequence[str], out: Mapping[str, NDArray[Any]] | None = None) -> dict[str, Any]:
        """Labels of what the camera sees now, for learning to see.

        Args:
            labels: of "depth" ("front" only), "semantic", "instance" and "boxes"; and "rgb", the picture itself.
            out: C-contiguous arrays of these shapes and dtypes by name, to write into instead of new ones.

        Returns:
            By name: "rgb" (N, H, W, 3) uint8; "depth" (N, H, W, 1) float32 metres to the image plane; "semantic"
            (N, H, W, 1) uint8, places in `lens.SEMANTIC_CLASSES`; "instance" (N, H, W, 1) int32, a vehicle's place in
            its world + 1, 0 = background; "boxes" a list of N dicts, see `visnav.envs.boxes.tight_boxes`.

        Raises:
            ValueError: a label that this camera does not have, or an array that does not fit it.
        """
        lens = self._lens
        if lens is None:
            raise ValueError(f"camera={self.camera!r} has no labels; {', '.join(CAMERAS)} have")
        for name in labels:
            check_name(f"label for camera={self.camera!r}", name, ("rgb", *lens.labels))
        pictures = label_arrays(labels, lens.spaces, self.num_envs, out)
        batch.run(
            lambda lo, hi: lens.draw(lo, hi, self.world, self.slots.level, pictures), self.num_envs, self.num_threads
        )
        found: dict[str, Any] = dict(pictures)
        if "boxes" in labels:
            found["boxes"] = lens.boxes(pictures["instance"], pictures["semantic"])
        return {name: found[name] for name in labels}

    def render(self, slot: int, camera: str = "topdown", **options: Any) -> NDArray[np.uint8]:
        """A picture for people of one slot: (H, W, 3) uint8; `options` as in `CameraOptions`."""
        drawing = self._make_camera(camera, 1, CameraOptions(**options))
        frame = np.empty((1, *drawing.spaces["rgb"].shape), np.uint8)
        world = World._make(array[slot : slot + 1] for array in self.world)
        drawing.draw(0, 1, world, self.slots.level[slot : slot + 1], {"rgb": frame})
        return frame[0]

    # --- facts ------------------------------------------------------------------------------------------

    def missions(self) -> NDArray[np.object_]:
        """(N,) the mission text of every slot: empty."""
        return self._missions

    def measures(self, success: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """What `info` reports of every slot beside level and mission: arrays (N,), as highway-env's info has them.

        `success`, ego's `speed` in m/s, `crashed`, and the reward terms of the last step before weighting.
        """
        found = {
            "success": success,
            "speed": self.world.vehicles["speed"][:, 0].copy(),  # by key: attributes of records cost 2 µs each
            "crashed": self.world.vehicles["crashed"][:, 0].copy(),
        }
        return found | {TERMS[k]: self.outcome.terms[:, k].copy() for k in self.task.weights}

    def compute_reward(
        self, achieved_goal: NDArray[np.float64], desired_goal: NDArray[np.float64], info: Any, p: float = 0.5
    ) -> Any:
        """Reward of coming as near to a goal, without that of collisions: -(Σ weight · |difference|)^p.

        For hindsight experience replay, as ParkingEnv of `highway_env/envs/parking_env.py` has it.

        Args:
            achieved_goal, desired_goal: (..., 6), as "achieved_goal" and "desired_goal" of the observation.
            info: not looked at.
            p: of the norm.

        Returns:
            (...) float64.

        Raises:
            ValueError: a task without a goal.
        """
        if GOAL not in self.task.weights:
            raise ValueError("compute_reward is for tasks with a goal; this one has none")
        apart = np.abs(np.asarray(achieved_goal) - np.asarray(desired_goal))
        total = sum(weight * apart[..., k] for k, weight in enumerate(self.params.goal_weights))
        return -(np.sqrt(total) if p == 0.5 else np.power(total, p))

    def get_state(self, slots: NDArray[np.int64] | slice) -> dict[str, NDArray[Any]]:
        """Copies of the rows that a later set_state needs to go on exactly from here; each field is its own array."""
        return {name: array[slots].copy() for name, array in self._state_arrays().items()}

    def set_state(self, state: dict[str, NDArray[Any]], slots: NDArray[np.int64] | slice) -> None:
        """Put rows back.

        Raises:
            ValueError: fields, shapes or dtypes are not those of this task and number of slots; nothing is changed.
        """
        check_state(state, self.get_state(slots), "driving worlds")
        arrays = self._state_arrays()
        for name, array in state.items():
            arrays[name][slots] = array
        loops.locate_rows(0, self.num_envs, self.world, self.roads, self.tables)

    def _state_arrays(self) -> dict[str, NDArray[Any]]:
        """Views of all that changes, by name; records are taken apart, as files of plain arrays cannot hold them."""
        arrays = {}
        for part, group in (("world", self.world), ("slots", self.slots)):
            for name, array in group._asdict().items():
                if array.dtype.names is None:
                    arrays[f"{part}.{name}"] = array
                else:
                    arrays |= {f"{part}.{name}.{field}": np.asarray(array[field]) for field in array.dtype.names}
        return arrays


def make_params(task: Task, action_repeat: int = 1) -> Params:
    """The task's numbers as kernels read them.

    Raises:
        ValueError: an impossible action type, frequency or range.
    """
    actions = {"DiscreteMetaAction": META, "ContinuousAction": CONTINUOUS_ACTION, "DiscreteAction": DISCRETE_ACTION}
    action = actions[check_name("action", task.action, actions)]
    if not (task.longitudinal or task.lateral):
        raise ValueError("an action is longitudinal, lateral or both; got neither")
    if action == META and not (task.longitudinal and task.lateral):
        action = META_LONGITUDINAL if task.longitudinal else META_LATERAL
    check_real("duration", min(task.duration, 1e300), above=0)
    weights = np.zeros(len(TERMS), REAL)
    for term, weight in task.weights.items():
        weights[term] = weight
    worst, best = task.reward_range or (0.0, 1.0)
    return Params(
        substeps=task.simulation_frequency // task.policy_frequency,
        dt=1 / task.simulation_frequency,
        policy_dt=1 / task.policy_frequency,
        duration=float(task.duration),
        action=action,
        target_speeds=np.array(task.target_speeds, REAL),
        acceleration_low=float(task.acceleration_range[0]),
        acceleration_high=float(task.acceleration_range[1]),
        steering_low=float(task.steering_range[0]),
        steering_high=float(task.steering_range[1]),
        actions_per_axis=task.actions_per_axis,
        longitudinal=task.longitudinal,
        lateral=task.lateral,
        dynamical=task.dynamical,
        min_speed=float(task.speed_range[0]),
        max_speed=float(task.speed_range[1]),
        vehicle_ranges=np.array([task.vehicle_ranges.get(name, (np.nan, np.nan)) for name in VEHICLE_NUMBERS], REAL),
        connected_neighbours=task.connected_neighbours,
        regulation_period=max(1, int(task.simulation_frequency / FREQUENCY)) if task.regulated else 0,
        warm_up=round(task.warm_up * task.simulation_frequency),
        renewed=task.renew is not nothing,
        weights=weights,
        computed=np.isin(np.arange(len(TERMS)), list(task.weights)),
        centering_cost=float(task.centering_cost),
        goal_weights=np.array(task.goal_weights, REAL),
        reward_low=float(task.reward_speed_range[0]),
        reward_high=float(task.reward_speed_range[1]),
        worst=float(worst),
        best=float(best),
        clip_reward=task.clip_reward,
        off_road_reward=float(task.off_road_reward),
        arrived_reward=float(task.arrived_reward),
        end_crash=task.end_crash,
        end_offroad=task.end_offroad,
        end_x=float(task.end_x),
        end_arrived=task.end_arrived,
        arrival_distance=float(task.arrival_distance),
        goal_distance=float(task.goal_distance),
        action_repeat=action_repeat,
    )


def _actions(params: Params) -> tuple[tuple[str, ...], spaces.Space[Any]]:
    """Names and space of the actions."""
    if params.action in ACTION_NAMES:
        names = ACTION_NAMES[params.action]
        return names, spaces.Discrete(len(names))
    axes = (("acceleration",) if params.longitudinal else ()) + (("steering",) if params.lateral else ())
    if params.action == CONTINUOUS_ACTION:
        return axes, spaces.Box(-1, 1, (len(axes),), np.float32)
    values = [f"{value:+.2f}" for value in np.linspace(-1, 1, params.actions_per_axis)]
    names = tuple(f"{axes[0]} {value}" for value in values)
    if len(axes) == 2:
        names = tuple(f"{name}, {axes[1]} {value}" for name in names for value in values)
    return names, spaces.Discrete(len(names))
