"""Loops over rows lo..hi of a batch: what the CPU runs, one call a thread."""

from __future__ import annotations

from visnav.envs.batch import jit
from visnav.envs.driving.control import locate_all
from visnav.envs.driving.kinematics import write_goal, write_kinematics
from visnav.envs.driving.rules import reset, step


@jit
def reset_rows(lo, hi, world, roads, tables, slots, params, source, spawn, enter, args, before, after):  # type: ignore[no-untyped-def]
    """`reset` for those of rows lo..hi in phase `before`, which are then in phase `after`."""
    for i in range(lo, hi):
        if world.phase[i] == before:
            reset(i, world, roads, tables, slots, params, source, spawn, enter, args)
            world.phase[i] = after


@jit
def step_rows(lo, hi, world, roads, tables, params, renew, args, commands, outcome):  # type: ignore[no-untyped-def]
    """`step`."""
    for i in range(lo, hi):
        step(i, world, roads, tables, params, renew, args, commands, outcome)


@jit
def locate_rows(lo, hi, world, roads, tables):  # type: ignore[no-untyped-def]
    """`locate_all`, after a state was put in."""
    for i in range(lo, hi):
        locate_all(i, world, roads, tables)


@jit
def kinematics_rows(lo, hi, world, roads, tables, view, out):  # type: ignore[no-untyped-def]
    """`camera="kinematics"` as the worlds are."""
    for i in range(lo, hi):
        write_kinematics(i, world, roads, tables, view, out)


@jit
def goal_rows(lo, hi, world, roads, tables, features, scales, observation, achieved_goal, desired_goal):  # type: ignore[no-untyped-def]
    """`camera="kinematics"` of worlds with a goal."""
    for i in range(lo, hi):
        write_goal(i, world, roads, tables, features, scales, observation, achieved_goal, desired_goal)
