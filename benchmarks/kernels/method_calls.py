"""Methods of a small class called in a loop."""


class Account:
    def __init__(self, balance):
        self.balance = balance
        self.count = 0

    def deposit(self, amount):
        self.balance += amount
        self.count += 1

    def withdraw(self, amount):
        if amount <= self.balance:
            self.balance -= amount
            self.count += 1
            return True
        return False


def main():
    account = Account(100)
    refused = 0
    for i in range(600_000):
        account.deposit(i % 7)
        if not account.withdraw(i % 11):
            refused += 1
    return account.balance * 10_000_000 + account.count + refused


if __name__ == "__main__":
    import sys

    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        result = main()
    print(result)
