"""The keyboard moves the world as MiniGrid's does, and the screen tells what happened."""

import time
from collections.abc import Callable, Iterator

import gymnasium as gym
import numpy as np
import pytest

from visnav.experiments import play
from visnav.experiments.episode import Episode, RoadEpisode
from visnav.experiments.play import ACTION_KEYS, Drive, Game, open_episode

EMPTY, DOOR_KEY = "visnav/MiniGrid-Empty-5x5-v0", "visnav/MiniGrid-DoorKey-5x5-v0"
MAZE = "visnav/Maze-PointGoal-7x7-v0"
TO_THE_GOAL = ["up", "up", "right", "up", "up"]


@pytest.fixture
def game() -> Iterator[Game]:
    episode = Episode(EMPTY)
    yield Game(episode, seed=4)
    episode.env.close()


def test_the_keys_are_those_of_minigrid() -> None:
    """`key_handler` in minigrid/manual_control.py, in pygame's names of the keys."""
    assert ACTION_KEYS == {
        "left": "left",
        "right": "right",
        "up": "forward",
        "space": "toggle",
        "page up": "pickup",
        "tab": "pickup",
        "page down": "drop",
        "left shift": "drop",
        "return": "done",
    }


@pytest.mark.parametrize(("key", "action"), [("left", 0), ("right", 1), ("up", 2), ("tab", 3), ("space", 5)])
def test_a_key_plays_its_action(key: str, action: int) -> None:
    game, twin = Game(Episode(DOOR_KEY), seed=1), gym.make(DOOR_KEY)
    twin.reset(seed=1)
    for _ in range(3):
        game.press(key)
        expected = twin.step(action)[0]
    assert np.array_equal(game.episode.observation, expected)
    assert game.episode.steps == 3


def test_the_screen_shows_the_world_the_observation_and_the_figures(game: Game) -> None:
    game.press("up")
    screen = game.screen()
    world, seen = screen.panes
    assert np.array_equal(world.image, game.episode.env.render())
    assert np.array_equal(seen.image, game.episode.observation)
    assert screen.mission == "get to the green goal square"
    assert screen.fields["level"] == "4"
    assert screen.fields["step"] == "1"
    assert screen.fields["action"] == "forward"
    assert screen.banner == ""


def test_reaching_the_goal_is_announced_and_the_next_key_starts_another_level(game: Game) -> None:
    for key in TO_THE_GOAL:
        game.press(key)
    screen = game.screen()
    assert screen.good
    assert screen.banner == "success: reward 0.955 in 5 steps"  # 1 - 0.9 * 5 / 100
    assert screen.fields["episodes won"] == "1 of 1"
    game.press("up")
    assert (game.episode.steps, game.episode.over) == (0, False)
    assert game.episode.level != 4


def test_running_out_of_time_is_announced() -> None:
    game = Game(Episode(EMPTY, max_steps=2))
    game.press("left")
    game.press("left")
    screen = game.screen()
    assert not screen.good
    assert screen.banner == "out of time after 2 steps"
    assert screen.fields["episodes won"] == "0 of 1"


def test_backspace_starts_the_level_again_and_n_the_next(game: Game) -> None:
    first = game.episode.observation.copy()
    game.press("right")
    game.press("backspace")
    assert np.array_equal(game.episode.observation, first)
    assert game.episode.level == 4
    game.press("n")
    assert game.episode.level != 4


@pytest.mark.parametrize("key", ["escape", "quit"])
def test_leaving(game: Game, key: str) -> None:
    game.press(key)
    assert not game.running


def test_an_unknown_key_does_nothing(game: Game) -> None:
    game.press("f5")
    assert (game.episode.steps, game.running) == (0, True)


@pytest.mark.parametrize(("camera", "panes"), [("tiles", 2), ("full", 2), ("first_person", 2), ("symbolic", 1)])
def test_every_camera_can_be_played(camera: str, panes: int) -> None:
    assert len(Game(Episode(DOOR_KEY, camera=camera), seed=0).screen().panes) == panes


def test_a_maze_is_played_with_habitats_actions() -> None:
    game = Game(open_episode(MAZE, None), seed=2)
    simulation = game.episode.env.unwrapped.simulation
    start = simulation.world.pose[0].copy()
    game.press("left")
    assert np.isclose((start[2] - simulation.world.pose[0, 2]) % (2 * np.pi), np.radians(10), atol=1e-5)
    game.press("up")
    game.press("space")  # there is nothing to toggle
    assert game.episode.steps == 2
    screen = game.screen()
    assert screen.panes[1].image.shape == (240, 320, 3)
    assert screen.fields["to the goal"] == f"{game.episode.info['distance_to_goal']:.2f} m"
    game.press("return")
    assert game.screen().banner == "failed after 3 steps"


def test_the_command_plays_in_a_window_until_escape(
    press: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    games = []
    monkeypatch.setattr(play, "Game", lambda *arguments: games.append(Game(*arguments)) or games[0])
    press("up up right escape")
    assert play.main([EMPTY, "--seed", "2"]) == 0
    assert (games[0].episode.level, games[0].episode.steps) == (2, 3)


def drive_on(env_id: str, camera: str | None = None) -> Drive:
    episode = open_episode(env_id, camera)
    assert isinstance(episode, RoadEpisode)
    return Drive(episode, seed=3)


def test_the_road_is_seen_from_above_and_from_the_drivers_place() -> None:
    drive = drive_on("visnav/highway-fast-v0")
    above, front = drive.screen().panes
    simulation = drive.episode.env.unwrapped.simulation
    for pane, camera in ((above, "birdseye"), (front, "front")):
        assert np.array_equal(pane.image, simulation.render(0, camera, image_size=pane.image.shape[:2]))
    assert len(drive_on("visnav/highway-fast-v0", "topdown").screen().panes) == 1
    with pytest.raises(ValueError, match="camera"):
        open_episode("visnav/highway-fast-v0", "tiles")


def test_a_key_is_played_once_at_the_next_step_of_the_road() -> None:
    drive = drive_on("visnav/highway-fast-v0")
    drive.press("down")
    drive.press("up")
    assert (drive.episode.steps, drive.screen().fields["next"]) == (0, "faster")
    drive.advance(set())
    drive.advance(set())
    assert (drive.episode.steps, drive.screen().fields["action"]) == (2, "idle")
    drive.press("n")
    assert drive.episode.level != 3


def test_arrows_that_are_held_steer_and_throttle() -> None:
    drive = drive_on("visnav/parking-v0")
    drive.advance({"up"})
    assert drive.command({"up"}).tolist() == [1.0, 0.0]
    wheels = [drive.command({"left", "down"}) for _ in range(4)]
    assert [wheel[0] for wheel in wheels] == [-1.0] * 4
    assert wheels[3][1] < wheels[0][1] < -0.5
    assert drive.command({"left", "right"})[1] > wheels[3][1], "the wheel goes back to the middle"
    race = drive_on("visnav/racetrack-v0")
    assert race.command({"right"}).shape == (1,)
    assert race.command({"right"})[0] < play.FULL_LOCK_SPEED / race.episode.info["speed"] < 1


def test_between_two_steps_the_road_is_shown_on_its_way_and_the_world_left_as_it_is() -> None:
    drive = drive_on("visnav/highway-fast-v0")
    start = drive.screen().panes[1].image
    drive.advance(set())
    x = drive.episode.env.unwrapped.simulation.world.vehicles.x[0].copy()
    assert np.array_equal(drive.screen(0.0).panes[1].image, start)
    assert not np.array_equal(drive.screen(0.5).panes[1].image, drive.screen(1.0).panes[1].image)
    assert np.array_equal(drive.episode.env.unwrapped.simulation.world.vehicles.x[0], x)


def test_a_crash_is_announced_when_it_is_seen_and_an_arrow_starts_another_level() -> None:
    drive = drive_on("visnav/highway-fast-v0")
    while not drive.episode.over:
        drive.press("up")
        drive.advance(set())
    assert drive.episode.info["crashed"]
    assert drive.screen(0.5).banner == ""
    assert drive.screen().banner == f"crashed after {drive.episode.seconds:.0f} s"
    assert (drive.screen().good, drive.screen().fields["collisions"]) == (False, "1")
    drive.press("left")
    assert drive.episode.steps == 0


def test_the_road_goes_on_in_real_time(press: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    drives = []
    monkeypatch.setattr(play, "Drive", lambda *arguments: drives.append(Drive(*arguments)) or drives[0])
    monkeypatch.setattr(RoadEpisode, "policy_seconds", 0.05)
    keys, begun = play.Viewer.keys, time.monotonic()

    def keys_then_leave(viewer: play.Viewer, seconds: float = 0.0) -> list[str]:
        return ["escape"] if time.monotonic() - begun > 20 or drives[0].episode.steps > 3 else keys(viewer, seconds)

    press("up")
    monkeypatch.setattr(play.Viewer, "keys", keys_then_leave)
    assert play.main(["visnav/racetrack-v0", "--seed", "2"]) == 0
    assert drives[0].episode.steps == 4
