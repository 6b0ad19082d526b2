"""del of locals, names that are not bound yet, cells that are empty."""


def deleted_each_round(n):
    total = 0
    for i in range(n):
        x = i
        total += x
        del x
        try:
            total += x
        except UnboundLocalError as error:
            text = str(error)
    return total, text


def bound_late(n):
    total = 0
    for i in range(n):
        try:
            total += late
        except UnboundLocalError:
            total += 1
        if i == n // 2:
            late = 100
    return total


def deleted_late(n):
    x = 1
    total = 0
    for i in range(n):
        try:
            total += x
        except UnboundLocalError:
            total += 1000
        if i == n // 2:
            del x
    return total


def loop_variable(n):
    for i in range(n):
        del i
    try:
        return i
    except UnboundLocalError as error:
        return str(error)


def empty_cell(n):
    def show():
        return x

    total = 0
    for i in range(n):
        try:
            total += show()
        except NameError as error:
            total += 1
            text = str(error)
        if i % 3 == 0:
            x = i
        elif i % 3 == 2:
            del x
    return total, text


def twice_deleted(n):
    count = 0
    for i in range(n):
        a = i
        del a
        try:
            del a
        except UnboundLocalError:
            count += 1
    return count


print(deleted_each_round(60), bound_late(60), deleted_late(60), loop_variable(60), empty_cell(61), twice_deleted(60))
for number in range(60):
    value = number
    del value
    try:
        value
    except NameError as error:
        text = str(error)
print(text)
