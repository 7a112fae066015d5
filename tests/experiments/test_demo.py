"""The demo from training to pictures, in its quick form, and what the recorder draws."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pygame
import pytest

from visnav.experiments import cli, demo, record
from visnav.experiments.episode import Episode
from visnav.experiments.record import ENDING_FRAMES, VIDEO_SIZE, strip, write_video
from visnav.experiments.watch import Show

EMPTY = "visnav/MiniGrid-Empty-5x5-v0"


@pytest.fixture(scope="module")
def recorded() -> list[list[record.Screen]]:
    """Two episodes of Empty-5x5, straight to the goal."""
    path = (2, 2, 1, 2, 2)
    show = Show(Episode(EMPTY), lambda episode: (path[episode.steps], np.eye(7)[path[episode.steps]]), level=0)
    return record.record(show, 2)


def test_a_recording_is_whole_episodes(recorded: list[list[record.Screen]]) -> None:
    assert [len(episode) for episode in recorded] == [6, 6]
    assert [episode[0].fields["step"] for episode in recorded] == ["0", "0"]
    assert all(episode[-1].banner.startswith("success") for episode in recorded)
    assert recorded[0][0].fields["level"] != recorded[1][0].fields["level"]


def test_the_video_has_a_frame_for_every_screen(recorded: list[list[record.Screen]], tmp_path: Path) -> None:
    path = tmp_path / "rollout.mp4"
    write_video(path, recorded)
    assert list(tmp_path.iterdir()) == [path]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        images = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert len(images) == 2 * (6 + ENDING_FRAMES - 1)
    assert images[0].shape == (VIDEO_SIZE[1], VIDEO_SIZE[0], 3)
    drawn = record.picture(recorded[0][0], VIDEO_SIZE).astype(int)
    assert np.abs(images[0] - drawn).mean() < 3, "the compressed frame looks like the screen"


def test_the_strip_shows_the_world_and_the_view_at_each_moment(recorded: list[list[record.Screen]]) -> None:
    image = strip(recorded[:1], columns=6)
    panes = recorded[0][0].panes
    for row in range(2):
        left, top = record.GAP, record.HEADING + row * (record.CELL + record.GAP)
        cell = image[top : top + record.CELL, left : left + record.CELL]
        assert cell.mean() == pytest.approx(panes[row].image.mean(), abs=3)
    assert image.shape[1] == record.GAP + 6 * (record.CELL + record.GAP)
    assert strip(recorded, columns=6).shape[0] > 1.9 * (image.shape[0] - record.GAP)


def test_the_quick_demo_runs_from_training_to_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert cli.main(["demo", "--quick", "--runs", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    (video,), (image,) = tmp_path.rglob("rollout.mp4"), tmp_path.rglob("rollout.png")
    assert str(video) in printed
    assert str(image) in printed
    assert "Success on unseen layouts: " in printed
    assert " of 20 episodes on " in printed
    assert min(pygame.image.load(image).get_size()) > 400


def test_with_a_display_the_demo_ends_in_a_window(
    tmp_path: Path, press: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    press("right right escape")
    monkeypatch.setattr(demo, "display_available", lambda: True)
    assert demo.main(["--quick", "--runs", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "Close the window" in printed
    assert "No display" not in printed


def test_a_run_folder_that_cannot_be_written_is_a_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert cli.main(["demo", "--quick", "--runs", str(tmp_path / "file")]) == 2
    assert "--runs" in capsys.readouterr().err
