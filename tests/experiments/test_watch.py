"""Watching: speed, pause, single steps, levels; random actions and trained policies."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from visnav.envs.viewer import Viewer
from visnav.experiments import watch
from visnav.experiments.episode import Episode
from visnav.experiments.watch import SPEEDS, Show, open_target, random_actions

EMPTY, DOOR_KEY = "visnav/MiniGrid-Empty-5x5-v0", "visnav/MiniGrid-DoorKey-5x5-v0"


def to_the_goal(episode: Episode) -> tuple[int, np.ndarray]:
    """The way through Empty-5x5, with certainty."""
    action = (2, 2, 1, 2, 2)[episode.steps]
    return action, np.eye(7)[action]


@pytest.fixture
def show() -> Iterator[Show]:
    episode = Episode(EMPTY)
    yield Show(episode, to_the_goal, level=3)
    episode.env.close()


def test_the_bars_are_the_probabilities_of_the_next_action(show: Show) -> None:
    show.advance()
    show.advance()
    screen = show.screen()
    assert screen.chosen == "right"
    assert screen.bars == {name: float(name == "right") for name in show.episode.action_names}
    assert screen.fields["action"] == "forward"


def test_an_episode_ends_in_a_banner_that_stays_and_then_the_next_level_starts(show: Show) -> None:
    for _ in range(5):
        show.advance()
    assert show.screen().banner.startswith("success")
    assert show.screen().fields["episodes won"] == "1 of 1"
    assert show.delay == watch.ENDING_SECONDS
    show.advance()
    assert (show.episode.steps, show.episode.over) == (0, False)
    assert show.delay == 1 / SPEEDS[show.speed]


def test_continuous_actions_are_shown_by_their_components() -> None:
    show = Show(Episode("visnav/Maze-PointGoal-7x7-v0"), random_actions(seed=0), level=1)
    action = show.action
    assert isinstance(action, np.ndarray)
    assert show.screen().bars == pytest.approx({"speed": (action[0] + 1) / 2, "turn rate": (action[1] + 1) / 2})
    show.advance()
    assert show.screen().fields["action"] == f"speed {action[0]:+.2f}, turn rate {action[1]:+.2f}"


def test_speed_keys_change_the_delay_within_limits(show: Show) -> None:
    before = show.delay
    show.press("+")
    assert show.delay < before
    for _ in range(20):
        show.press("-")
    assert show.delay == 1 / SPEEDS[0]
    for _ in range(20):
        show.press("=")
    assert show.delay == 1 / SPEEDS[-1]


@pytest.mark.parametrize("key", ["space", "p"])
def test_pause_and_single_steps(show: Show, key: str) -> None:
    show.press(key)
    assert show.screen().fields["speed"] == "paused"
    show.press(".")
    show.press("right")
    assert (show.episode.steps, show.paused) == (2, True)
    show.press(key)
    assert not show.paused


def test_level_keys(show: Show) -> None:
    show.advance()
    show.press("backspace")
    assert (show.episode.level, show.episode.steps) == (3, 0)
    show.press("n")
    assert show.episode.level != 3


def test_time_passes_only_without_pause(press: Callable[[str], None], show: Show) -> None:
    press("")
    show.speed = len(SPEEDS) - 1
    with contextlib.closing(Viewer("test", (320, 240))) as viewer:
        keys, start = viewer.keys, time.monotonic()

        def keys_then_leave(seconds: float = 0.0) -> list[str]:
            return ["escape"] if time.monotonic() - start > 0.3 else keys(min(seconds, 0.05))

        viewer.keys = keys_then_leave  # type: ignore[method-assign]
        watch.run(show, viewer)
        played, show.running, show.paused, start = show.episode.steps, True, True, time.monotonic()
        watch.run(show, viewer)
    assert played > 0
    assert show.episode.steps == played


def test_random_actions_are_uniform_and_come_from_the_seed() -> None:
    episode = Episode(EMPTY)
    first, second, other = (random_actions(seed) for seed in (1, 1, 2))
    draws = [[choose(episode)[0] for _ in range(700)] for choose in (first, second, other)]
    assert draws[0] == draws[1] != draws[2]
    assert min(np.bincount(draws[0], minlength=7)) > 50
    assert np.allclose(first(episode)[1], 1 / 7)


def test_a_split_is_kept_to() -> None:
    episode, _ = open_target(DOOR_KEY, "test", greedy=False, seed=0)
    levels = []
    for _ in range(5):
        episode.reset()
        levels.append(int(episode.env.unwrapped.layouts[0]))
    held_out, _ = open_target(DOOR_KEY, "train", greedy=False, seed=0)
    for _ in range(30):
        held_out.reset()
        assert int(held_out.env.unwrapped.layouts[0]) not in levels


def test_the_command_shows_random_actions_in_a_window(press: Callable[[str], None]) -> None:
    press("right space space escape")
    assert watch.main([EMPTY, "--level", "7"]) == 0


def test_on_the_road_speed_steering_reward_terms_and_collisions_are_shown() -> None:
    episode, choose = open_target("visnav/racetrack-v0", None, greedy=False, seed=0)
    show = Show(episode, choose, level=3)
    assert (show.screen().fields["collisions"], show.screen().fields["collision term"]) == ("0", "–")
    while not episode.over:
        show.advance()
    screen, info = show.screen(), episode.info
    assert len(screen.panes) == 3, "from above, from the driver's place, and what the agent sees"
    assert screen.fields["ego speed"] == f"{info['speed']:.1f} m/s, {3.6 * info['speed']:.0f} km/h"
    assert screen.fields["lane centering term"] == f"{info['lane_centering_reward']:.2f} × 1.00"
    assert screen.fields["collision term"] == f"{float(info['crashed']):.2f} × -1.00"
    assert screen.fields["collisions"] == str(int(info["crashed"]))
    assert screen.gauges["steering"] == pytest.approx(float(show.action[0]), abs=1e-6)
    assert screen.bars == {}, "steering is shown once"
    assert screen.fields["action"] == f"steering {show.action[0]:+.2f}"
    assert screen.banner.startswith("crashed" if info["crashed"] else "left the road")


@pytest.mark.parametrize("env_id", ["visnav/highway-fast-v0", "visnav/racetrack-oval-v0", EMPTY])
def test_the_expert_is_watched(env_id: str) -> None:
    episode, choose = open_target(env_id, None, greedy=False, seed=0, expert=True)
    show = Show(episode, choose, level=1)
    while not episode.over and episode.steps < 40:
        show.advance()
    assert not episode.terminated or episode.success
    screen = show.screen()
    if env_id == "visnav/highway-fast-v0":
        assert (screen.banner, screen.good) == ("drove 30 s without a crash", True)


def test_what_the_expert_cannot_play_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot park"):
        open_target("visnav/parking-v0", None, greedy=False, seed=0, expert=True)
    with pytest.raises(ValueError, match="is a run"):
        open_target(str(tmp_path), None, greedy=False, seed=0, expert=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short training of a policy that sees two frames."""
    from visnav.agents.ppo import PPOConfig
    from visnav.experiments.train import train
    from visnav.experiments.training import TrainConfig

    folder = tmp_path_factory.mktemp("runs")
    ppo = PPOConfig(num_envs=8, num_steps=8, minibatches=1, epochs=1, frames=2)
    return train(TrainConfig(DOOR_KEY, total_steps=128, runs=str(folder), ppo=ppo)).run.folder


def test_a_trained_policy_sees_in_the_window_what_it_sees_in_a_batch(run: Path) -> None:
    """Its probabilities along an episode are those of `agents.evaluate.Player`, frame stack included."""
    import torch

    from visnav.agents.evaluate import Player
    from visnav.experiments.run import Run
    from visnav.experiments.training import make_worlds

    episode, choose = open_target(str(run), "test", greedy=False, seed=5)
    config = Run(run).read_config()
    with contextlib.closing(make_worlds(config, 1, "test")) as envs:
        player = Player(Run(run).load_policy(config, envs), envs, seed=5)
        player.reset(options={"level": 11})
        episode.reset(level=11)
        for _ in range(6):
            action, probabilities = choose(episode)
            player.buffer.restart(player.buffer.carry())
            with torch.no_grad():
                expected = player.policy(player.buffer.observation(0))[0].log_probs[0].exp()
            assert np.allclose(probabilities, expected.numpy(), atol=1e-6)
            assert probabilities.sum() == pytest.approx(1.0)
            assert player.step()[0][0] == action, "the same generator draws the same action"
            episode.step(action)


def test_a_run_is_watched_by_its_folder(run: Path, press: Callable[[str], None]) -> None:
    press("right right escape")
    assert watch.main([str(run), "--split", "test", "--greedy"]) == 0


def test_a_folder_without_a_policy_is_a_clear_error(run: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((run / "config.json").read_bytes())
    with pytest.raises(ValueError, match="there is no file"):
        open_target(str(tmp_path), None, greedy=False, seed=None)
