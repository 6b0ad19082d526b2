"""The Sun and the four giant planets, by their attraction: nbody.py [STEPS]."""

import sys
from math import sqrt

DT = 0.01
NAMES = ["Sun", "Jupiter", "Saturn", "Uranus", "Neptune"]


def energy(x, y, z, vx, vy, vz, mass):
    total = 0.0
    for i in range(len(mass)):
        total += 0.5 * mass[i] * (vx[i] * vx[i] + vy[i] * vy[i] + vz[i] * vz[i])
        for j in range(i + 1, len(mass)):
            dx = x[i] - x[j]
            dy = y[i] - y[j]
            dz = z[i] - z[j]
            total -= mass[i] * mass[j] / sqrt(dx * dx + dy * dy + dz * dz)
    return total


def advance(steps, x, y, z, vx, vy, vz, mass):
    n = len(mass)
    for _ in range(steps):
        for i in range(n):
            for j in range(i + 1, n):
                dx = x[i] - x[j]
                dy = y[i] - y[j]
                dz = z[i] - z[j]
                d2 = dx * dx + dy * dy + dz * dz
                mag = DT / (d2 * sqrt(d2))
                mi = mass[i] * mag
                mj = mass[j] * mag
                vx[i] -= dx * mj
                vy[i] -= dy * mj
                vz[i] -= dz * mj
                vx[j] += dx * mi
                vy[j] += dy * mi
                vz[j] += dz * mi
        for i in range(n):
            x[i] += DT * vx[i]
            y[i] += DT * vy[i]
            z[i] += DT * vz[i]


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    x = [0.0, 4.84143144246472090, 8.34336671824457987, 12.8943695621391310, 15.3796971148509165]
    y = [0.0, -1.16032004402742839, 4.12479856412430479, -15.1111514016986312, -25.9193146099879641]
    z = [0.0, -0.103622044471123109, -0.403523417114321381, -0.223307578892655734, 0.179258772950371181]
    vx = [0.0, 0.606326392995832, -1.01077434617879, 1.08279100644154, 0.979090732243898]
    vy = [0.0, 2.81198684491626, 1.82566237123041, 0.868713018169608, 0.594698998647676]
    vz = [0.0, -0.0252183616598876, 0.00841576137658415, -0.0108326374013636, -0.0347559555780865]
    mass = [39.4784176043574, 0.0376936749096657, 0.0112863261319688, 0.00172372405705971, 0.00203368686992463]
    # The whole stands still.
    vx[0] = -sum(v * m for v, m in zip(vx, mass)) / mass[0]
    vy[0] = -sum(v * m for v, m in zip(vy, mass)) / mass[0]
    vz[0] = -sum(v * m for v, m in zip(vz, mass)) / mass[0]

    print(f"energy before {energy(x, y, z, vx, vy, vz, mass):.9f}")
    advance(steps, x, y, z, vx, vy, vz, mass)
    print(f"energy after  {energy(x, y, z, vx, vy, vz, mass):.9f}")
    for k in range(len(NAMES)):
        print(f"{NAMES[k]:8} {x[k]:11.6f} {y[k]:11.6f} {z[k]:11.6f}")


main()
