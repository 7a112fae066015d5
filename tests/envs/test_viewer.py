"""The window: what it draws, which keys it names, how it follows its size. Runs on SDL's dummy driver."""

import time
from collections.abc import Iterator

import numpy as np
import pygame
import pytest

from visnav.envs import viewer as module
from visnav.envs.viewer import NoDisplayError, Pane, Screen, Viewer, display_available, picture

RED = np.full((8, 8, 3), (255, 0, 0), np.uint8)
GREEN = np.full((8, 8, 3), (0, 255, 0), np.uint8)


@pytest.fixture
def viewer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Viewer]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    window = Viewer("test", (640, 360))
    yield window
    window.close()


def extent(frame: np.ndarray, colour: tuple[int, int, int]) -> tuple[slice, slice]:
    """The rows and columns that hold pixels of exactly this colour."""
    rows, columns = np.nonzero((frame == colour).all(axis=2))
    return slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)


def test_panes_stand_side_by_side_as_large_as_whole_pixels_allow() -> None:
    frame = picture(Screen([Pane(RED), Pane(GREEN)]), (640, 360))
    assert frame.shape == (360, 640, 3)
    assert frame.dtype == np.uint8
    red, green = extent(frame, (255, 0, 0)), extent(frame, (0, 255, 0))
    side = (640 - 3 * module.MARGIN) // 2 // 8 * 8  # the column, as a multiple of 8 pixels
    assert [s.stop - s.start for s in (*red, *green)] == [side] * 4
    assert red[1].stop <= green[1].start
    assert (frame[red] == (255, 0, 0)).all(), "a pane is filled, pixel by pixel"


def test_every_pixel_of_a_small_image_becomes_a_sharp_square() -> None:
    checks = np.zeros((2, 2, 3), np.uint8)
    checks[0, 0] = checks[1, 1] = 255
    frame = picture(Screen([Pane(checks)]), (232, 232))
    inner = frame[module.MARGIN : -module.MARGIN, module.MARGIN : -module.MARGIN]
    assert np.array_equal(inner, checks.repeat(100, axis=0).repeat(100, axis=1))


def test_a_large_image_is_shrunk_to_fit() -> None:
    frame = picture(Screen([Pane(np.full((900, 300, 3), (0, 0, 255), np.uint8))]), (640, 332))
    rows, columns = np.nonzero(frame[..., 2] > 200)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (300, 100)


def test_a_legend_stands_under_its_pane_and_panes_beside_it_keep_in_line() -> None:
    legend = {"a long label of a class": (1, 2, 3), "another long label": (4, 5, 6), "a third one": (7, 8, 9)}
    frame = picture(Screen([Pane(RED, "red", legend), Pane(GREEN, "green")]), (640, 360))
    red, green = extent(frame, (255, 0, 0)), extent(frame, (0, 255, 0))
    assert red[0] == green[0], "in one line"
    for colour in legend.values():
        square = extent(frame, colour)
        assert square[0].start > red[0].stop
        assert square[0].stop <= 360 - module.MARGIN
        assert square[1].stop < green[1].start
    narrow = picture(Screen([Pane(RED, "red", legend)]), (200, 360))
    tops = [extent(narrow, colour)[0].start for colour in legend.values()]
    assert tops == sorted(set(tops)), "a line each where there is no room beside each other"


def test_a_window_smaller_than_its_margins_is_still_drawn() -> None:
    screen = Screen([Pane(RED), Pane(GREEN)], mission="get to the goal", bars={"left": 1.0}, help={"n": "next"})
    assert picture(screen, (20, 10)).shape == (10, 20, 3)


def test_bars_are_as_long_as_their_fractions_and_the_chosen_one_is_bright() -> None:
    bars = {"left": 1.0, "right": 0.5, "forward": 0.0}
    widths = {}
    for chosen in ("left", "right"):
        frame = picture(Screen([Pane(RED)], bars=bars, chosen=chosen), (640, 360))
        columns = extent(frame, module.ACCENT)[1]
        widths[chosen] = columns.stop - columns.start
    assert widths["right"] == pytest.approx(widths["left"] / 2, abs=1)
    frame = picture(Screen([Pane(RED)], bars=bars, chosen="forward"), (640, 360))
    assert not (frame == module.ACCENT).all(axis=2).any()


def test_gauges_reach_from_the_middle_to_the_left_and_to_the_right() -> None:
    def blue(value: float) -> slice:
        return extent(picture(Screen([Pane(RED)], gauges={"steering": value}), (640, 360)), module.ACCENT)[1]

    left, right = blue(-0.5), blue(1.0)
    assert left.stop <= right.start
    assert right.stop - right.start == pytest.approx(2 * (left.stop - left.start), abs=2)


def test_a_low_window_shows_all_lines_in_smaller_letters() -> None:
    fields = {f"line {k}": "x" for k in range(12)}
    frame = picture(Screen([Pane(RED)], fields=fields, bars={"last": 1.0}, chosen="last"), (640, 300))
    assert extent(frame, module.ACCENT)[0].stop < 300 - module.MARGIN


def test_text_changes_only_its_own_place() -> None:
    base = Screen([Pane(RED)], fields={"step": "1"}, help={"escape": "leave"})
    changed = Screen([Pane(RED)], fields={"step": "2"}, help={"escape": "leave"})
    difference = np.nonzero((picture(base, (640, 360)) != picture(changed, (640, 360))).any(axis=2))
    assert 0 < len(difference[0]) < 200
    assert difference[1].min() > 640 - module.SIDEBAR_WIDTH[0]


def test_the_keys_stand_at_the_foot_and_leave_the_panes_less_room() -> None:
    keys = {f"key {i}": "what it does" for i in range(8)}
    bare, helped = (picture(Screen([Pane(RED)], help=help), (400, 360)) for help in ({}, keys))
    rows = [extent(frame, (255, 0, 0))[0] for frame in (bare, helped)]
    foot = np.nonzero((helped > 180).all(axis=2))[0].min()
    assert rows[1].stop < rows[0].stop
    assert rows[1].stop < foot < 360 - 2 * module.MARGIN, "eight keys need more than one line"


@pytest.mark.parametrize(("good", "colour"), [(True, module.GOOD), (False, module.BAD)])
def test_the_banner_has_the_colour_of_the_ending(good: bool, colour: tuple[int, int, int]) -> None:
    frame = picture(Screen([Pane(RED)], banner="the end", good=good), (640, 360))
    assert (frame == colour).all(axis=2).sum() > 1000


@pytest.mark.parametrize("image", [RED[..., :1], RED.astype(np.float32), RED[0]])
def test_an_image_of_another_kind_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"uint8 \(H, W, 3\)"):
        picture(Screen([Pane(image)]), (640, 360))


def test_the_window_shows_the_picture(viewer: Viewer) -> None:
    screen = Screen([Pane(RED)], mission="get to the goal", fields={"step": "3"})
    viewer.show(screen)
    assert np.array_equal(viewer.frame(), picture(screen, (640, 360)))


def test_keys_are_told_by_name_and_in_order(viewer: Viewer) -> None:
    for key, character in [
        (pygame.K_LEFT, ""),
        (pygame.K_PAGEUP, ""),
        (pygame.K_LSHIFT, ""),
        (pygame.K_SPACE, " "),
        (pygame.K_TAB, "\t"),
        (pygame.K_RETURN, "\r"),
        (pygame.K_BACKSPACE, "\b"),
        (pygame.K_ESCAPE, "\x1b"),
        (pygame.K_EQUALS, "+"),
        (pygame.K_n, "N"),
    ]:
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, unicode=character))
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    names = "left,page up,left shift,space,tab,return,backspace,escape,+,n,quit"
    assert viewer.keys() == names.split(",")
    assert viewer.keys() == []


def test_waiting_for_a_key_ends_after_the_time_given(viewer: Viewer) -> None:
    start = time.monotonic()
    assert viewer.keys(0.1) == []
    assert 0.1 <= time.monotonic() - start < 1


def test_a_resized_window_is_drawn_anew(viewer: Viewer) -> None:
    screen = Screen([Pane(RED)], fields={"step": "3"})
    viewer.show(screen)
    pygame.display.set_mode((900, 500), pygame.RESIZABLE)
    viewer.keys()
    pygame.event.post(pygame.event.Event(pygame.WINDOWSIZECHANGED, x=900, y=500))
    viewer.keys()
    assert np.array_equal(viewer.frame(), picture(screen, (900, 500)))


def test_no_sound_is_opened(viewer: Viewer) -> None:
    assert pygame.mixer.get_init() is None


def test_without_a_display_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert not display_available()
    with pytest.raises(NoDisplayError, match=r"DISPLAY.*rgb_array"):
        Viewer("test")


@pytest.mark.parametrize(
    ("variables", "available"),
    [
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"DISPLAY": ":0", "SDL_VIDEODRIVER": "dummy"}, False),
    ],
)
def test_a_display_is_found_by_the_environment(
    variables: dict[str, str], available: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr("sys.platform", "linux")
    assert display_available() is available
