"""N grid worlds of one task with their cameras: what Gymnasium's faces in `visnav.envs.gym` drive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from visnav.envs import batch
from visnav.envs.cameras import choose_sensors, label_arrays, text_space, token_space
from visnav.envs.checks import check_name, check_state, check_whole
from visnav.envs.grid import loops
from visnav.envs.grid.cameras import MAX_VIEW_SIZE
from visnav.envs.grid.handmade import handmade_task
from visnav.envs.grid.missions import TOKENS, VOCABULARY_SIZE, tokenize
from visnav.envs.grid.navigation import DRIVING, Navigation
from visnav.envs.grid.pictures import (
    LABELS,
    CameraOptions,
    Moves,
    Rows,
    SymbolCamera,
    TileCamera,
    make_camera,
)
from visnav.envs.grid.tiles import move_agent
from visnav.envs.grid.world import (
    CHOSEN,
    ENDED,
    FRESH,
    LOOK,
    PLAYING,
    UNSTARTED,
    Outcome,
    Params,
    Task,
    World,
    level_arguments,
    level_signature,
    make_outcome,
    make_slots,
    make_world,
)
from visnav.envs.levels import level_source, seed_rows

RENDER_TILE = 32  # pixels of a cell in render()

Observation = dict[str, Any]


class LevelError(RuntimeError):
    """A level that was asked for cannot be made, or a split has no level."""


class GridSimulation:
    """N worlds of a grid task: their state, rules and one camera.

    Args:
        task: what is simulated.
        num_envs: N.
        camera: "tiles" (what the agent sees, egocentric), "full" (the whole grid from above), "first_person" or
            "symbolic"; None for the task's own.
        sensors: names to return, None for the camera's default.
        levels: numbers that episodes are drawn from, None for all.
        split: None, "train" or "test": only layouts of that part.
        layout: levels by hand instead of the task's own: text, a path, a dict, or a list of these; level k is
            layout k modulo their number (see `visnav.envs.grid.drawing`).
        agent_view_size: cells along a side of what the agent sees from above, odd.
        max_steps: instead of the task's.
        action_repeat: rule steps per step.
        num_threads: threads that share the rows.
        **options: fields of `CameraOptions`, and of tasks under continuous control the keywords of `Navigation`.
    """

    KEYWORDS = (
        "camera", "sensors", "levels", "split", "layout", "image_size", "tile_size", "agent_view_size",
        "field_of_view", "textures", "lighting", "noise", "max_steps", "action_repeat", *DRIVING,
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
        layout: Any = None,
        agent_view_size: int = 7,
        max_steps: int | None = None,
        action_repeat: int = 1,
        num_threads: int = 1,
        **options: Any,
    ) -> None:
        check_whole("agent_view_size", agent_view_size, 3, MAX_VIEW_SIZE)
        if agent_view_size % 2 == 0:
            raise ValueError(f"agent_view_size is odd, so that the agent stands in the middle; got {agent_view_size}")
        if layout is not None:
            task = handmade_task(task, layout)
        if max_steps is not None:
            task = replace(task, max_steps=check_whole("max_steps", max_steps, 1))
        self.task = task
        self.num_envs = num_envs
        self.num_threads = num_threads
        self.driving = {name: options.pop(name) for name in DRIVING if name in options}
        if self.driving and not task.continuous:
            raise ValueError(f"{next(iter(self.driving))} is a keyword of mazes; this task moves in grid steps")
        self.navigation = Navigation(task, num_envs, **self.driving) if task.continuous else None
        self.camera = task.camera if camera is None else camera
        self._camera = make_camera(self.camera, task, num_envs, agent_view_size, CameraOptions(**options))
        self.action_repeat = check_whole("action_repeat", action_repeat, 1)

        self.world = make_world(num_envs, task)
        self.slots = make_slots(num_envs, task)
        self.outcome = make_outcome(num_envs)
        self._params = Params(
            agent_view_size,
            task.see_through_walls,
            task.max_steps,
            task.objective,
            self.action_repeat,
            task.collisions,
            task.actions,
        )
        self._rows = Rows(self.world, self.slots, self._params)
        self._source = level_source(levels, split)
        self._seed_is_level = levels is None and split is None
        self._args = level_arguments(task)
        self._level_function = batch.compile_callback(task.level, level_signature(self._args))

        self._missions = np.array(task.missions, dtype=object)
        self._same_mission = np.full(num_envs, task.missions[0], dtype=object)
        self._same_mission.setflags(write=False)
        self._tokens = tokenize(task.missions)
        self.action_names = task.action_names
        self.action_space: spaces.Space[Any] = spaces.Discrete(len(self.action_names))
        self.num_actions = len(task.actions)  # that are taken: those beyond the action space stand for others
        if self.navigation is not None:
            self.action_names, self.action_space = self.navigation.action_names, self.navigation.action_space
            self.num_actions = len(self.action_names)
        self.sensor_spaces = self._choose_sensors(sensors)

    def _choose_sensors(self, names: Sequence[str] | None) -> dict[str, spaces.Space[Any]]:
        """The spaces of the sensors that are returned, in a fixed order."""
        missions = self.task.missions
        offered: dict[str, spaces.Space[Any]] = {"direction": spaces.Discrete(4), **self._camera.spaces}
        if self.camera == "symbolic":
            offered["mission"] = text_space(missions)
            default = tuple(offered)
        else:
            offered["mission"] = token_space(VOCABULARY_SIZE, TOKENS)
            default = ("rgb", "mission") if len(missions) > 1 and not self.task.continuous else ("rgb",)
        if self.navigation is not None:
            offered |= self.navigation.sensor_spaces
            default = (*default, self.navigation.goal_sensor)
        return choose_sensors(names, default, self.camera, offered)

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
            LevelError: a level cannot be made, or the split has none.
        """
        self.world.phase[chosen] = CHOSEN
        self._reset_phase(CHOSEN, PLAYING)

    def _reset_phase(self, before: int, after: int) -> None:
        """Start a new episode in every slot that is in phase `before`; they are then in phase `after`."""
        chosen = self.world.phase == before
        count = np.count_nonzero(chosen)
        if count == 0:
            return

        def work(lo: int, hi: int) -> None:
            loops.reset_rows(
                lo, hi, self.world, self.slots, self._source, self._level_function, self._args, before, after
            )
            if self.navigation is not None:
                self.navigation.start(lo, hi, chosen, self._rows)

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

    def step(self, actions: NDArray[Any], observation: Observation | None, reset_ended: bool) -> Outcome:
        """Play one action in every slot and write the pictures.

        Args:
            actions: (N,) int64 within the action space, or (N, 2) float32.
            observation: the pictures among its arrays are written; None to skip them.
            reset_ended: whether slots whose episode had ended start their next one instead.
        """
        if reset_ended:
            self._reset_phase(ENDED, FRESH)
        rows, moves = self._rows, Moves(actions, self.outcome)
        pictures = self._pictures(observation or {})

        def work(lo: int, hi: int) -> None:
            if self.navigation is not None:
                self.navigation.step(lo, hi, rows, moves)
                if pictures:
                    self._camera.draw(lo, hi, rows, pictures)
            elif pictures:
                self._camera.draw(lo, hi, rows, pictures, moves)
            else:
                loops.step_rows(lo, hi, rows.world, rows.params, *moves)

        batch.run(work, self.num_envs, self.num_threads)
        return self.outcome

    def reset_ended(self, observation: Observation) -> NDArray[np.bool_]:
        """Start the next episode of every slot that has ended, and renew its rows of `observation`."""
        ended = self.world.phase == ENDED
        self._reset_phase(ENDED, PLAYING)
        if pictures := self._pictures(observation):
            for i in np.flatnonzero(ended).tolist():
                self._camera.draw(i, i + 1, self._rows, pictures)
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
        pictures = self._pictures(observation)
        if redraw and pictures:
            batch.run(lambda lo, hi: self._camera.draw(lo, hi, self._rows, pictures), self.num_envs, self.num_threads)
        self._fill_vectors(observation)

    def _pictures(self, observation: Observation) -> Observation:
        """The arrays of an observation that the camera writes."""
        return {name: array for name, array in observation.items() if name in self._camera.spaces}

    def _fill_vectors(self, observation: Observation) -> None:
        """The sensors that are not pictures."""
        for name, space in self.sensor_spaces.items():
            if name == "direction":
                observation[name][...] = self.world.agent[:, 2]
            elif isinstance(space, spaces.Text):
                observation[name] = tuple(self._missions[self.world.mission])
            elif name == "mission":
                np.take(self._tokens, self.world.mission, axis=0, out=observation[name])
        if self.navigation is not None:
            self.navigation.sense(self.world, observation)

    def annotate(self, labels: Sequence[str], out: Mapping[str, NDArray[Any]] | None = None) -> dict[str, Any]:
        """Labels of what the camera sees now, for learning to see.

        Args:
            labels: of "depth" ("first_person" only), "semantic", "instance" and "boxes"; and "rgb", the picture itself.
            out: C-contiguous arrays of these shapes and dtypes by name, to write into instead of new ones.

        Returns:
            By name: "rgb" (N, H, W, 3) uint8; "depth" (N, H, W, 1) float32 metres to the image plane; "semantic"
            (N, H, W, 1) uint8, places in `lens.SEMANTIC_CLASSES`; "instance" (N, H, W, 1) int32, 0 = background, else
            the same number for the same thing throughout an episode; "boxes" a list of N dicts, see
            `visnav.envs.boxes.tight_boxes`.

        Raises:
            ValueError: a label that this camera does not have, or an array that does not fit it.
        """
        camera = self._camera
        if isinstance(camera, SymbolCamera):
            others = ", ".join(name for name, offered in LABELS.items() if offered)
            raise ValueError(f"camera={self.camera!r} has no labels; {others} have")
        for name in labels:
            check_name(f"label for camera={self.camera!r}", name, ("rgb", *LABELS[self.camera]))
        pictures = label_arrays(labels, camera.spaces, self.num_envs, out)
        batch.run(lambda lo, hi: camera.draw(lo, hi, self._rows, pictures), self.num_envs, self.num_threads)
        found: dict[str, Any] = dict(pictures)
        if "boxes" in labels:
            found["boxes"] = camera.boxes(pictures["instance"], pictures["semantic"])
        return {name: found[name] for name in labels}

    def render(self, slot: int, camera: str = "full", tile_size: int = RENDER_TILE) -> NDArray[np.uint8]:
        """A picture for people of one slot, from above: (rows * tile_size, columns * tile_size, 3) uint8."""
        drawing = TileCamera(camera, self.task, 1, self._params.view_size, CameraOptions(tile_size=tile_size))
        frame = np.empty((1, *drawing.spaces["rgb"].shape), np.uint8)
        world = World._make(array[slot : slot + 1] for array in self.world)
        drawing.draw(0, 1, self._rows._replace(world=world), {"rgb": frame})
        if self.navigation is not None and camera == "full":
            x, y, heading = world.pose[0].tolist()
            move_agent(frame[0], tile_size, int(world.cells[0, int(y), int(x)]) & LOOK, (x, y), heading * 2 / np.pi)
        return frame[0]

    # --- facts ------------------------------------------------------------------------------------------

    def missions(self) -> NDArray[np.object_]:
        """(N,) the mission text of every slot."""
        if len(self._missions) == 1:
            return self._same_mission
        return self._missions[self.world.mission]

    def measures(self, success: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """What `info` reports of every slot beside level and mission: arrays (N,), `success` and Habitat's measures."""
        if self.navigation is None:
            return {"success": success}
        return {"success": success, **self.navigation.measures(success)}

    def get_state(self, slots: NDArray[np.int64] | slice) -> dict[str, NDArray[Any]]:
        """Copies of the rows that a later set_state needs to go on exactly from here."""
        state = {f"world.{name}": array[slots].copy() for name, array in self.world._asdict().items()}
        for name, array in self.slots._asdict().items():
            if name != "scratch":
                state[f"slots.{name}"] = array[slots].copy()
        if self.navigation is not None:
            state |= {f"trip.{name}": array[slots].copy() for name, array in self.navigation.trip._asdict().items()}
        return state

    def set_state(self, state: dict[str, NDArray[Any]], slots: NDArray[np.int64] | slice) -> None:
        """Put rows back.

        Raises:
            ValueError: fields, shapes or dtypes are not those of this task and number of slots; nothing is changed.
        """
        check_state(state, self.get_state(slots), "grid worlds")
        parts: dict[str, Any] = {"world": self.world, "slots": self.slots}
        if self.navigation is not None:
            parts["trip"] = self.navigation.trip
        for name, array in state.items():
            part, field = name.split(".")
            getattr(parts[part], field)[slots] = array
