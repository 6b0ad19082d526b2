"""The five bodies of the benchmarks game, in lists of floats."""

from math import sqrt


def main():
    dt = 0.01
    x = [0.0, 4.84143144246472090, 8.34336671824457987, 12.8943695621391310, 15.3796971148509165]
    y = [0.0, -1.16032004402742839, 4.12479856412430479, -15.1111514016986312, -25.9193146099879641]
    z = [0.0, -0.103622044471123109, -0.403523417114321381, -0.223307578892655734, 0.179258772950371181]
    vx = [0.0, 0.606326392995832, -1.01077434617879, 1.08279100644154, 0.979090732243898]
    vy = [0.0, 2.81198684491626, 1.82566237123041, 0.868713018169608, 0.594698998647676]
    vz = [0.0, -0.0252183616598876, 0.00841576137658415, -0.0108326374013636, -0.0347559555780865]
    mass = [39.4784176043574, 0.0376936749096657, 0.0112863261319688, 0.00172372405705971, 0.00203368686992463]
    n = 5
    for _ in range(20_000):
        for i in range(n):
            xi = x[i]
            yi = y[i]
            zi = z[i]
            for j in range(i + 1, n):
                dx = xi - x[j]
                dy = yi - y[j]
                dz = zi - z[j]
                d2 = dx * dx + dy * dy + dz * dz
                mag = dt / (d2 * sqrt(d2))
                mj = mass[j] * mag
                mi = mass[i] * mag
                vx[i] -= dx * mj
                vy[i] -= dy * mj
                vz[i] -= dz * mj
                vx[j] += dx * mi
                vy[j] += dy * mi
                vz[j] += dz * mi
        for i in range(n):
            x[i] += dt * vx[i]
            y[i] += dt * vy[i]
            z[i] += dt * vz[i]
    total = 0.0
    for i in range(n):
        total += x[i] + y[i] + z[i]
    return int(total * 1e9)


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
