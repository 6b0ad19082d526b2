# settings: threshold=2
def f(a):
    for i in range(-5, 1):
        for k in range(5):
            0 * (a // (i + 1)) % 2 ** 60


try:
    f(179)
except ZeroDivisionError as error:
    print(error)
