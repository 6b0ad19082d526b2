# requires: pyaes==1.6.1
"""AES in pure Python, in two modes."""

from zlib import crc32

import pyaes

KEY = bytes(range(32))
TEXT = bytes((i * 31 + 7) % 256 for i in range(16 * 400))


def main():
    counter = pyaes.AESModeOfOperationCTR(KEY).encrypt(TEXT)
    chained = pyaes.AESModeOfOperationCBC(KEY, iv=bytes(16))
    blocks = [chained.encrypt(TEXT[at : at + 16]) for at in range(0, len(TEXT), 16)]
    back = pyaes.AESModeOfOperationCTR(KEY).decrypt(counter)
    return crc32(counter), crc32(b"".join(blocks)), back == TEXT


if __name__ == "__main__":
    print(main())
