"""Loops over rows lo..hi of a batch: what the CPU runs, one call a thread.

Stepping and drawing are one loop, so that a thread holds the interpreter's lock once a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from visnav.envs.batch import jit
from visnav.envs.grid.cameras import draw_full, draw_symbols, draw_tiles, label_full, label_tiles
from visnav.envs.grid.expert import distance_field, next_action
from visnav.envs.grid.first_person import draw_first_person
from visnav.envs.grid.rules import reset, step


@jit
def reset_rows(lo, hi, world, slots, source, level_function, args, before, after):  # type: ignore[no-untyped-def]
    """`reset` for those of rows lo..hi in phase `before`, which are then in phase `after`."""
    for i in range(lo, hi):
        if world.phase[i] == before:
            reset(i, world, slots, source, level_function, args)
            world.phase[i] = after


@jit
def step_rows(lo, hi, world, params, actions, outcome):  # type: ignore[no-untyped-def]
    """`step` without a picture."""
    for i in range(lo, hi):
        step(i, world, params, actions, outcome)


@jit
def step_symbols(lo, hi, world, params, actions, outcome, view, image_out):  # type: ignore[no-untyped-def]
    """`step`, then `camera="symbolic"`."""
    for i in range(lo, hi):
        step(i, world, params, actions, outcome)
        draw_symbols(i, world, params, view, image_out)


@jit
def step_tiles(lo, hi, world, params, actions, outcome, view, codes, tiles, image_out):  # type: ignore[no-untyped-def]
    """`step`, then `camera="tiles"`."""
    for i in range(lo, hi):
        step(i, world, params, actions, outcome)
        draw_tiles(i, world, params, view, codes, tiles, image_out)


@jit
def step_full(lo, hi, world, params, actions, outcome, view, codes, tiles, image_out):  # type: ignore[no-untyped-def]
    """`step`, then `camera="full"`."""
    for i in range(lo, hi):
        step(i, world, params, actions, outcome)
        draw_full(i, world, params, view, codes, tiles, image_out)


@jit
def symbols_rows(lo, hi, world, params, view, image_out):  # type: ignore[no-untyped-def]
    """`camera="symbolic"` as the worlds are."""
    for i in range(lo, hi):
        draw_symbols(i, world, params, view, image_out)


@jit
def tiles_rows(lo, hi, world, params, view, codes, tiles, image_out):  # type: ignore[no-untyped-def]
    """`camera="tiles"` as the worlds are."""
    for i in range(lo, hi):
        draw_tiles(i, world, params, view, codes, tiles, image_out)


@jit
def full_rows(lo, hi, world, params, view, codes, tiles, image_out):  # type: ignore[no-untyped-def]
    """`camera="full"` as the worlds are."""
    for i in range(lo, hi):
        draw_full(i, world, params, view, codes, tiles, image_out)


@jit
def label_tiles_rows(lo, hi, world, params, view, semantic_out, instance_out):  # type: ignore[no-untyped-def]
    """`label_tiles` of every cell."""
    for i in range(lo, hi):
        label_tiles(i, world, params, view, semantic_out, instance_out)


@jit
def label_full_rows(lo, hi, world, params, view, semantic_out, instance_out):  # type: ignore[no-untyped-def]
    """`label_full` of every cell."""
    for i in range(lo, hi):
        label_full(i, world, params, view, semantic_out, instance_out)


@jit
def first_person_rows(lo, hi, world, levels, lens, atlas, scratch, canvas):  # type: ignore[no-untyped-def]
    """`camera="first_person"` as the worlds are."""
    for i in range(lo, hi):
        draw_first_person(i, world, levels, lens, atlas, scratch, canvas)


@jit
def expert_rows(lo, hi, world, means, search, actions_out):  # type: ignore[no-untyped-def]
    """`next_action`; every row works in the same space."""
    for i in range(lo, hi):
        next_action(i, world, means, search, actions_out)


@jit
def distance_rows(lo, hi, world, ends, search, distances_out):  # type: ignore[no-untyped-def]
    """`distance_field`; every row works in the same space."""
    for i in range(lo, hi):
        distance_field(i, world, ends, search, distances_out)


class CameraLoops(NamedTuple):
    """The loops of a camera from above."""

    draw: Callable[..., None]  # as the worlds are
    step: Callable[..., None]  # step, then draw
    label: Callable[..., None]  # class and instance of each cell


FROM_ABOVE = {
    "tiles": CameraLoops(tiles_rows, step_tiles, label_tiles_rows),
    "full": CameraLoops(full_rows, step_full, label_full_rows),
}
