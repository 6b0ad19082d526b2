# settings: threshold=1,random_ra=682
def f(a, d):
    [1 for y in range(9)]
    a ^= d * -0.0


for again in range(4):
    try:
        f(100000000000000000000, 3.75)
    except TypeError as error:
        print(error)
