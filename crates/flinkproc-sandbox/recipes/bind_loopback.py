"""Makes the servers that Flink opens for its Python workers listen on loopback only.

Apache Beam, inside flink-python, tells its workers to connect to the loopback address, but binds every address of the
machine (ServerFactory.InetSocketAddressServerFactory: NettyServerBuilder.forPort). No setting changes that. This edits the
one call in that one class, from forPort(socket.getPort()) to forAddress(socket), and writes the jar anew.

Usage: bind_loopback.py FLINK_PYTHON_JAR; does nothing to a jar that was done before.
"""

import os
import struct
import sys
import zipfile

CLASS = "org/apache/beam/sdk/fn/server/ServerFactory$InetSocketAddressServerFactory.class"
SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}


def read_pool(data):
    """Answers the constant pool as {index: (tag, bytes)}, its count and where it ends."""
    count = struct.unpack_from(">H", data, 8)[0]
    pool, at, index = {}, 10, 1
    while index < count:
        tag = data[at]
        size = 2 + struct.unpack_from(">H", data, at + 1)[0] if tag == 1 else SIZES[tag]
        pool[index] = (tag, data[at + 1 : at + 1 + size])
        at += 1 + size
        index += 2 if tag in (5, 6) else 1
    return pool, count, at


def utf8(pool, index):
    return pool[index][1][2:].decode()


def find_method(pool, name):
    """The index of the method reference with this name, its NameAndType and its descriptor."""
    for index, (tag, body) in pool.items():
        if tag == 10:
            name_and_type = struct.unpack(">HH", body)[1]
            name_index, type_index = struct.unpack(">HH", pool[name_and_type][1])
            if utf8(pool, name_index) == name:
                yield index, name_and_type, utf8(pool, type_index)


def edit(data):
    pool, count, end = read_pool(data)
    if any(True for _ in find_method(pool, "forAddress")):
        return data
    ((for_port, name_and_type, descriptor),) = find_method(pool, "forPort")
    edited = bytearray(data)
    new = b""
    for text in ("forAddress", descriptor.replace("(I)", "(Ljava/net/SocketAddress;)")):
        new += struct.pack(">BH", 1, len(text)) + text.encode()
    # The NameAndType of the call gets a name and a descriptor of its own, put at the pool's end: the old ones are shared.
    at = 10
    for index in sorted(pool):
        if index == name_and_type:
            struct.pack_into(">HH", edited, at + 1, count, count + 1)
        at += 1 + len(pool[index][1])
    # aload_1, invokevirtual getPort, invokestatic forPort -> aload_1, nop, nop, nop, invokestatic forAddress
    calls = []
    for get_port, _, _ in find_method(pool, "getPort"):
        old = struct.pack(">BBHBH", 0x2B, 0xB6, get_port, 0xB8, for_port)
        calls += [(old, edited.count(old, end))]
    ((old, _),) = [call for call in calls if call[1] == 1]
    where = edited.index(old, end)
    edited[where : where + 7] = struct.pack(">BBBBBH", 0x2B, 0, 0, 0, 0xB8, for_port)
    struct.pack_into(">H", edited, 8, count + 2)
    edited[end:end] = new
    return bytes(edited)


def main(path):
    part = path + ".part"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for entry in old.infolist():
            data = old.read(entry)
            new.writestr(entry, edit(data) if entry.filename == CLASS else data)
    os.replace(part, path)


if __name__ == "__main__":
    main(sys.argv[1])
