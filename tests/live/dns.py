"""A name server for the test's world: MX, A, AAAA, PTR and a block list, over UDP.

It answers from the tables of ``hosts`` and knows nothing else: no TCP, no EDNS, no compression.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import threading

from . import hosts

TYPES = {1: "A", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA"}
NUMBERS = {name: number for number, name in TYPES.items()}
SERVER_FAILURE, NAME_ERROR = 2, 3


def start() -> None:
    """Answer on 127.0.0.1:53 until the process ends."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    threading.Thread(target=_serve, args=(server, _zone()), daemon=True).start()


Zone = dict[str, dict[str, list[bytes]]]


def _serve(server: socket.socket, zone: Zone) -> None:
    while True:
        query, client = server.recvfrom(4096)
        server.sendto(_answer(query, zone), client)


def _answer(query: bytes, zone: Zone) -> bytes:
    name, end = _read_name(query, 12)
    (kind,) = struct.unpack_from(">H", query, end)
    records = zone.get(name)
    values = (records or {}).get(TYPES.get(kind, ""), [])
    flags = 0x8580 | (NAME_ERROR if records is None else 0)
    if name == hosts.SPEECHLESS:
        flags = 0x8580 | SERVER_FAILURE
    header = query[:2] + struct.pack(">HHHHH", flags, 1, len(values), 0, 0)
    question = query[12 : end + 4]
    # 0xC00C points to the name in the question; class IN, 60 seconds to live
    answers = [struct.pack(">HHHIH", 0xC00C, kind, 1, 60, len(v)) + v for v in values]
    return header + question + b"".join(answers)


def _read_name(packet: bytes, start: int) -> tuple[str, int]:
    labels = []
    while length := packet[start]:
        labels.append(packet[start + 1 : start + 1 + length].decode("latin-1").lower())
        start += 1 + length
    return ".".join(labels), start + 1


def _name(text: str) -> bytes:
    labels = [label for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def _zone() -> Zone:
    zone: Zone = {}

    def add(name: str, kind: str, value: bytes) -> None:
        zone.setdefault(name, {}).setdefault(kind, []).append(value)

    for name, addresses in hosts.ADDRESSES.items():
        for text in addresses:
            address = ipaddress.ip_address(text)
            add(name, "A" if address.version == 4 else "AAAA", address.packed)
            add(address.reverse_pointer, "PTR", _name(name))
    for domain, exchangers in hosts.EXCHANGERS.items():
        for preference, host in exchangers:
            add(domain, "MX", struct.pack(">H", preference) + _name(host))
    for text, name in hosts.MISNAMED.items():
        add(ipaddress.ip_address(text).reverse_pointer, "PTR", _name(name))
    for text, why in hosts.BLOCKED.items():
        name = ".".join([*reversed(text.split(".")), hosts.BLOCK_LIST])
        add(name, "A", ipaddress.ip_address("127.0.0.2").packed)
        add(name, "TXT", bytes([len(why)]) + why.encode())
    return zone
