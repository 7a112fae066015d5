"""How vehicles move: kinematic and dynamic bicycle, one substep of vehicle v in world i.

A vehicle model is a function `(i, v, world, dt)` that reads `steering` and `acceleration` and moves the vehicle.
"""

from __future__ import annotations

import math

from visnav.envs.batch import jit
from visnav.envs.driving.world import MAX_SPEED

MAX_YAW_RATE = 2 * math.pi  # rad/s


@jit
def limit_commands(i, v, world, low, high):  # type: ignore[no-untyped-def]
    """Beyond its speeds low..high a vehicle is drawn back to them; a crashed one brakes to a stop."""
    speed = world.vehicles.speed[i, v]
    if world.vehicles.crashed[i, v]:
        world.vehicles.steering[i, v] = 0.0
        world.vehicles.acceleration[i, v] = -speed
    if speed > high:
        if world.vehicles.acceleration[i, v] > high - speed:
            world.vehicles.acceleration[i, v] = high - speed
    elif speed < low and world.vehicles.acceleration[i, v] < low - speed:
        world.vehicles.acceleration[i, v] = low - speed


@jit
def kinematic_bicycle(i, v, world, dt):  # type: ignore[no-untyped-def]
    """Euler step of ẋ = v cos(ψ + β), ẏ = v sin(ψ + β), ψ̇ = v sin β / (L/2), β = atan(½ tan δ).

    Kong et al. 2015, "Kinematic and Dynamic Vehicle Models for Autonomous Driving Control Design", as in
    `highway_env/vehicle/kinematics.py`. Sums of angles are written out, so that one tan and one pair sin, cos do.
    """
    speed, heading = world.vehicles.speed[i, v], world.vehicles.heading[i, v]
    cos, sin = 1.0, 0.0
    if heading != 0.0:  # most traffic drives straight on, and most roads lie along x
        cos, sin = math.cos(heading), math.sin(heading)
    steering = world.vehicles.steering[i, v]
    if steering != 0.0:
        slip = 0.5 * math.tan(steering)  # tan β
        cos_slip = 1 / math.sqrt(1 + slip * slip)
        sin_slip = slip * cos_slip
        cos, sin = cos * cos_slip - sin * sin_slip, sin * cos_slip + cos * sin_slip
        world.vehicles.heading[i, v] = heading + speed * sin_slip / (world.vehicles.length[i, v] / 2) * dt
    world.vehicles.x[i, v] += speed * cos * dt
    world.vehicles.y[i, v] += speed * sin * dt
    world.vehicles.speed[i, v] = speed + world.vehicles.acceleration[i, v] * dt
    if world.vehicles.impacted[i, v]:
        world.vehicles.x[i, v] += world.vehicles.impact_x[i, v]
        world.vehicles.y[i, v] += world.vehicles.impact_y[i, v]
        world.vehicles.crashed[i, v] = True
        world.vehicles.impacted[i, v] = False


@jit
def _dynamic_rates(heading, speed, lateral, yaw_rate, steering, body):  # type: ignore[no-untyped-def]
    """(ẋ, ẏ, lateral acceleration, yaw acceleration): linear tyres, Rajamani 2011, equations 2.21 to 2.28.

    `body` is (m from the middle to each axle, moment of inertia in m², stiffness of an axle in m/s² per rad), where the
    latter two are per kg.
    """
    half, inertia, stiffness = body
    if abs(speed) < 1:  # at walking pace, lateral speed and yaw rate die out
        front = -lateral - inertia / half * yaw_rate
        rear = -lateral + inertia / half * yaw_rate
    else:
        front = stiffness * (steering - math.atan2(lateral + half * yaw_rate, speed))
        rear = -stiffness * math.atan2(lateral - half * yaw_rate, speed)
    cos, sin = math.cos(heading), math.sin(heading)
    return (
        cos * speed - sin * lateral,
        sin * speed + cos * lateral,
        front + rear - yaw_rate * speed,
        1 / inertia * (half * front - half * rear),
    )


@jit
def dynamic_bicycle(i, v, world, dt):  # type: ignore[no-untyped-def]
    """Fourth-order Runge-Kutta step of a bicycle with linear tyres (`highway_env/vehicle/dynamics.py`).

    Its axles are at its ends, and its mass is spread evenly over length and width.

    Between 1 and 4 m/s the tyres are too stiff for steps of 1/15 s, and the least difference grows a hundredfold in
    each: sums and products are those of the original, in its order.
    """
    if abs(world.vehicles.steering[i, v]) > math.pi / 2:
        world.vehicles.steering[i, v] = math.copysign(math.pi / 2, world.vehicles.steering[i, v])
    if abs(world.vehicles.yaw_rate[i, v]) > MAX_YAW_RATE:
        world.vehicles.yaw_rate[i, v] = math.copysign(MAX_YAW_RATE, world.vehicles.yaw_rate[i, v])
    steering, acceleration = world.vehicles.steering[i, v], world.vehicles.acceleration[i, v]
    heading, speed = world.vehicles.heading[i, v], world.vehicles.speed[i, v]
    lateral, yaw_rate = world.vehicles.lateral_speed[i, v], world.vehicles.yaw_rate[i, v]
    length, width = world.vehicles.length[i, v], world.vehicles.width[i, v]
    stiffness = 2 * world.vehicles.cornering_stiffness[i, v] / world.vehicles.mass[i, v]
    body = length / 2, 1 / 12 * (length * length + width * width), stiffness
    dx1, dy1, dl1, dr1 = _dynamic_rates(heading, speed, lateral, yaw_rate, steering, body)
    half = dt / 2
    l2, r2 = lateral + dl1 * half, yaw_rate + dr1 * half
    dx2, dy2, dl2, dr2 = _dynamic_rates(heading + yaw_rate * half, speed + acceleration * half, l2, r2, steering, body)
    l3, r3 = lateral + dl2 * half, yaw_rate + dr2 * half
    dx3, dy3, dl3, dr3 = _dynamic_rates(heading + r2 * half, speed + acceleration * half, l3, r3, steering, body)
    l4, r4 = lateral + dl3 * dt, yaw_rate + dr3 * dt
    dx4, dy4, dl4, dr4 = _dynamic_rates(heading + r3 * dt, speed + acceleration * dt, l4, r4, steering, body)
    world.vehicles.x[i, v] += dt / 6 * (dx1 + 2 * dx2 + 2 * dx3 + dx4)
    world.vehicles.y[i, v] += dt / 6 * (dy1 + 2 * dy2 + 2 * dy3 + dy4)
    world.vehicles.heading[i, v] = heading + dt / 6 * (yaw_rate + 2 * r2 + 2 * r3 + r4)
    total = acceleration + 2 * acceleration + 2 * acceleration + acceleration
    world.vehicles.speed[i, v] = speed + dt / 6 * total
    world.vehicles.lateral_speed[i, v] = lateral + dt / 6 * (dl1 + 2 * dl2 + 2 * dl3 + dl4)
    world.vehicles.yaw_rate[i, v] = yaw_rate + dt / 6 * (dr1 + 2 * dr2 + 2 * dr3 + dr4)


@jit
def move(i, v, dt, world, params):  # type: ignore[no-untyped-def]
    """Move vehicle v for dt s: its own model, within its own speeds."""
    if v == 0:
        limit_commands(i, v, world, params.min_speed, params.max_speed)
        if params.dynamical:
            dynamic_bicycle(i, v, world, dt)
            return
    else:
        limit_commands(i, v, world, -MAX_SPEED, MAX_SPEED)
    kinematic_bicycle(i, v, world, dt)
