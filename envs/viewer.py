"""A pygame window for arrays and lines of text: what an agent sees, and how it is doing.

The window knows nothing of environments: it is handed a `Screen` and returns the names of the keys that were
pressed. `picture` draws the same screen without a window, for videos and strips. This module imports pygame,
so the rest of `visnav.envs` imports it only when a window is wanted.
"""

import functools
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # or pygame greets on standard output
import pygame

BACKGROUND = (17, 19, 24)
PANEL = (28, 31, 38)
TRACK = (44, 48, 58)  # the empty part of a bar
TEXT = (230, 233, 238)
MUTED = (139, 147, 161)
ACCENT = (96, 165, 250)
GOOD = (74, 222, 128)
BAD = (248, 113, 113)

MARGIN = 16  # pixels, as everything below
CAPTION_HEIGHT = 26
SIDEBAR_WIDTH = (220, 340)  # least, most
BAR_HEIGHT = 18
LEGEND_LINE, LEGEND_SQUARE, LEGEND_GAP = 18, 11, 16
SMALLEST = 0.6  # share of their size that texts shrink to in low windows
HEADLESS_DRIVERS = ("dummy", "offscreen")  # SDL's drivers that show nothing


class NoDisplayError(OSError):
    """No window can be opened on this machine."""


@dataclass(frozen=True)
class Pane:
    """One image of a screen, uint8 (H, W, 3), the line under it, and what its colours mean."""

    image: np.ndarray
    caption: str = ""
    legend: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)  # label -> red, green, blue


@dataclass(frozen=True)
class Screen:
    """Everything that the window shows at one moment."""

    panes: Sequence[Pane]  # side by side, from the left
    mission: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)  # label -> value, one line each
    bars: Mapping[str, float] = field(default_factory=dict)  # label -> fraction 0..1, e.g. probabilities
    chosen: str = ""  # the label of the bar that is drawn bright
    gauges: Mapping[str, float] = field(default_factory=dict)  # label -> -1..1, drawn from the middle
    banner: str = ""  # how the episode ended; drawn over the panes
    good: bool = True  # the colour of the banner
    help: Mapping[str, str] = field(default_factory=dict)  # key -> what it does, at the foot


def display_available() -> bool:
    """Whether a window on this machine would be seen by somebody."""
    if os.environ.get("SDL_VIDEODRIVER") in HEADLESS_DRIVERS:
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def picture(screen: Screen, size: tuple[int, int]) -> np.ndarray:
    """The screen as uint8 (height, width, 3), drawn without a window; `size` is (width, height) in pixels."""
    surface = pygame.Surface(size)
    draw(screen, surface)
    return np.ascontiguousarray(pygame.surfarray.array3d(surface).swapaxes(0, 1))


def draw(screen: Screen, surface: pygame.Surface) -> None:
    """Draw a screen onto a pygame surface: the panes on the left, the text in a column on the right."""
    width, height = surface.get_size()
    surface.fill(BACKGROUND)
    has_sidebar = bool(screen.mission or screen.fields or screen.bars or screen.gauges)
    sidebar = min(max(int(width * 0.28), SIDEBAR_WIDTH[0]), SIDEBAR_WIDTH[1]) if has_sidebar else 0
    if has_sidebar:
        draw_sidebar(screen, surface, (width - sidebar, 0, sidebar, height))
    left = width - sidebar - 2 * MARGIN
    foot = draw_help(screen.help, surface, (MARGIN, height - MARGIN, left))
    draw_panes(screen, surface, (MARGIN, MARGIN, left, foot - MARGIN))


def draw_panes(screen: Screen, surface: pygame.Surface, area: tuple[int, int, int, int]) -> None:
    """Draw the images of a screen side by side in `area` (left, top, width, height), the banner over them."""
    left, top, width, height = area
    aspects = [pane.image.shape[1] / pane.image.shape[0] for pane in screen.panes]
    x_column, room = float(left), width - MARGIN * (len(screen.panes) - 1)
    reserved = max(  # for legends, the same under every image, so that they stand in one line
        (
            legend_height(pane.legend, int(room * aspect / sum(aspects)))
            for pane, aspect in zip(screen.panes, aspects, strict=True)
        ),
        default=0,
    )
    for pane, aspect in zip(screen.panes, aspects, strict=True):
        column = int(room * aspect / sum(aspects))  # wide images get wide columns, so that all are of one height
        caption_height = CAPTION_HEIGHT if pane.caption else 0
        image = scaled(pane.image, (column, height - caption_height - reserved))
        x = int(x_column) + (column - image.get_width()) // 2
        y = top + (height - caption_height - reserved - image.get_height()) // 2
        surface.blit(image, (x, y))
        if pane.caption:
            text = written(pane.caption, 17, MUTED)
            surface.blit(text, (x + (image.get_width() - text.get_width()) // 2, y + image.get_height() + 8))
        draw_legend(pane.legend, surface, (int(x_column), y + image.get_height() + caption_height + 8, column))
        x_column += column + MARGIN
    if screen.banner:
        text = written(screen.banner, 28, BACKGROUND)
        box = text.get_rect(center=(left + width // 2, top + 20)).inflate(40, 20)
        pygame.draw.rect(surface, GOOD if screen.good else BAD, box, border_radius=12)
        surface.blit(text, text.get_rect(center=box.center))


def legend_lines(legend: Mapping[str, tuple[int, int, int]], width: int) -> list[list[str]]:
    """The labels of a legend, in lines of at most `width` pixels."""
    lines: list[list[str]] = []
    room = 0
    for label in legend:
        taken = written(label, 15, TEXT).get_width() + LEGEND_SQUARE + LEGEND_GAP
        if not lines or taken > room:
            lines.append([])
            room = width
        lines[-1].append(label)
        room -= taken
    return lines


def legend_height(legend: Mapping[str, tuple[int, int, int]], width: int) -> int:
    """Pixels that a legend takes under an image."""
    return LEGEND_LINE * len(legend_lines(legend, width)) + 8 * bool(legend)


def draw_legend(
    legend: Mapping[str, tuple[int, int, int]], surface: pygame.Surface, place: tuple[int, int, int]
) -> None:
    """Draw what colours mean at `place` (left, top, width), a square of each with its label."""
    left, top, width = place
    for number, line in enumerate(legend_lines(legend, width)):
        x, y = left, top + LEGEND_LINE * number
        for label in line:
            text = written(label, 15, MUTED)
            pygame.draw.rect(surface, legend[label], (x, y, LEGEND_SQUARE, LEGEND_SQUARE), border_radius=2)
            surface.blit(text, (x + LEGEND_SQUARE + 5, y + 1))
            x += text.get_width() + LEGEND_SQUARE + LEGEND_GAP


def draw_sidebar(screen: Screen, surface: pygame.Surface, area: tuple[int, int, int, int]) -> None:
    """Draw the text and the bars of a screen in `area` (left, top, width, height); smaller where they need more."""
    left, top, width, height = area
    pygame.draw.rect(surface, PANEL, area)
    x, y, inner = left + MARGIN, top + MARGIN, width - 2 * MARGIN
    mission = wrapped(screen.mission, 24, inner)
    bars = len(screen.bars) + len(screen.gauges)
    needed = 28 * len(mission) + 10 * bool(mission) + 25 * len(screen.fields) + 14 + (BAR_HEIGHT + 6) * bars
    scale = min(1.0, max(SMALLEST, (height - 2 * MARGIN) / needed))
    for line in mission:
        surface.blit(written(line, round(24 * scale), TEXT), (x, y))
        y += round(28 * scale)
    y += round(10 * scale) if mission else 0
    for label, value in screen.fields.items():
        text = written(value, round(19 * scale), TEXT)
        name = written(label, round(19 * scale), MUTED)
        room = max(0, inner - text.get_width() - 6)  # what is said is read before what it is called
        surface.blit(name, (x, y), (0, 0, room, name.get_height()))
        surface.blit(text, (x + inner - text.get_width(), y))
        y += round(25 * scale)
    y += round(14 * scale)
    size, bar_height = round(17 * scale), round(BAR_HEIGHT * scale)
    labels = [*screen.gauges, *screen.bars]
    label_width = max((written(label, size, TEXT).get_width() for label in labels), default=0) + 10
    for label in labels:
        bright = label == screen.chosen or label in screen.gauges
        surface.blit(written(label, size, TEXT if bright else MUTED), (x, y + 2))
        track = pygame.Rect(x + label_width, y, max(0, inner - label_width), bar_height)
        pygame.draw.rect(surface, TRACK, track, border_radius=4)
        if label in screen.gauges:
            draw_gauge(screen.gauges[label], surface, track)
        else:
            track.width = round(track.width * min(max(screen.bars[label], 0.0), 1.0))
            pygame.draw.rect(surface, ACCENT if bright else MUTED, track, border_radius=4)
        y += bar_height + round(6 * scale)


def draw_gauge(value: float, surface: pygame.Surface, track: pygame.Rect) -> None:
    """Draw -1..1 from the middle of a track to its left or right, and a mark in the middle."""
    reach = round(track.width / 2 * min(max(value, -1.0), 1.0))
    pygame.draw.rect(surface, ACCENT, (track.centerx + min(reach, 0), track.top, abs(reach), track.height))
    pygame.draw.rect(surface, TEXT, (track.centerx - 1, track.top, 2, track.height))


def draw_help(keys: Mapping[str, str], surface: pygame.Surface, foot: tuple[int, int, int]) -> int:
    """Draw keys and what they do in as many lines as they need, upwards from `foot` (left, bottom, width).

    Returns the bottom of what is above them.
    """
    left, bottom, width = foot
    lines: list[list[tuple[pygame.Surface, pygame.Surface]]] = []
    room = 0
    for key, purpose in keys.items():
        entry = written(key, 16, TEXT), written(purpose, 16, MUTED)
        taken = entry[0].get_width() + entry[1].get_width() + 30
        if taken > room:
            lines.append([])
            room = width
        lines[-1].append(entry)
        room -= taken
    top = bottom - 22 * len(lines)
    for number, line in enumerate(lines):
        x, y = left, top + 22 * number
        for key_text, purpose_text in line:
            surface.blit(key_text, (x, y))
            surface.blit(purpose_text, (x + key_text.get_width() + 6, y))
            x += key_text.get_width() + purpose_text.get_width() + 30
    return top - MARGIN if lines else bottom


def scaled(image: np.ndarray, room: tuple[int, int]) -> pygame.Surface:
    """The image as a surface, as large as fits `room` (width, height), with sharp pixels.

    A whole multiple of its size, so that all pixels are of one size, unless that would leave much room empty.
    Raises ValueError for anything but uint8 (H, W, 3).
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a pane needs uint8 (H, W, 3), not {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    surface = pygame.image.frombytes(image.tobytes(), (width, height), "RGB")
    factor = min(max(room[0], 1) / width, max(room[1], 1) / height)  # a window can be smaller than its margins
    whole = int(factor)
    if whole >= 0.75 * factor:
        return pygame.transform.scale_by(surface, whole)
    # Enlarging first keeps edges sharp: only the pixels that fall between two of the image's are mixed.
    enlarged = pygame.transform.scale_by(surface, math.ceil(factor))
    return pygame.transform.smoothscale(enlarged, (max(1, int(width * factor)), max(1, int(height * factor))))


@functools.lru_cache(maxsize=512)
def written(text: str, height: int, colour: tuple[int, int, int]) -> pygame.Surface:
    """One line of text as a surface, in pygame's own font, which every machine has."""
    pygame.font.init()
    # Drawn at twice the size: SDL places letters on whole pixels, which looks ragged at these heights.
    large = pygame.font.Font(None, 2 * height).render(text, True, colour)
    return pygame.transform.smoothscale_by(large, 0.5)


def wrapped(text: str, height: int, width: int) -> list[str]:
    """The text in lines of at most `width` pixels, broken between words."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and written(longer, height, TEXT).get_width() <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


class Viewer:
    """A resizable window that shows a `Screen` and tells which keys were pressed.

    Keys are told by name: the character typed, lower case (`n`, `+`, `.`), or what pygame calls the key
    (`left`, `page up`, `left shift`, `return`, `escape`, `space`); `quit` stands for the close button.
    `size` is (width, height) in pixels. Raises NoDisplayError where no window can be opened.
    """

    def __init__(self, title: str, size: tuple[int, int] = (1080, 560)) -> None:
        if not display_available() and "SDL_VIDEODRIVER" not in os.environ:
            raise NoDisplayError(
                "there is no display to open a window on (neither DISPLAY nor WAYLAND_DISPLAY is set); "
                "run this on a desktop, connect with `ssh -X`, or use render_mode='rgb_array'"
            )
        try:
            pygame.display.init()  # not pygame.init(): that would open the sound card too
            self._surface = pygame.display.set_mode(size, pygame.RESIZABLE)
        except pygame.error as error:
            raise NoDisplayError(f"no window can be opened here: {error}") from error
        pygame.display.set_caption(title)
        self._screen: Screen | None = None
        self.held: set[str] = set()  # arrows and other named keys that are down, as `keys` last saw them

    def show(self, screen: Screen) -> None:
        """Draw `screen`; it stays, and follows the window's size, until the next one."""
        self._screen = screen
        self._redraw(screen)

    def _redraw(self, screen: Screen) -> None:
        draw(screen, self._surface)
        pygame.display.flip()

    def keys(self, seconds: float = 0.0) -> list[str]:
        """The keys pressed since the last call, in order; waits up to `seconds` for the first one."""
        deadline = time.monotonic() + seconds
        pressed: list[str] = []
        while not pressed:
            remaining = deadline - time.monotonic()
            if remaining > 0:
                first = pygame.event.wait(max(1, int(remaining * 1000)))
                events = [first, *pygame.event.get()]
            else:
                events = pygame.event.get()
            for event in events:
                if event.type == pygame.QUIT:
                    pressed.append("quit")
                elif event.type == pygame.KEYDOWN:
                    pressed.append(key_name(event.key, event.unicode))
                    self.held.add(pygame.key.name(event.key))
                elif event.type == pygame.KEYUP:
                    self.held.discard(pygame.key.name(event.key))
                elif event.type == pygame.WINDOWFOCUSLOST:  # whose keys go up elsewhere
                    self.held.clear()
                elif event.type in (pygame.WINDOWSIZECHANGED, pygame.WINDOWEXPOSED) and self._screen:
                    self._surface = pygame.display.get_surface() or self._surface
                    self._redraw(self._screen)
            if remaining <= 0:
                break
        return pressed

    def frame(self) -> np.ndarray:
        """What the window shows now, uint8 (height, width, 3)."""
        return np.ascontiguousarray(pygame.surfarray.array3d(self._surface).swapaxes(0, 1))

    def close(self) -> None:
        """Close the window; harmless when it is closed already."""
        pygame.display.quit()


def key_name(key: int, character: str) -> str:
    """A key press in a word: the printable character typed, lower case, or what pygame calls the key."""
    return character.lower() if character.strip() and character.isprintable() else pygame.key.name(key)
