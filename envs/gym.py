"""Gymnasium's face: Env, VectorEnv and the registration of every ID."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from visnav.envs import batch
from visnav.envs.cameras import observation_space
from visnav.envs.checks import check_name, check_out, check_whole, unknown_name
from visnav.envs.driving.simulation import GOAL_SENSORS, DrivingSimulation
from visnav.envs.driving.world import Task as DrivingTask
from visnav.envs.grid.simulation import GridSimulation
from visnav.envs.grid.world import ENDED, UNSTARTED
from visnav.envs.grid.world import Task as GridTask

Task = GridTask | DrivingTask
Simulation = GridSimulation | DrivingSimulation
SIMULATIONS: dict[type, Any] = {GridTask: GridSimulation, DrivingTask: DrivingSimulation}  # by family

TASKS: dict[str, Callable[..., Task]] = {}  # every registered ID and what builds its task

RENDER_MODES = ["human", "rgb_array"]
RENDER_FPS = 10
MAX_SEED = 2**63 - 1
MAX_BUFFERS = 4  # observations of a batch that are kept for use again


def _count_references() -> int:
    """What sys.getrefcount gives for an array that only a dict holds, asked as `_free_buffer` asks it."""
    return next(sys.getrefcount(array) for array in {"array": np.empty(0)}.values())


_UNSHARED = _count_references()


COMMON = ("render_mode", "device", "num_threads", "copy", "autoreset_mode")  # keywords beside those of simulations


def register(tasks: Mapping[str, Callable[..., Task]]) -> None:
    """Register tasks with Gymnasium: {"namespace/Name-v0": function that returns a Task, ...}.

    The keywords of the function become keywords of `gym.make`. Registering an ID again replaces it.
    """
    for name, make_task in tasks.items():
        TASKS[name] = make_task
        gym.registry.pop(name, None)
        gym.register(
            name,
            entry_point="visnav.envs.gym:Env",
            vector_entry_point="visnav.envs.gym:VectorEnv",
            kwargs={"task": name},
        )


def make_simulation(name: str, num_envs: int, num_threads: int, keywords: Mapping[str, Any]) -> Simulation:
    """N worlds of an ID; `keywords` are the task's own, and those of its family's simulation.

    Raises:
        ValueError: an unknown ID, or a keyword's impossible value.
        TypeError: an unknown keyword.
    """
    if name not in TASKS:
        raise ValueError(unknown_name("task", name, TASKS))
    parameters = inspect.signature(TASKS[name]).parameters.values()
    own = {parameter.name for parameter in parameters}
    general = {keyword for kind in SIMULATIONS.values() for keyword in kind.KEYWORDS} - own
    task = TASKS[name](**{keyword: keywords[keyword] for keyword in keywords if keyword in own})
    make = SIMULATIONS[type(task)]
    for keyword in keywords:
        if keyword not in own and keyword not in make.KEYWORDS:
            raise TypeError(unknown_name(f"keyword for {name}:", keyword, [*own, *make.KEYWORDS, *COMMON]))
    options = {keyword: value for keyword, value in keywords.items() if keyword in general}
    return make(task, num_envs, num_threads=num_threads, **options)


def _seed_array(seed: int | Sequence[int | None], num_envs: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(N,) seeds, and which of them are given: an int means seed, seed + 1, …; in a list None keeps a stream."""
    if isinstance(seed, (int, np.integer)):
        seeds: Sequence[int | None] = range(int(seed), int(seed) + num_envs)
    elif isinstance(seed, (list, tuple, np.ndarray)):
        seeds = list(seed)
    else:
        raise ValueError(f"seed is a whole number, 0 to {MAX_SEED}, or a list of them; got {seed!r}")
    if len(seeds) != num_envs:
        raise ValueError(f"seed is one number or a list of num_envs={num_envs}; got a list of {len(seeds)}")
    given = np.array([value is not None for value in seeds])
    for value in seeds:
        if value is not None:
            check_whole("seed", value, 0, MAX_SEED)
    return np.array([0 if value is None else int(value) for value in seeds], np.int64), given


def _level_array(levels: ArrayLike, num_envs: int) -> NDArray[np.int64]:
    """(N,) level numbers from one number or N of them."""
    numbers = np.asarray(levels)
    if numbers.dtype.kind not in "iu" or numbers.shape not in ((), (num_envs,)):
        raise ValueError(
            f"options['level'] is a whole number or an array of num_envs={num_envs} of them; got {levels!r}"
        )
    if (numbers < 0).any():
        raise ValueError(f"level numbers start at 0; got {levels!r}")
    return np.broadcast_to(numbers, num_envs).astype(np.int64)


class _Face:
    """What one environment and a batch have in common: a simulation, and how its episodes are chosen."""

    def _start(self, task: str, num_envs: int, keywords: dict[str, Any]) -> None:
        self.device = batch.check_device(keywords.pop("device", "cpu"))
        if self.device == "cuda":
            raise NotImplementedError(
                'device="cuda": the kernels compile for GPUs, but stepping there is not released yet; use device="cpu"'
            )
        render_mode = keywords.pop("render_mode", None)
        if render_mode is not None:
            check_name("render_mode", render_mode, RENDER_MODES)
        self.render_mode = render_mode
        threads = keywords.pop("num_threads", None)
        threads = batch.available_cpus() if threads is None else check_whole("num_threads", threads, 1)
        self.simulation = make_simulation(task, num_envs, threads, keywords)
        self._title = task
        self._num_slots = num_envs
        self._all_started = False
        self._viewer: Any = None

    def _choose_episodes(
        self, seed: int | Sequence[int | None] | None, options: dict[str, Any] | None
    ) -> NDArray[np.bool_]:
        """Seed and reset what `reset` was asked to. Returns which slots were reset; on a ValueError none was."""
        options = dict(options or {})
        mask = options.pop("reset_mask", None)
        levels = options.pop("level", None)
        if options:
            raise ValueError(unknown_name("reset option", next(iter(options)), ("level", "reset_mask")))
        chosen = np.ones(self._num_slots, np.bool_)
        if mask is not None:
            if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != chosen.shape:
                raise ValueError(f"options['reset_mask'] is a bool array of shape ({self._num_slots},); got {mask!r}")
            if not mask.any():
                raise ValueError("options['reset_mask'] has no True value: nothing to reset")
            chosen = mask
        numbers = None if levels is None else _level_array(levels, self._num_slots)
        seeds = given = None
        if seed is not None:
            seeds, given = _seed_array(seed, self._num_slots)
        fresh = (self.simulation.world.phase == UNSTARTED) & chosen
        if given is not None:
            fresh &= ~given
        if fresh.any():  # slots that never had a seed get one from the operating system
            entropy = np.random.SeedSequence().generate_state(self._num_slots, np.uint64)
            self.simulation.seed_streams((entropy >> np.uint64(1)).astype(np.int64), fresh)
        if seeds is not None and given is not None:
            self.simulation.seed(seeds, given & chosen)
        if numbers is not None:
            self.simulation.choose_levels(numbers, chosen)
        self.simulation.reset(chosen)
        self._all_started = not (self.simulation.world.phase == UNSTARTED).any()
        return chosen

    def _need_reset(self) -> None:
        if not self._all_started:
            raise ResetNeeded("call reset() before step() or render(): no episode has been started")

    @property
    def layouts(self) -> NDArray[np.uint64]:
        """(N,) hash of how each slot's episode started: equal layouts have equal numbers."""
        return self.simulation.slots.layout.copy()

    def get_state(self, slots: ArrayLike | None = None) -> dict[str, NDArray[Any]]:
        """The whole state of the worlds as arrays, one row a slot; `slots` picks rows, None is all."""
        self._need_reset()
        return self.simulation.get_state(self._rows(slots))

    def set_state(self, state: dict[str, NDArray[Any]], slots: ArrayLike | None = None) -> None:
        """Restore what `get_state` returned, into any slots: each replays exactly from there.

        Raises:
            ValueError: a state of another task, or of another number of slots; nothing is changed.
        """
        self.simulation.set_state(state, self._rows(slots))
        self._all_started = not (self.simulation.world.phase == UNSTARTED).any()

    def _rows(self, slots: ArrayLike | None) -> NDArray[np.int64] | slice:
        if slots is None:
            return slice(None)
        rows = np.atleast_1d(np.asarray(slots))
        if rows.dtype.kind not in "iu" or (rows < 0).any() or (rows >= self._num_slots).any():
            raise ValueError(f"slots are numbers from 0 to {self._num_slots - 1}; got {slots!r}")
        return rows.astype(np.int64)

    def _show(self) -> None:
        """render_mode="human": show slot 0 in a window, RENDER_FPS times a second at most.

        Raises:
            NoDisplayError: where no window can be opened.
        """
        from visnav.envs.viewer import Pane, Screen, Viewer

        if self._viewer is None:
            self._viewer = Viewer(self._title)
            self._last_shown = 0.0
        time.sleep(max(0.0, self._last_shown + 1 / RENDER_FPS - time.monotonic()))
        self._last_shown = time.monotonic()
        mission = str(self.simulation.missions()[0])
        fields = {"level": str(self.simulation.slots.level[0]), "step": str(self.simulation.world.step_count[0])}
        self._viewer.show(Screen([Pane(self.simulation.render(0))], mission=mission, fields=fields))
        self._viewer.keys()  # answers the window system

    def _close_viewer(self) -> None:
        if self._viewer is not None:
            self._viewer.close()
            self._viewer = None


class Env(_Face, gym.Env[Any, Any]):
    """One world: `gym.make("visnav/MiniGrid-DoorKey-8x8-v0")`.

    Args:
        task: the registered ID (filled in by Gymnasium).
        **keywords: those of the family (see `GridSimulation`, `DrivingSimulation`), such as camera, sensors, levels,
            split, max_steps, action_repeat; render_mode, device, and the task's own.

    `reset(seed=k)` plays level k (with levels= or split=, a seed starts the stream that draws from them);
    `reset(options={"level": k})` plays level k; `info` has "level", "mission", "success", and what
    the simulation's `measures` reports. Where the observation has goals (visnav/parking-v0 with camera="kinematics"),
    there is `compute_reward(achieved_goal, desired_goal, info, p=0.5)`, see `DrivingSimulation.compute_reward`.
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": RENDER_FPS}  # noqa: RUF012

    def __init__(self, task: str, **keywords: Any) -> None:
        for name in ("copy", "autoreset_mode"):
            if name in keywords:
                raise TypeError(f"{name} is a keyword of gym.make_vec; one environment has no use for it")
        self._start(task, 1, keywords)
        self.observation_space = observation_space(self.simulation.sensor_spaces)
        self.action_space = self.simulation.action_space
        self._action = np.zeros((1, *(self.action_space.shape or ())), self.action_space.dtype)
        if isinstance(self.simulation, DrivingSimulation) and GOAL_SENSORS[1] in self.simulation.sensor_spaces:
            # by this attribute, others know an environment with goals
            self.compute_reward = self.simulation.compute_reward

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: number of the level, or seed of the stream of levels.
            options: {"level": k} plays level k.
        """
        if seed is not None:
            check_whole("seed", seed, 0, MAX_SEED)
        if options and "reset_mask" in options:
            raise ValueError(unknown_name("reset option", "reset_mask", ("level",)))
        super().reset(seed=seed)
        self._choose_episodes(None if seed is None else [seed], options)
        if self.render_mode == "human":
            self._show()
        return self.render_observation(), self._info(np.zeros(1, np.bool_))

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one action.

        Raises:
            InvalidAction: not a whole number of the action space; of a Box, not finite numbers of its shape (those
                beyond its bounds are clipped).
            ResetNeeded: before the first reset.
        """
        self._need_reset()
        if isinstance(self.action_space, spaces.Box):
            self._action[0] = _box_actions(action, self.simulation, self.action_space.shape)
        else:
            number = np.asarray(action)
            if number.shape != () or number.dtype.kind not in "iu" or not 0 <= number < self.simulation.num_actions:
                raise InvalidAction(_bad_action(action, self.simulation, ()))
            self._action[0] = number
        sensors = self.simulation.allocate()
        outcome = self.simulation.step(self._action, sensors, reset_ended=False)
        self.simulation.observe(sensors, redraw=False)
        if self.render_mode == "human":
            self._show()
        return (
            self._observation(sensors),
            float(outcome.reward[0]),
            bool(outcome.terminated[0]),
            bool(outcome.truncated[0]),
            self._info(outcome.success),
        )

    def _observation(self, sensors: dict[str, Any]) -> Any:
        """Row 0 of every sensor, in the form of the observation space."""
        rows = {name: self._plain(name, values[0]) for name, values in sensors.items()}
        return next(iter(rows.values())) if len(rows) == 1 else rows

    def _plain(self, name: str, value: Any) -> Any:
        return int(value) if isinstance(self.simulation.sensor_spaces[name], spaces.Discrete) else value

    def _info(self, success: NDArray[np.bool_]) -> dict[str, Any]:
        return {
            "level": int(self.simulation.slots.level[0]),
            "mission": self.simulation.missions()[0],
            **{name: values[0].item() for name, values in self.simulation.measures(success).items()},
        }

    def render_observation(self) -> Any:
        """The current observation again, as after `set_state`."""
        self._need_reset()
        sensors = self.simulation.allocate()
        self.simulation.observe(sensors)
        return self._observation(sensors)

    def render(self) -> NDArray[np.uint8] | None:
        """The world from above; in a window with render_mode="human"."""
        self._need_reset()
        if self.render_mode == "human":
            self._show()
            return None
        return self.simulation.render(0) if self.render_mode == "rgb_array" else None

    def annotate(self, labels: Sequence[str]) -> dict[str, Any]:
        """Labels of what the camera sees now, to learn from; see the simulation's `annotate`, here for one world.

        Returns:
            By name: "depth" (H, W, 1) float32, "semantic" (H, W, 1) uint8, "instance" (H, W, 1) int32, "boxes" a dict.
        """
        self._need_reset()
        return {name: value[0] for name, value in self.simulation.annotate(labels).items()}

    def close(self) -> None:
        """Close the window, if there is one."""
        self._close_viewer()


class VectorEnv(_Face, gym.vector.VectorEnv[Any, Any, Any]):
    """N worlds stepped and rendered together: `gym.make_vec("visnav/MiniGrid-DoorKey-8x8-v0", num_envs=1024)`.

    Args:
        task: the registered ID (filled in by Gymnasium).
        num_envs: N.
        copy: whether each step returns arrays of its own, which the caller may keep; with False, one set of
            arrays is written again and again.
        autoreset_mode: Gymnasium's NEXT_STEP (default), SAME_STEP or DISABLED.
        **keywords: those of `Env`, and num_threads (None: every core).

    Slot i after `reset(seed=s)` equals `Env` after `reset(seed=s + i)`, whatever the batch size and threads.
    `info` has arrays "level", "mission", "success", what the simulation's `measures` reports, and with SAME_STEP
    "final_obs" and "final_info".
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": RENDER_FPS}  # noqa: RUF012

    def __init__(
        self,
        task: str,
        num_envs: int = 1,
        *,
        copy: bool = True,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **keywords: Any,
    ) -> None:
        self.num_envs = check_whole("num_envs", num_envs, 1)
        modes = {mode.value: mode for mode in AutoresetMode}
        mode = autoreset_mode.value if isinstance(autoreset_mode, AutoresetMode) else autoreset_mode
        self.autoreset_mode = modes[check_name("autoreset_mode", mode, modes)]
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self._start(task, num_envs, keywords)
        self.single_observation_space = observation_space(self.simulation.sensor_spaces)
        self.single_action_space = self.simulation.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._copy = copy
        self._handed_out: list[dict[str, Any]] = []
        self._everyone = np.ones(num_envs, np.bool_)

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
        out: Any = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode in every slot.

        Args:
            seed: s for seeds s, s + 1, …, or a list of N.
            options: {"level": number or (N,) numbers} plays these levels; {"reset_mask": (N,) bool} resets only some.
            out: arrays to write the observation into, see `step`.
        """
        sensors = self._sensors(out)
        chosen = self._choose_episodes(seed, options)
        self.simulation.observe(sensors)
        return self._observation(sensors), self._info(np.zeros(self.num_envs, np.bool_), chosen)

    def step(
        self, actions: Any, *, out: Any = None
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Play one action in every slot.

        Args:
            actions: (N,) whole numbers of the action space; of a Box, (N, …) numbers, clipped to its bounds.
            out: C-contiguous arrays of the observation's shapes and dtypes (one array, or a dict by sensor) to write
                into, such as a row of a rollout buffer; they are then what is returned.

        Raises:
            InvalidAction: a wrong shape or dtype, NaN, or a whole number out of range; no world has been stepped.
            ResetNeeded: before the first reset, or (autoreset DISABLED) when an ended episode was not reset.
        """
        self._need_reset()
        actions = self._checked(actions)
        if self.autoreset_mode is AutoresetMode.DISABLED and (self.simulation.world.phase == ENDED).any():
            slots = np.flatnonzero(self.simulation.world.phase == ENDED).tolist()
            raise ResetNeeded(
                f"autoreset is disabled and the episodes of slots {slots} have ended: "
                'call reset(options={"reset_mask": terminated | truncated}) first'
            )
        sensors = self._sensors(out)
        outcome = self.simulation.step(actions, sensors, self.autoreset_mode is AutoresetMode.NEXT_STEP)
        self.simulation.observe(sensors, redraw=False)
        info = self._info(outcome.success.copy(), self._everyone)
        if self.autoreset_mode is AutoresetMode.SAME_STEP and (self.simulation.world.phase == ENDED).any():
            final = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in sensors.items()}
            ended = self.simulation.reset_ended(sensors)
            final_info = {**info, **{name: ended for name in info if name.startswith("_")}}
            info = self._info(np.zeros(self.num_envs, np.bool_), self._everyone)
            info |= {
                "final_obs": self._observation(final),
                "_final_obs": ended,
                "final_info": final_info,
                "_final_info": ended,
            }
        if self.render_mode == "human":
            self._show()
        return (
            self._observation(sensors),
            outcome.reward.copy(),
            outcome.terminated.copy(),
            outcome.truncated.copy(),
            info,
        )

    def _checked(self, actions: Any) -> NDArray[Any]:
        """Actions as int64 or float32, or an error that says what they are."""
        if isinstance(self.single_action_space, spaces.Box):
            return _box_actions(actions, self.simulation, (self.num_envs, *self.single_action_space.shape))
        array = np.asarray(actions)
        if (
            array.shape != (self.num_envs,)
            or array.dtype.kind not in "iu"
            or array.min() < 0
            or array.max() >= self.simulation.num_actions
        ):
            raise InvalidAction(_bad_action(actions, self.simulation, (self.num_envs,)))
        return np.ascontiguousarray(array, np.int64)

    def _sensors(self, out: Any) -> dict[str, Any]:
        """The arrays that this observation goes into: the caller's, or ours."""
        if out is None:
            return dict(self._free_buffer())
        names = list(self.simulation.sensor_spaces)
        given = out if isinstance(out, Mapping) else {names[0]: out}
        sensors = {}
        for name, space in self.simulation.sensor_spaces.items():
            if isinstance(space, spaces.Text):
                continue
            shape = (self.num_envs, *(space.shape or ()))
            sensors[name] = check_out(name, given.get(name), shape, space.dtype)
        return sensors

    def _free_buffer(self) -> dict[str, Any]:
        """Arrays that nobody else holds: with copy=False always the same, else those that the caller let go of.

        Memory fresh from the operating system costs more than drawing into it, so it is used again as soon as
        reference counts say that neither the caller nor a view refers to it.
        """
        for buffer in self._handed_out:
            if not self._copy or all(sys.getrefcount(array) == _UNSHARED for array in buffer.values()):
                return buffer
        buffer = self.simulation.allocate()
        if len(self._handed_out) < MAX_BUFFERS:
            self._handed_out.append(buffer)
        return buffer

    def _observation(self, sensors: dict[str, Any]) -> Any:
        return next(iter(sensors.values())) if len(sensors) == 1 else sensors

    def _info(self, success: NDArray[np.bool_], rows: NDArray[np.bool_]) -> dict[str, Any]:
        """Arrays by name, and under "_" + name which rows of them hold."""
        values = {
            "level": self.simulation.slots.level.copy(),
            "mission": self.simulation.missions(),
            **self.simulation.measures(success),
        }
        return values | {f"_{name}": rows for name in values}

    def render_observation(self, out: Any = None) -> Any:
        """The current observation again, as after `set_state`."""
        self._need_reset()
        sensors = self._sensors(out)
        self.simulation.observe(sensors)
        return self._observation(sensors)

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Every world from above; with render_mode="human", the first in a window."""
        self._need_reset()
        if self.render_mode == "human":
            self._show()
            return None
        if self.render_mode == "rgb_array":
            return tuple(self.simulation.render(i) for i in range(self.num_envs))
        return None

    def annotate(self, labels: Sequence[str], out: Mapping[str, NDArray[Any]] | None = None) -> dict[str, Any]:
        """Labels of what the cameras see now, to learn seeing from; see the simulation's `annotate`."""
        self._need_reset()
        return self.simulation.annotate(labels, out)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the window, if there is one."""
        self._close_viewer()


def _box_actions(actions: Any, simulation: Simulation, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Actions of a Box as float32 (the rules clip them), or an InvalidAction that says what they are."""
    array = np.asarray(actions)
    problem = ""
    if array.shape != shape:
        problem = f"shape {array.shape}"
    elif array.dtype.kind not in "iuf":
        problem = f"dtype {array.dtype}"
    elif np.isnan(array).any():
        problem = "NaN among them"
    if problem:
        names = ", ".join(f"{k} {name}" for k, name in enumerate(simulation.action_names))
        raise InvalidAction(
            f"got actions with {problem}: {actions!r}; expected an array of shape {shape} with numbers from -1 to 1 "
            f"(others are clipped): {names}"
        )
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and clipped all the same
        return np.ascontiguousarray(array, np.float32)


def _bad_action(actions: Any, simulation: Simulation, shape: tuple[int, ...]) -> str:
    """What was given, and what an action is here."""
    array = np.asarray(actions)
    if array.shape != shape:
        problem = f"an action of shape {array.shape}"
    elif array.dtype.kind not in "iu":
        problem = f"an action of dtype {array.dtype}: {actions!r}"
    else:
        wrong = np.atleast_1d(array)
        problem = f"action {wrong[(wrong < 0) | (wrong >= simulation.num_actions)][0]}"
    listed = ", ".join(f"{k} {name}" for k, name in enumerate(simulation.action_names))
    kind = f"an array of {shape[0]} whole numbers" if shape else "a whole number"
    return f"got {problem}; expected {kind} among {listed}"
