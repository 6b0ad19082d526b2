"""Attributes of objects read and written in a loop."""


class Particle:
    def __init__(self, x, v):
        self.x = x
        self.v = v
        self.hits = 0


def main():
    particles = [Particle(i * 0.5, i - 8.0) for i in range(16)]
    for _ in range(60_000):
        for p in particles:
            p.x += p.v * 0.125
            if p.x > 100.0 or p.x < -100.0:
                p.v = -p.v
                p.hits += 1
    total = 0.0
    hits = 0
    for p in particles:
        total += p.x
        hits += p.hits
    return int(total * 1e6) * 1_000_000 + hits


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
