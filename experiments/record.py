"""Episodes of a policy as an MP4 and as a strip of pictures, drawn without a window."""

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pygame

from visnav.envs.viewer import BACKGROUND, GOOD, MUTED, TEXT, Screen, picture, scaled, written
from visnav.experiments.watch import Show, open_run

VIDEO_SIZE = (1080, 560)  # pixels (width, height); both even, as H.264 wants
VIDEO_FPS = 8
SHOWN = 3  # episodes in the MP4 and in the strip of a run
MAX_SCREENS = 100  # of an episode that does not end: untrained policies are long
ENDING_FRAMES = 10  # how often the last frame of an episode is shown

CELL = 152  # pixels of a picture in a strip, and of the things around it
GAP = 8
HEADING = 40
CAPTION = 24


def write_rollout(folder: Path, split: str | None, seed: int) -> tuple[Path, Path]:
    """Play SHOWN episodes of the run in `folder`, and write them there: the paths of an MP4 and of a PNG strip."""
    episode, choose = open_run(folder, split, greedy=False, seed=seed)
    with contextlib.closing(episode.env):
        recorded = record(Show(episode, choose, seed=seed), SHOWN)
    video, image = folder / "rollout.mp4", folder / "rollout.png"
    write_video(video, recorded)
    write_picture(image, strip(recorded))
    return video, image


def write_episodes(
    folder: Path,
    split: str | None,
    levels: Sequence[int],
    greedy: bool = False,
    seed: int = 0,
    layout: Path | None = None,
    policy: str = "last",
    env: tuple[str, ...] = (),
) -> list[Path]:
    """Play levels with the last or best policy of the run in `folder`, and write an MP4 of each whole episode.

    Args:
        split: of the levels; `layout` the file of a level by hand.
        seed: of the sampled actions.
        env: keywords of the worlds instead of those of training or beside them, such as textures=test.

    Returns:
        The paths, such as `folder`/videos/test-level-123-last-success.mp4.
    """
    episode, choose = open_run(folder, split, greedy, seed, layout, policy, env)
    videos = folder / "videos"
    videos.mkdir(exist_ok=True)
    written = []
    with contextlib.closing(episode.env):
        for level in levels:
            name = f"{'layout' if layout else split or 'all'}-level-{level}-{policy}"
            video = videos / f".{name}.mp4.tmp"
            write_video(video, [played(Show(episode, choose, level))])
            for before in videos.glob(f"{name}-*.mp4"):
                before.unlink()
            written.append(video.rename(videos / f"{name}-{'success' if episode.success else 'failure'}.mp4"))
    return written


def record(show: Show, episodes: int) -> list[list[Screen]]:
    """Play episodes; one list of screens for each, from its first observation to its last, or MAX_SCREENS."""
    recorded = []
    for number in range(episodes):
        if number:
            show.start()
        recorded.append(list(itertools.islice(played(show), MAX_SCREENS)))
    return recorded


def played(show: Show) -> Iterator[Screen]:
    """The screens of the episode under way, from now to its end, without keys, which are for windows."""
    yield replace(show.screen(), help={})
    while not show.episode.over:
        show.advance()
        yield replace(show.screen(), help={})


def lingering(episode: Iterable[Screen]) -> Iterator[Screen]:
    """Its screens, the last one ENDING_FRAMES times."""
    last = None
    for last in episode:
        yield last
    if last:
        yield from [last] * (ENDING_FRAMES - 1)


def write_video(path: Path, recorded: Iterable[Iterable[Screen]]) -> None:
    """Write the screens of episodes as the frames of an MP4 (H.264), the last one of an episode for longer."""
    temporary = path.with_name(f".{path.name}.tmp")
    with av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream("h264", rate=Fraction(VIDEO_FPS))
        stream.width, stream.height = VIDEO_SIZE
        stream.pix_fmt = "yuv420p"  # what every player shows
        stream.options = {"crf": "18"}
        for screen in itertools.chain.from_iterable(map(lingering, recorded)):
            frame = av.VideoFrame.from_ndarray(picture(screen, VIDEO_SIZE), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    os.replace(temporary, path)


def strip(recorded: Sequence[Sequence[Screen]], columns: int = 7) -> np.ndarray:
    """Moments of each episode side by side, what the agent sees under the world: uint8 (height, width, 3)."""
    width = GAP + columns * (CELL + GAP)
    rows = max(len(episode[0].panes) for episode in recorded)
    height = len(recorded) * (HEADING + CAPTION + rows * (CELL + GAP)) + GAP
    surface = pygame.Surface((width, height))
    surface.fill(BACKGROUND)
    y = 0
    for episode in recorded:
        heading = f"level {episode[0].fields['level']}" + (f": {episode[0].mission}" if episode[0].mission else "")
        surface.blit(written(heading, 20, TEXT), (GAP, y + 14))
        ending = written(episode[-1].banner, 20, GOOD if episode[-1].good else MUTED)
        surface.blit(ending, (width - GAP - ending.get_width(), y + 14))
        for column, moment in enumerate(np.linspace(0, len(episode) - 1, columns).round().astype(int)):
            draw_moment(episode[moment], surface, GAP + column * (CELL + GAP), y + HEADING)
        y += HEADING + CAPTION + rows * (CELL + GAP)
    return np.ascontiguousarray(pygame.surfarray.array3d(surface).swapaxes(0, 1))


def draw_moment(screen: Screen, surface: pygame.Surface, x: int, y: int) -> None:
    """One column of a strip: the panes of a screen under each other, and what was done last."""
    for row, pane in enumerate(screen.panes):
        image = pygame.transform.smoothscale(scaled(pane.image, (4 * CELL, 4 * CELL)), (CELL, CELL))
        surface.blit(image, (x, y + row * (CELL + GAP)))
    caption = f"step {screen.fields['step']}" + (f", {screen.fields['action']}" if screen.fields["step"] != "0" else "")
    text = written(caption, 16, MUTED)
    surface.blit(text, (x + (CELL - text.get_width()) // 2, y + len(screen.panes) * (CELL + GAP)))


def write_picture(path: Path, image: np.ndarray) -> None:
    """Write uint8 (H, W, 3) as a PNG."""
    height, width = image.shape[:2]
    temporary = path.with_name(f".{path.name}.tmp.png")
    pygame.image.save(pygame.image.frombytes(image.tobytes(), (width, height), "RGB"), str(temporary))
    os.replace(temporary, path)
