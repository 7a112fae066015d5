"""Windows are opened on SDL's dummy driver, and keys are posted as events."""

from collections.abc import Callable

import pygame
import pytest

KEYS = {
    "left": pygame.K_LEFT,
    "right": pygame.K_RIGHT,
    "up": pygame.K_UP,
    "space": pygame.K_SPACE,
    "escape": pygame.K_ESCAPE,
}


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Post key presses, by name and separated by spaces, to the window that is opened next."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")

    def post(names: str) -> None:
        pygame.display.init()
        for name in names.split():
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=KEYS[name], unicode=""))

    return post
