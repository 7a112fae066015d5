"""Rules and cameras compile for GPUs: to PTX, with or without one."""

import numpy as np
import pytest
from driving_scenes import bank, traffic

from visnav.envs import batch
from visnav.envs.driving import above, front
from visnav.envs.driving.cameras import CameraOptions, DrivingCamera
from visnav.envs.driving.ground import make_ground
from visnav.envs.driving.lens import Canvas as DrivingCanvas
from visnav.envs.driving.lens import make_scratch as make_driving_scratch
from visnav.envs.grid import cameras, expert, first_person, motion, rules
from visnav.envs.grid.lens import Canvas, make_lens, make_scratch
from visnav.envs.grid.levels import TASKS
from visnav.envs.grid.paths import make_search
from visnav.envs.grid.simulation import GridSimulation
from visnav.envs.grid.tiles import tile_table
from visnav.envs.grid.world import OBJECT_GOAL, POINT_GOAL, Params, make_outcome, make_world

pytest.importorskip("numba_cuda", reason="numba-cuda is not installed")


class _Device:
    """Stands in for a GPU: compiling a kernel that calls @njit functions asks which one there is."""

    compute_capability = (9, 0)


def compile_to_ptx(row_function: object, args: tuple[object, ...], monkeypatch: pytest.MonkeyPatch) -> str:
    """The PTX of a kernel over `row_function`."""
    import numba.cuda.dispatcher
    from numba import cuda, typeof, types

    if not cuda.is_available():
        monkeypatch.setattr(numba.cuda.dispatcher, "get_current_device", _Device)
    kernel = batch.cuda_kernel(row_function)
    return str(cuda.compile_ptx(kernel.py_func, types.void(types.int64, typeof(args)), cc=(9, 0))[0])


def test_the_step_rule_compiles_to_ptx(monkeypatch: pytest.MonkeyPatch) -> None:
    task = TASKS["MiniGrid-DoorKey-8x8-v0"]()
    args = (make_world(2, task), Params(7, False, 640, 0, 1), np.zeros(2, np.int64), make_outcome(2))
    ptx = compile_to_ptx(rules.step, args, monkeypatch)
    assert ".visible .entry" in ptx
    assert "st.global" in ptx or "st." in ptx


def test_the_tiles_camera_compiles_to_ptx_without_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    task = TASKS["MiniGrid-DoorKey-8x8-v0"]()
    view, codes = np.zeros((2, 49), np.uint8), np.zeros((2, 64), np.uint16)
    tiles, image = tile_table(8).view(np.uint64), np.zeros((2, 1176), np.uint64)
    args = (make_world(2, task), Params(7, False, 640, 0, 1), view, codes, tiles, image)
    ptx = compile_to_ptx(cameras.draw_tiles, args, monkeypatch)
    assert ".visible .entry" in ptx
    assert ".f64" not in ptx


@pytest.mark.parametrize(("label", "cells"), [(cameras.label_tiles, 49), (cameras.label_full, 64)])
def test_labels_from_above_compile_to_ptx_without_float64(
    label: object, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(2, TASKS["MiniGrid-DoorKey-8x8-v0"]())
    view, semantic, instance = (
        np.zeros((2, count), dtype) for count, dtype in ((49, "u1"), (cells, "u1"), (cells, "i4"))
    )
    ptx = compile_to_ptx(label, (world, Params(7, False, 640, 0, 1), view, semantic, instance), monkeypatch)
    assert ".visible .entry" in ptx
    assert ".f64" not in ptx


def test_the_first_person_camera_compiles_to_ptx_and_counts_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    task = TASKS["MiniGrid-DoorKey-8x8-v0"]()
    size, empty = 16 * 16, np.zeros((2, 0), np.float32)
    args = (
        make_world(2, task),
        np.zeros(2, np.int64),
        make_lens((16, 16), 90.0, "all", "random", 0.1),
        np.zeros(16, np.uint32),
        make_scratch(16, 64),
        Canvas(np.zeros((2, 3 * size), np.uint8), empty, np.zeros((2, size), np.uint8), np.zeros((2, size), np.int32)),
    )
    ptx = compile_to_ptx(first_person.draw_first_person, args, monkeypatch)
    assert ".visible .entry" in ptx
    doubles = [line.split()[0] for line in ptx.splitlines() if ".f64" in line and ".reg" not in line]
    in_sine_and_cosine = ["cvt.rn.f64.s64", "mul.f64", "cvt.rn.f32.f64"]  # CUDA's own, for angles beyond 10^5
    assert doubles == 2 * in_sine_and_cosine


def test_the_expert_compiles_to_ptx_and_counts_in_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    task = TASKS["MiniGrid-DoorKey-8x8-v0"]()
    args = (make_world(2, task), expert.means_of(task), make_search(8, 8), np.zeros(2, np.int64))
    ptx = compile_to_ptx(expert.next_action, args, monkeypatch)
    assert ".visible .entry" in ptx
    assert ".f64" not in ptx
    assert ".f32" not in ptx


@pytest.mark.parametrize("actions", ["continuous", "discrete"])
def test_driving_compiles_to_ptx(actions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = GridSimulation(TASKS["Maze-PointGoal-7x7-v0"](), 2, camera="symbolic", actions=actions, gps_noise=0.1)
    trip, constants = simulation.navigation.trip, simulation.navigation.motion
    played = np.zeros((2, *simulation.action_space.shape), simulation.action_space.dtype)
    params = Params(7, False, 500, POINT_GOAL, 1)
    step = motion.drive_step if actions == "continuous" else motion.walk_step
    args = (simulation.world, trip, params, constants, played, simulation.outcome)
    assert ".visible .entry" in compile_to_ptx(step, args, monkeypatch)


def test_the_start_of_a_trip_compiles_to_ptx(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = GridSimulation(TASKS["Maze-ObjectGoal-7x7-v0"](), 2, camera="symbolic")
    params = Params(7, False, 500, OBJECT_GOAL, 1)
    args = (simulation.world, simulation.slots, simulation.navigation.trip, params, simulation.navigation.motion)
    assert ".visible .entry" in compile_to_ptx(motion.start, args, monkeypatch)


@pytest.mark.parametrize("camera", ["birdseye", "front"])
def test_driving_cameras_compile_to_ptx_and_count_pixels_in_float32(
    camera: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = make_ground(bank())
    lens = DrivingCamera(camera, ground, 2, 4, CameraOptions(textures="all", lighting="random")).lens
    size = 64 * 64
    canvas = DrivingCanvas(
        np.zeros((2, 3 * size), np.uint8), np.zeros((2, size), np.float32), np.zeros((2, size), np.uint8),
        np.zeros((2, size), np.int32),
    )  # fmt: skip
    scratch = make_driving_scratch(64, 4)
    args = (traffic(2, 4), np.zeros(2, np.int64), ground, lens, scratch, canvas)
    ptx = compile_to_ptx(above.draw_above if camera == "birdseye" else front.draw_front, args, monkeypatch)
    assert ".visible .entry" in ptx
    assert len([line for line in ptx.splitlines() if ".f64" in line]) < 0.1 * len(ptx.splitlines())
