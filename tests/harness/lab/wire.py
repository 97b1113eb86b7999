"""Protocol buffers by hand: just as much as a provider needs to speak Terraform's plugin protocol 6.

A message is bytes; fields are told by their numbers, which are the protocol's. Values travel as MessagePack.
"""

import json

import msgpack


class Unknown:
    """A value that is known after the apply."""

    def __repr__(self):
        return "UNKNOWN"


UNKNOWN = Unknown()


def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while True:
        low, number = number & 0x7F, number >> 7
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def field(number, value):
    """One field: a number or truth as a varint, a text or message with its length. None is no field."""
    if value is None:
        return b""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(**fields):
    """A message of fields `_1`, `_2`, …; a list is a repeated field."""
    out = b""
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            out += field(int(name[1:]), one)
    return out


def mapped(number, entries):
    """A field of type `map<string, message>`."""
    return b"".join(field(number, message(_1=key, _2=value)) for key, value in entries.items())


class Fields:
    """A message that was received."""

    def __init__(self, data):
        self.found, at = {}, 0

        def number():
            nonlocal at
            result = shift = 0
            while True:
                byte = data[at]
                at += 1
                result |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    return result

        while at < len(data):
            tag = number()
            if tag & 7 == 0:
                value = number()
            elif tag & 7 == 2:
                length = number()
                value, at = data[at : at + length], at + length
            else:
                raise ValueError(f"a field of wire type {tag & 7}")
            self.found.setdefault(tag >> 3, []).append(value)

    def has(self, number):
        return number in self.found

    def bytes(self, number):
        return self.found.get(number, [b""])[-1]

    def text(self, number):
        return self.bytes(number).decode()

    def inner(self, number):
        return Fields(self.bytes(number))

    def all(self, number):
        return self.found.get(number, [])


def dynamic(value):
    """A `DynamicValue`."""

    def unknown(value):
        if value is UNKNOWN:
            return msgpack.ExtType(0, b"\x00")
        raise TypeError(value)

    return message(_1=msgpack.packb(value, default=unknown))


def value_of(data):
    """What is in a `DynamicValue`."""
    fields = Fields(data)
    if fields.bytes(1):
        return msgpack.unpackb(fields.bytes(1), ext_hook=lambda _code, _data: UNKNOWN, strict_map_key=False)
    return json.loads(fields.bytes(2)) if fields.bytes(2) else None


def problem(summary, detail=""):
    """A `Diagnostic` of severity ERROR."""
    return message(_1=1, _2=summary, _3=detail)


def attribute(name, kind="string", **marks):
    """A `Schema.Attribute`."""
    numbers = {"required": 4, "optional": 5, "computed": 6, "sensitive": 7, "write_only": 11}
    out = message(_1=name, _2=json.dumps(kind))
    return out + b"".join(field(numbers[mark], True) for mark in marks)


def schema(*attributes):
    """A `Schema` of one block without blocks in it."""
    return message(_1=0, _2=message(_1=0, _2=list(attributes)))
