"""N grid worlds of one task with their cameras: what Gymnasium's faces in `visnav.envs.gym` drive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from visnav.envs import batch
from visnav.envs.cameras import rgb_space, text_space, token_space
from visnav.envs.checks import check_name, check_whole
from visnav.envs.grid import cameras, loops
from visnav.envs.grid.missions import TOKENS, VOCABULARY_SIZE, tokenize
from visnav.envs.grid.tiles import tile_table
from visnav.envs.grid.world import (
    CHOSEN,
    ENDED,
    FRESH,
    PLAYING,
    SPLITS,
    UNSTARTED,
    LevelSource,
    Outcome,
    Params,
    Task,
    World,
    level_signature,
    make_outcome,
    make_slots,
    make_world,
)

CAMERAS = ("tiles", "full", "symbolic")
IMAGE = {"tiles": "rgb", "full": "rgb", "symbolic": "image"}  # the sensor that a camera's kernel writes
RENDER_TILE = 32  # pixels of a cell in render()
LEVELS = 2**31  # numbers that episodes are drawn from where no levels are given

Observation = dict[str, Any]


class LevelError(RuntimeError):
    """A level that was asked for cannot be made, or a split has no level."""


class GridSimulation:
    """N worlds of a grid task: their state, rules and one camera.

    Args:
        task: what is simulated.
        num_envs: N.
        camera: "tiles" (what the agent sees, egocentric), "full" (the whole grid from above) or "symbolic".
        sensors: names to return, None for the camera's default.
        levels: numbers that episodes are drawn from, None for all.
        split: None, "train" or "test": only layouts of that part.
        image_size: (height, width) of the picture, instead of tile_size.
        tile_size: pixels of a cell.
        agent_view_size: cells along a side of what the agent sees, odd.
        max_steps: instead of the task's.
        action_repeat: rule steps per step.
        num_threads: threads that share the rows.
    """

    def __init__(
        self,
        task: Task,
        num_envs: int,
        *,
        camera: str = "tiles",
        sensors: Sequence[str] | None = None,
        levels: Sequence[int] | NDArray[np.integer[Any]] | None = None,
        split: str | None = None,
        image_size: tuple[int, int] | None = None,
        tile_size: int = 8,
        agent_view_size: int = 7,
        max_steps: int | None = None,
        action_repeat: int = 1,
        num_threads: int = 1,
    ) -> None:
        check_name("camera", camera, CAMERAS)
        if split not in SPLITS:
            raise ValueError(f'split is None, "train" or "test"; got {split!r}')
        check_whole("agent_view_size", agent_view_size, 3, cameras.MAX_VIEW_SIZE)
        if agent_view_size % 2 == 0:
            raise ValueError(f"agent_view_size is odd, so that the agent stands in the middle; got {agent_view_size}")
        if max_steps is not None:
            task = replace(task, max_steps=check_whole("max_steps", max_steps, 1))
        self.task = task
        self.num_envs = num_envs
        self.camera = camera
        self.num_threads = num_threads
        self.tile_size = self._check_tile_size(image_size, tile_size, agent_view_size)

        self.world = make_world(num_envs, task)
        self.slots = make_slots(num_envs, task)
        self.outcome = make_outcome(num_envs)
        self._params = Params(
            agent_view_size,
            task.see_through_walls,
            task.max_steps,
            task.objective,
            check_whole("action_repeat", action_repeat, 1),
            task.collisions,
            task.actions,
        )
        self._source = _level_source(levels, SPLITS[split])
        self._seed_is_level = levels is None and split is None
        self._level_function = batch.compile_callback(task.level, level_signature(len(task.args)))
        self._args = tuple(int(arg) for arg in task.args)

        self._missions = np.array(task.missions, dtype=object)
        self._same_mission = np.full(num_envs, task.missions[0], dtype=object)
        self._same_mission.setflags(write=False)
        self._tokens = tokenize(task.missions)
        self.sensor_spaces = self._choose_sensors(sensors, agent_view_size)
        self.action_names = task.action_names
        self.action_space: spaces.Space[Any] = spaces.Discrete(len(self.action_names))
        self.num_actions = len(task.actions)  # that are taken: those beyond the action space stand for others

        self._view = np.zeros((num_envs, agent_view_size**2), np.uint8)
        self._codes = np.zeros((num_envs, max(agent_view_size**2, task.width * task.height)), np.uint16)
        self._tiles = _as_words(tile_table(self.tile_size)) if camera != "symbolic" else None

    def _check_tile_size(self, image_size: tuple[int, int] | None, tile_size: int, view_size: int) -> int:
        """Pixels of a cell, from either keyword."""
        if image_size is None or self.camera == "symbolic":
            return check_whole("tile_size", tile_size, 2, 256)
        rows, columns = (view_size, view_size) if self.camera == "tiles" else (self.task.height, self.task.width)
        size = tuple(image_size)
        if len(size) != 2 or size[0] % rows or size[1] % columns or size[0] // rows != size[1] // columns:
            examples = ", ".join(str((rows * k, columns * k)) for k in (4, 8, 12))
            raise ValueError(
                f'image_size is (height, width), here a multiple of {(rows, columns)} cells as camera="{self.camera}" '
                f"draws square cells, such as {examples}; got {image_size!r}"
            )
        return check_whole("image_size / cells", size[0] // rows, 2, 256)

    def _choose_sensors(self, names: Sequence[str] | None, view_size: int) -> dict[str, spaces.Space[Any]]:
        """The spaces of the sensors that are returned, in a fixed order."""
        missions = self.task.missions
        rows, columns = (view_size, view_size) if self.camera == "tiles" else (self.task.height, self.task.width)
        offered: dict[str, spaces.Space[Any]]
        if self.camera == "symbolic":
            offered = {
                "direction": spaces.Discrete(4),
                "image": spaces.Box(0, 255, (view_size, view_size, 3), np.uint8),
                "mission": text_space(missions),
            }
            default = tuple(offered)
        else:
            offered = {
                "direction": spaces.Discrete(4),
                "mission": token_space(VOCABULARY_SIZE, TOKENS),
                "rgb": rgb_space(rows * self.tile_size, columns * self.tile_size),
            }
            default = ("rgb", "mission") if len(missions) > 1 else ("rgb",)
        chosen = default if names is None else (names,) if isinstance(names, str) else tuple(names)
        if not chosen:
            raise ValueError(f"sensors is empty; camera={self.camera!r} offers {', '.join(offered)}")
        for name in chosen:
            check_name(f"sensor for camera={self.camera!r}", name, offered)
        return {name: space for name, space in offered.items() if name in chosen}

    # --- episodes ---------------------------------------------------------------------------------------

    def seed(self, seeds: NDArray[np.int64], chosen: NDArray[np.bool_]) -> None:
        """Start the streams of the chosen slots; without levels= or split=, a seed is also the next level."""
        self.seed_streams(seeds, chosen)
        if self._seed_is_level:
            self.slots.next_level[chosen] = seeds[chosen]

    def seed_streams(self, seeds: NDArray[np.int64], chosen: NDArray[np.bool_]) -> None:
        """Start the streams that the chosen slots draw their levels from."""
        loops.seed_rows(0, self.num_envs, self.slots, seeds, chosen)

    def choose_levels(self, levels: NDArray[np.int64], chosen: NDArray[np.bool_]) -> None:
        """Name the level that each chosen slot plays next, -1 to draw one."""
        self.slots.next_level[chosen] = levels[chosen]

    def reset(self, chosen: NDArray[np.bool_]) -> None:
        """Start a new episode in the chosen slots.

        Raises:
            LevelError: a level cannot be made, or the split has none.
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
                lo, hi, self.world, self.slots, self._source, self._level_function, self._args, before, after
            )

        batch.run(work, self.num_envs, self.num_threads if count >= batch.MIN_ROWS_PER_THREAD else 1)
        if self.slots.failed.any():
            failed = np.flatnonzero(self.slots.failed)
            self.world.phase[failed] = UNSTARTED
            self.slots.failed[failed] = False
            raise LevelError(
                f"no level could be made for slot(s) {failed.tolist()}; last tried were levels "
                f"{self.slots.level[failed].tolist()}. Either these levels do not exist, or the levels given "
                f"have no layout in the split asked for"
            )

    def step(self, actions: NDArray[np.integer[Any]], image: NDArray[np.uint8] | None, reset_ended: bool) -> Outcome:
        """Play one action in every slot and write the pictures.

        Args:
            actions: (N,) within the action space.
            image: written with the pictures, None to skip them.
            reset_ended: whether slots whose episode had ended start their next one instead.
        """

        if reset_ended:
            self._reset_phase(ENDED, FRESH)
        kernel: Callable[..., None] = loops.step_rows
        canvas: tuple[NDArray[Any], ...] = ()
        if image is not None:
            kernel, canvas = loops.CAMERAS[self.camera].step, self._canvas(image)

        def work(lo: int, hi: int) -> None:
            kernel(lo, hi, self.world, self._params, actions, self.outcome, *canvas)

        batch.run(work, self.num_envs, self.num_threads)
        return self.outcome

    def reset_ended(self, observation: Observation) -> NDArray[np.bool_]:
        """Start the next episode of every slot that has ended, and renew its rows of `observation`."""
        ended = self.world.phase == ENDED
        self._reset_phase(ENDED, PLAYING)
        image = observation.get(IMAGE[self.camera])
        if image is not None:
            for i in np.flatnonzero(ended).tolist():
                self._draw(i, i + 1, image)
        self._fill_vectors(observation)
        return ended

    # --- observations -----------------------------------------------------------------------------------

    def allocate(self) -> Observation:
        """Room for one observation of the batch: the arrays of every sensor that has one."""
        return {
            name: np.empty((self.num_envs, *space.shape), space.dtype)  # type: ignore[misc]
            for name, space in self.sensor_spaces.items()
            if not isinstance(space, spaces.Text)
        }

    def observe(self, observation: Observation, redraw: bool = True) -> None:
        """Write the observation of every slot, from `allocate`; texts are added as tuples of str."""
        image = observation.get(IMAGE[self.camera])
        if redraw and image is not None:
            batch.run(lambda lo, hi: self._draw(lo, hi, image), self.num_envs, self.num_threads)
        self._fill_vectors(observation)

    def _fill_vectors(self, observation: Observation) -> None:
        """The sensors that are not pictures."""
        for name, space in self.sensor_spaces.items():
            if name == "direction":
                observation[name][...] = self.world.agent[:, 2]
            elif isinstance(space, spaces.Text):
                observation[name] = tuple(self._missions[self.world.mission])
            elif name == "mission":
                np.take(self._tokens, self.world.mission, axis=0, out=observation[name])

    def _draw(self, lo: int, hi: int, image: NDArray[np.uint8]) -> None:
        loops.CAMERAS[self.camera].draw(lo, hi, self.world, self._params, *self._canvas(image))

    def _canvas(self, image: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
        """What the camera's kernels draw with and on: `image` in the words of the tile table."""
        if self._tiles is None:
            return self._view, image
        return self._view, self._codes, self._tiles, image.reshape(self.num_envs, -1).view(self._tiles.dtype)

    def render(self, slot: int, camera: str = "full", tile_size: int = RENDER_TILE) -> NDArray[np.uint8]:
        """A picture for people of one slot: (rows * tile_size, columns * tile_size, 3) uint8."""
        tiles = _as_words(tile_table(tile_size))
        size = self._params.view_size
        rows, columns = (size, size) if camera == "tiles" else (self.task.height, self.task.width)
        frame = np.empty((rows * tile_size, columns * tile_size, 3), np.uint8)
        world = World._make(array[slot : slot + 1] for array in self.world)
        words = frame.reshape(1, -1).view(tiles.dtype)
        loops.CAMERAS[camera].draw(
            0, 1, world, self._params, np.zeros_like(self._view[:1]), np.zeros_like(self._codes[:1]), tiles, words
        )
        return frame

    # --- facts ------------------------------------------------------------------------------------------

    def missions(self) -> NDArray[np.object_]:
        """(N,) the mission text of every slot."""
        if len(self._missions) == 1:
            return self._same_mission
        return self._missions[self.world.mission]

    def get_state(self, slots: NDArray[np.int64] | slice) -> dict[str, NDArray[Any]]:
        """Copies of the rows that a later set_state needs to go on exactly from here."""
        state = {f"world.{name}": array[slots].copy() for name, array in self.world._asdict().items()}
        for name, array in self.slots._asdict().items():
            if name != "scratch":
                state[f"slots.{name}"] = array[slots].copy()
        return state

    def set_state(self, state: dict[str, NDArray[Any]], slots: NDArray[np.int64] | slice) -> None:
        """Put rows back.

        Raises:
            ValueError: fields, shapes or dtypes are not those of this task and number of slots; nothing is changed.
        """
        expected = self.get_state(slots)
        if state.keys() != expected.keys():
            wrong = sorted(state.keys() ^ expected.keys())
            raise ValueError(f"not a state of grid worlds: fields missing or unknown: {', '.join(wrong)}")
        for name, array in state.items():
            want = expected[name]
            if np.shape(array) != want.shape or np.asarray(array).dtype != want.dtype:
                raise ValueError(
                    f"state of another task or number of slots: {name} is {np.asarray(array).dtype}{np.shape(array)}, "
                    f"here it is {want.dtype}{want.shape}"
                )
        for name, array in state.items():
            part, field = name.split(".")
            getattr(self.world if part == "world" else self.slots, field)[slots] = array


def _level_source(levels: Sequence[int] | NDArray[np.integer[Any]] | None, split: int) -> LevelSource:
    """What `levels=` means: a range is kept as three numbers, anything else as a table."""
    no_table = np.zeros(0, np.int64)
    if levels is None:
        return LevelSource(no_table, 0, 1, LEVELS, split)
    if len(levels) == 0:
        raise ValueError("levels is empty; give a range or a list of level numbers, such as range(1000)")
    if isinstance(levels, range):
        low, high = min(levels[0], levels[-1]), max(levels[0], levels[-1])
        source = LevelSource(no_table, levels.start, levels.step, len(levels), split)
    else:
        table = np.asarray(levels)
        if table.ndim != 1 or table.dtype.kind not in "iu":
            raise ValueError(f"levels is a range or a list of whole numbers; got {levels!r}")
        low, high = int(table.min()), int(table.max())
        source = LevelSource(np.ascontiguousarray(table, np.int64), 0, 1, len(table), split)
    if low < 0 or high >= 2**63:
        raise ValueError(f"levels are numbers from 0 to 2**63 - 1; got {low} to {high}")
    return source


def _as_words(tiles: NDArray[np.uint8]) -> NDArray[Any]:
    """A tile table in 8-byte words where a tile's rows divide into them, else in bytes."""
    return tiles.view(np.uint64) if tiles.shape[-1] % 8 == 0 else tiles
