"""Twins, proven: the same seed and the same actions give what the installed `minigrid` gives, to the last observation.

Beside this file's quick run, `make parity` plays 200 seeds of every ID and prints how the episodes ended;
`make parity ARGS="--parity-seeds 1000:1400"` plays others.
"""

import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from visnav.envs.grid.levels import TASKS

minigrid = pytest.importorskip("minigrid")
pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore:.*is out of date")]

from minigrid.core import world_object  # noqa: E402
from minigrid.core.actions import Actions  # noqa: E402
from minigrid.core.constants import COLOR_NAMES  # noqa: E402
from minigrid.envs import DynamicObstaclesEnv, FetchEnv, ObstructedMazeEnv, PutNearEnv, RedBlueDoorEnv  # noqa: E402
from minigrid.minigrid_env import MiniGridEnv  # noqa: E402
from minigrid.wrappers import RGBImgObsWrapper, RGBImgPartialObsWrapper  # noqa: E402
from minigrid_expert import failure, solution  # noqa: E402
from minigrid_state import inject, look_of, words_of  # noqa: E402

IDS = sorted(name for name in TASKS if name in gym.registry)
SCRIPTS = ("random", "solve", "random", "fail", "random", "solve at the last step", "random", "time out")
CAN_FAIL = ("Lava", "GoTo", "DistShift", "Dynamic", "Fetch", "PutNear", "Memory", "RedBlue")
CANNOT_SUCCEED = ("Playground",)

every_id = pytest.mark.parametrize("name", IDS)


class Pair:
    """An original, and its twin under each camera, that play the same actions.

    Attributes:
        pixels_every: compare pictures at every so many steps, beside the first and the last; None = no pictures.
    """

    def __init__(self, name: str, **keywords: Any) -> None:
        self.original: MiniGridEnv = gym.make(name, **keywords).unwrapped
        self.partial = RGBImgPartialObsWrapper(self.original, tile_size=8)
        self.full = RGBImgObsWrapper(self.original, tile_size=8)
        self.twins = {
            camera: gym.make(f"visnav/{name}", camera=camera, **keywords).unwrapped
            for camera in ("symbolic", "tiles", "full")
        }
        self.pixels_every: int | None = 1

    def playing(self) -> dict[str, Any]:
        """The twins that take part."""
        return {camera: twin for camera, twin in self.twins.items() if camera == "symbolic" or self.pixels_every}

    def reset(self, seed: int) -> None:
        """Start level `seed` in all, and compare."""
        observation, _ = self.original.reset(seed=seed)
        self.compare(observation, {camera: twin.reset(seed=seed)[0] for camera, twin in self.playing().items()})
        assert np.array_equal(look_of(self.twins["symbolic"]), self.original.grid.encode())
        assert np.array_equal(self.twins["symbolic"].simulation.world.rng[0], words_of(self.original.np_random))

    def inject(self) -> None:
        """Put the twins into the situation that the original is in."""
        for twin in self.twins.values():
            inject(self.original, twin)

    def step(self, action: int) -> tuple[float, bool, bool]:
        """Play an action in all, and compare."""
        observation, *outcome, _ = self.original.step(action)
        views = {}
        for camera, twin in self.playing().items():
            views[camera], *ours, info = twin.step(action)
            assert ours == outcome
            assert info["success"] == (outcome[0] > 0)
        self.compare(observation, views, is_last=outcome[1] or outcome[2])
        if isinstance(self.original, DynamicObstaclesEnv):
            assert np.array_equal(self.twins["symbolic"].simulation.world.rng[0], words_of(self.original.np_random))
        return tuple(outcome)

    def compare(self, observation: dict[str, Any], views: dict[str, Any], is_last: bool = False) -> None:
        """Whether all see the same."""
        symbols = views["symbolic"]
        assert np.array_equal(symbols["image"], observation["image"])
        assert symbols["direction"] == observation["direction"]
        assert symbols["mission"] == observation["mission"]
        if self.pixels_every and (is_last or self.original.step_count % self.pixels_every == 0):
            assert np.array_equal(picture_of(views["tiles"]), self.partial.observation(observation)["image"])
            assert np.array_equal(picture_of(views["full"]), self.full.observation(observation)["image"])


def picture_of(observation: Any) -> np.ndarray:
    """The pixels of an observation, which has tokens beside them where missions vary."""
    return observation["rgb"] if isinstance(observation, dict) else observation


def actions_of(script: str, pair: Pair, seed: int) -> Iterator[int]:
    """The actions of a script, from the start of an episode; where it cannot be followed, random ones."""
    env, rng = pair.original, np.random.default_rng(seed)
    if script == "time out":
        harmless = [Actions.left, Actions.right, Actions.drop]
        if not isinstance(env, (FetchEnv, PutNearEnv)):
            harmless.append(Actions.pickup)
        while True:
            yield int(rng.choice(harmless))
    actions = None
    if script == "fail":
        actions = failure(env, seed // len(SCRIPTS))
    if script != "random" and actions is None:
        actions = solution(env)
    if actions is None:
        while True:
            yield int(rng.integers(len(Actions)))
    if script == "solve at the last step":
        idle = max(0, env.max_steps - len(actions))
        if isinstance(env, DynamicObstaclesEnv):  # where nothing waits until it is solved
            env.step_count = idle
            pair.inject()
        else:
            yield from [Actions.drop] * (idle % 2) + [Actions.left, Actions.right] * (idle // 2)
    yield from actions


def play(pair: Pair, seed: int, pixels_every: int | None) -> str:
    """One episode to its end. Returns how it ended."""
    pair.pixels_every = pixels_every
    pair.reset(seed)
    for action in actions_of(SCRIPTS[seed % len(SCRIPTS)], pair, seed):
        reward, terminated, truncated = pair.step(action)
        if terminated or truncated:
            if reward > 0:
                return "success at the last step" if truncated else "success"
            return "failure" if terminated else "time-out"
    raise AssertionError(f"the script of seed {seed} did not end the episode")


def endings_of(name: str) -> set[str]:
    """How episodes of an ID can end."""
    endings = {"time-out"}
    if not any(part in name for part in CANNOT_SUCCEED):
        endings.add("success")
    if any(part in name for part in CAN_FAIL):
        endings.add("failure")
    return endings


@every_id
def test_episodes_are_the_originals_to_their_end(name: str) -> None:
    pair = Pair(name)
    endings = Counter(play(pair, seed, pixels_every=50) for seed in range(len(SCRIPTS)))
    assert endings_of(name) <= set(endings)


@pytest.mark.slow
@every_id
def test_many_episodes_are_the_originals(name: str, parity_seeds: range, capsys: pytest.CaptureFixture[str]) -> None:
    pair = Pair(name)
    with_pixels = parity_seeds[: len(parity_seeds) // 10]
    endings = Counter(play(pair, seed, 1 if seed in with_pixels else None) for seed in parity_seeds)
    with capsys.disabled():
        print(f"\n{name}: " + ", ".join(f"{count} {ending}" for ending, count in sorted(endings.items())), end=" ")
    endings["success"] += endings["success at the last step"]
    for ending in endings_of(name):
        assert endings[ending] >= len(parity_seeds) // 10


# --- keywords -----------------------------------------------------------------------------------------------

KEYWORDS: list[tuple[str, dict[str, list[Any]]]] = [
    ("Empty-5x5-v0", {"size": [6, 12], "agent_start_pos": [(1, 3), None], "agent_start_dir": [0, 3]}),
    ("DoorKey-5x5-v0", {"size": [7, 12]}),
    ("FourRooms-v0", {"agent_pos": [None, (3, 4), (9, 3)], "goal_pos": [None, (15, 15), (0, 5), (3, 4)]}),
    ("SimpleCrossingS9N1-v0", {"size": [5, 13], "num_crossings": [0, 2, 30], "obstacle_type": ["lava", "wall"]}),
    ("LavaGapS5-v0", {"size": [8], "obstacle_type": [world_object.Lava, world_object.Wall]}),
    ("KeyCorridorS3R1-v0", {"num_rows": [1, 2, 5], "obj_type": ["ball", "key", "box"], "room_size": [3, 7]}),
    ("MultiRoom-N6-v0", {"minNumRooms": [1, 3], "maxNumRooms": [3, 7], "maxRoomSize": [4, 12], "height": [16, 30]}),
    ("GoToDoor-5x5-v0", {"size": [7, 12]}),
    ("UnlockPickup-v0", {"max_steps": [5], "agent_view_size": [3, 9]}),
    (
        "Dynamic-Obstacles-5x5-v0",
        {"size": [5, 7], "agent_start_pos": [(1, 2), None], "agent_start_dir": [0, 3], "n_obstacles": [0, 1, 4, 30]},
    ),
    (
        "DistShift1-v0",
        {"width": [3, 7, 12], "height": [5, 8], "agent_start_pos": [(1, 1), (1, 3), None], "strip2_row": [0, 3, 4]},
    ),
    ("Fetch-5x5-N2-v0", {"size": [4, 7], "numObjs": [1, 3]}),
    ("GoToObject-6x6-N2-v0", {"size": [5, 9], "numObjs": [1, 8]}),
    ("PutNear-6x6-N2-v0", {"size": [8, 10], "numObjs": [2, 3]}),
    ("LockedRoom-v0", {"size": [12, 15, 20, 25]}),
    ("MemoryS7-v0", {"size": [7, 15], "random_length": [False, True]}),
    ("MemoryS9-v0", {"size": [5]}),
    ("ObstructedMaze-1Dlhb-v0", {"key_in_box": [False, True], "blocked": [False, True]}),
    *(
        (
            f"ObstructedMaze-Full-{version}",
            {
                "agent_room": [(0, 0), (1, 2)],
                "key_in_box": [False, True],
                "blocked": [False, True],
                "num_quarters": [1, 3],
                "num_rooms_visited": [7],
            },
        )
        for version in ("v0", "v1")
    ),
    ("RedBlueDoors-6x6-v0", {"size": [3, 5, 10]}),
    ("Playground-v0", {"max_steps": [5]}),
]


@pytest.mark.parametrize(("name", "choices"), KEYWORDS, ids=[name for name, _ in KEYWORDS])
def test_keywords_mean_what_they_mean_in_the_original(name: str, choices: dict[str, list[Any]]) -> None:
    for values in product(*choices.values()):
        keywords = dict(zip(choices, values, strict=True))
        original = gym.make(f"MiniGrid-{name}", **keywords).unwrapped
        if isinstance(thing := keywords.get("obstacle_type"), type):  # we go by names throughout
            keywords["obstacle_type"] = thing().type
        twin = gym.make(f"visnav/MiniGrid-{name}", camera="symbolic", **keywords).unwrapped
        assert twin.simulation.task.max_steps == original.max_steps
        for seed in range(5):
            theirs, ours = original.reset(seed=seed)[0], twin.reset(seed=seed)[0]
            for action in (None, 2, 2, 1, 2, 5, 2):
                if action is not None:
                    theirs, *outcome, _ = original.step(action)
                    ours, *our_outcome, _ = twin.step(action)
                    assert our_outcome == outcome
                assert np.array_equal(look_of(twin), original.grid.encode())
                assert np.array_equal(ours["image"], theirs["image"])
                assert (ours["direction"], ours["mission"]) == (theirs["direction"], theirs["mission"])
                if action is not None and (outcome[1] or outcome[2]):
                    break


# --- states injected into both ------------------------------------------------------------------------------

SITUATIONS = ("S4R3", "8x8", "Unlock", "DistShift1", "LockedRoom", "MemoryS9", "2Dlhb-v1", "Playground")
THINGS = [
    *(getattr(world_object, kind) for kind in ("Wall", "Key", "Ball", "Box", "Floor")),
    lambda color: world_object.Door(color, is_open=True),
    lambda color: world_object.Door(color, is_locked=True),
    world_object.Door,
    lambda _: world_object.Lava(),
    lambda _: world_object.Goal(),
]


def clutter(env: MiniGridEnv, rng: np.random.Generator) -> None:
    """Fill half of the grid with anything there is, and put something into the agent's hand."""
    needed = [getattr(env, name, None) for name in ("obj", "door", "red_door", "blue_door")]
    needed += getattr(env, "obstacles", [])
    for x in range(env.width):
        for y in range(env.height):
            here = env.grid.get(x, y)
            if (here is not None and here in needed) or (x, y) == tuple(env.agent_pos):
                continue
            if x in (0, env.width - 1) or y in (0, env.height - 1):  # nobody may walk off the grid
                env.grid.set(x, y, here or world_object.Wall())
            elif rng.random() < 0.5:
                env.grid.set(x, y, THINGS[rng.integers(len(THINGS))](COLOR_NAMES[rng.integers(6)]))
            else:
                env.grid.set(x, y, None)
    if isinstance(env, RedBlueDoorEnv):
        env.red_door.is_open, env.blue_door.is_open = bool(rng.random() < 0.5), bool(rng.random() < 0.2)
    if isinstance(env, ObstructedMazeEnv):
        boxes = [thing for thing in env.grid.grid if thing is not None and thing.type == "box"]
        for box in rng.permutation(np.array(boxes))[:8]:  # as many as there are in the maze
            box.contains = THINGS[rng.integers(1, 5)](COLOR_NAMES[rng.integers(6)])
    hand = THINGS[rng.integers(1, 4)]
    env.carrying = hand(COLOR_NAMES[rng.integers(6)]) if rng.random() < 0.5 else None


@pytest.mark.parametrize("name", [name for name in IDS if any(part in name for part in SITUATIONS)])
def test_any_situation_goes_on_as_in_the_original(name: str) -> None:
    pair = Pair(name)
    likely = [Actions.forward] * 6 + [Actions.pickup, Actions.drop, Actions.toggle] * 2 + [Actions.left, Actions.right]
    for seed in range(30):
        rng = np.random.default_rng(seed)
        pair.reset(seed)
        pair.original.reset(seed=seed + 1000)
        pair.original.agent_pos = tuple(map(int, pair.original.agent_pos))
        clutter(pair.original, rng)
        pair.original.step_count = int(rng.integers(pair.original.max_steps))
        pair.inject()
        for _ in range(60):
            _, terminated, truncated = pair.step(int(rng.choice(likely)))
            if terminated or truncated:
                break


# --- batches ------------------------------------------------------------------------------------------------

SLOTS, EPISODES, MAX_STEPS, SEED = 300, 3, 8, 77


def picture_hashes(observation: Any) -> np.ndarray:
    """Of every slot's picture."""
    return np.array([zlib.crc32(picture) for picture in picture_of(observation)])


def single_episodes(name: str, actions: np.ndarray) -> dict[str, np.ndarray]:
    """What one environment gives, slot after slot: (SLOTS, EPISODES, MAX_STEPS + 1), entry 0 from the reset."""
    env = gym.make(f"visnav/{name}", sensors="rgb", max_steps=MAX_STEPS).unwrapped
    played = {key: np.zeros((SLOTS, EPISODES, MAX_STEPS + 1)) for key in ("picture", "reward", "ended", "level")}
    for slot in range(SLOTS):
        for episode in range(EPISODES):
            picture, info = env.reset(seed=SEED + slot if episode == 0 else None)
            reward, ended = 0.0, 0
            for step in range(MAX_STEPS + 1):
                at = slot, episode, step
                played["picture"][at], played["reward"][at] = zlib.crc32(picture), reward
                played["ended"][at], played["level"][at] = ended, info["level"]
                if ended:
                    break
                picture, reward, terminated, truncated, info = env.step(actions[at])
                ended = terminated + 2 * truncated
    return played


@every_id
def test_a_slot_of_a_batch_is_the_single_environment_through_two_autoresets(name: str) -> None:
    slots = np.arange(SLOTS)
    actions = np.random.default_rng(5).integers(7, size=(SLOTS, EPISODES, MAX_STEPS + 1))
    single = single_episodes(name, actions)
    for mode, threads in product(AutoresetMode, (1, 2)):
        envs = gym.make_vec(
            f"visnav/{name}", num_envs=SLOTS, num_threads=threads, autoreset_mode=mode, max_steps=MAX_STEPS
        )
        observation, info = envs.reset(seed=SEED)
        episode, step, ended = np.zeros(SLOTS, int), np.zeros(SLOTS, int), np.zeros(SLOTS, bool)
        hashes = picture_hashes(observation)
        while True:
            rows = np.flatnonzero(episode < EPISODES)
            at = rows, episode[rows], step[rows]
            assert np.array_equal(hashes[rows], single["picture"][at])
            assert np.array_equal(info["level"][rows], single["level"][at])
            if not len(rows):
                break
            chosen = actions[slots, np.minimum(episode, EPISODES - 1), step]
            observation, reward, terminated, truncated, info = envs.step(chosen)
            fresh = ended & (mode is AutoresetMode.NEXT_STEP)
            episode[fresh] += 1
            step = np.where(fresh, 0, step + 1)
            ended = terminated | truncated
            rows = np.flatnonzero(episode < EPISODES)
            at = rows, episode[rows], step[rows]
            assert np.array_equal(reward[rows], single["reward"][at])
            assert np.array_equal((terminated + 2 * truncated)[rows], single["ended"][at])
            hashes = picture_hashes(observation)
            if mode is not AutoresetMode.NEXT_STEP and ended.any():
                last = picture_hashes(info["final_obs"]) if mode is AutoresetMode.SAME_STEP else hashes
                rows = np.flatnonzero(ended & (episode < EPISODES))
                assert np.array_equal(last[rows], single["picture"][rows, episode[rows], step[rows]])
                if mode is AutoresetMode.DISABLED:
                    observation, info = envs.reset(options={"reset_mask": ended})
                    hashes = picture_hashes(observation)
                episode[ended] += 1
                step[ended] = 0
        envs.close()
