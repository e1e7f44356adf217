"""Pickles made opcode by opcode, hostile and honest, each with what the door must make of it. Used by corpus.

The shapes are those by which published attacks got past picklescan, fickling, modelscan and pickletools itself.
"""

import bz2
import collections
import io
import lzma
import pickle
import struct
import zipfile
import zlib

STOP = b"."


def text(word: str) -> bytes:
    """SHORT_BINUNICODE."""
    raw = word.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


def framed(body: bytes, protocol: int = 4) -> bytes:
    return bytes([0x80, protocol]) + body + STOP


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as writer:
        for name, body in files.items():
            writer.writestr(zipfile.ZipInfo(name), body, method)
    return buffer.getvalue()


def with_descriptors(files: dict[str, bytes]) -> bytes:
    """A zip as PyTorch writes it: sizes stand behind each member, in a descriptor."""
    made, directory = b"", b""
    for name, body in files.items():
        raw, crc, offset = name.encode(), zlib.crc32(body), len(made)
        made += b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", 0, 0x808, 0, 0, 0, 0, 0, 0, len(raw), 0) + raw + body
        made += b"PK\x07\x08" + struct.pack("<III", crc, len(body), len(body))
        directory += b"PK\x01\x02" + struct.pack(
            "<HHHHHHIIIHHHHHII", 0, 0, 0x808, 0, 0, 0, crc, len(body), len(body), len(raw), 0, 0, 0, 0, 0, offset
        ) + raw  # fmt: skip
    end = struct.pack("<HHHHIIH", 0, 0, len(files), len(files), len(directory), len(made), 0)
    return made + directory + b"PK\x05\x06" + end


def stored(size: int) -> bytes:
    """A pickle that refers to a storage of so many bytes, as torch.save does."""
    made = b"\x80\x02(" + b"X\x07\0\0\0storage" + b"ctorch\nByteStorage\n" + b"X\x01\0\0\x000" + b"X\x03\0\0\0cpu"
    return made + b"\x8a\x08" + struct.pack("<q", size) + b"tQ."


def array_wrapper(dtype_state: bytes = b"", raw: bytes = bytes(16), dtype: str = "f8") -> bytes:
    """joblib's wrapper of an array of two float64, and the array's bytes between the opcodes."""
    made = b"\x80\x04" + text("joblib.numpy_pickle") + text("NumpyArrayWrapper") + b"\x93)\x81}("
    made += text("shape") + b"K\x02\x85" + text("dtype") + text("numpy") + text("dtype") + b"\x93"
    made += text(dtype) + b"\x89\x88\x87R" + dtype_state + b"ub" + raw
    return made


SYSTEM = b"cos\nsystem\n(S'id'\ntR"
SYSTEM_4 = text("os") + text("system") + b"\x93" + text("id") + b"\x85R"
ORDERED = b"ccollections\nOrderedDict\n)R"
NAMED = (collections.OrderedDict(a=1), collections.Counter("b"), collections.deque())
TORCH_MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
DATA = b"\x80\x02" + ORDERED + STOP
FLAGS_OF_OBJECTS = b"(K\x03" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb"
PLAIN_STATE = b"(K\x03" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
LARGER_ITEMS = b"(K\x03" + text("<") + b"NNNK\x63J\xff\xff\xff\xffK\x00tb"

IMPORTS: dict[str, bytes] = {
    "protocol 0": SYSTEM + STOP,
    "protocol 1": b"cos\nsystem\n(U\x02idtR" + STOP,
    **{f"protocol {number}": framed(SYSTEM, number) for number in (2, 3)},
    **{f"protocol {number}": framed(SYSTEM_4, number) for number in (4, 5)},
    "framed": b"\x80\x04\x95" + struct.pack("<Q", len(SYSTEM_4) + 1) + SYSTEM_4 + STOP,
    "inst": b"(S'id'\nios\nsystem\n" + STOP,
    "obj": b"(cos\nsystem\nS'id'\no" + STOP,
    "eval": framed(text("builtins") + text("eval") + b"\x93" + text("1") + b"\x85R"),
    "exec of python 2": b"c__builtin__\nexec\n(S'1'\ntR" + STOP,
    "getattr": framed(text("builtins") + text("getattr") + b"\x93" + SYSTEM_4 + b"0"),
    "import": framed(text("builtins") + text("__import__") + b"\x93" + text("os") + b"\x85R"),
    "posix": b"cposix\nsystem\n(S'id'\ntR" + STOP,
    "subprocess": framed(text("subprocess") + text("Popen") + b"\x93" + text("id") + b"\x85\x81"),
    "attribute of an allowed module": framed(text("torch") + text("serialization.os.system") + b"\x93"),
    "dotted name": framed(text("collections") + text("OrderedDict.__init__.__globals__") + b"\x93"),
    "a module as a name": framed(text("sklearn.utils.fixes") + text("os") + b"\x93"),
    "function of an allowed module": framed(text("sklearn.datasets") + text("fetch_openml") + b"\x93"),
    "numpy's own exec": framed(text("numpy.testing._private.utils") + text("runstring") + b"\x93"),
    "operator": framed(text("operator") + text("methodcaller") + b"\x93"),
    "functools": framed(text("functools") + text("partial") + b"\x93"),
    "pip": framed(text("pip._internal") + text("main") + b"\x93"),
    "pickle in a pickle": framed(text("_pickle") + text("loads") + b"\x93C\x03N..\x85R"),
    "torch.load": framed(text("torch") + text("load") + b"\x93"),
    "joblib.load": framed(text("joblib") + text("load") + b"\x93"),
    "torch's own exec": framed(text("torch._dynamo.guards") + text("GuardBuilder.get") + b"\x93"),
    "names from the memo": framed(text("os") + b"\x940" + text("system") + b"\x940N0h\x00h\x01\x93"),
    "names memoized far apart": framed(text("system") + b"r\xff\x00\x00\x000" + text("os") + b"j\xff\x00\x00\x00\x93"),
    "names overwritten in the memo": framed(
        text("collections") + b"q\x000" + text("os") + b"q\x000" + text("system") + b"q\x010h\x00h\x01\x93"
    ),
    "names duplicated": framed(text("os") + b"2" + text("system") + b"\x93"),
    "names as protocol 0 text": b"Vos\nVsys\\u0074em\n\x93" + STOP,
    "names as quoted text": b"S'\\x6fs'\nS'system'\n\x93" + STOP,
    "put by text index": b"Vos\np99\n0Vsystem\np98\n0g99\ng98\n\x93" + STOP,
    "a space in the name": b"cos \nsystem\n" + STOP,
    "then broken": b"\x80\x04" + SYSTEM_4 + b"\xff\xff",
    "then cut": b"\x80\x04" + SYSTEM_4,
    "then an underflow": b"\x80\x04" + SYSTEM_4 + b"000000.",
    "after a good pickle": framed(b"N") + framed(SYSTEM_4),
    "in torch's zip": zipped({"archive/data.pkl": framed(SYSTEM, 2), "archive/version": b"3\n"}),
    "in a deflated zip": zipped({"a/data.pkl": framed(SYSTEM, 2) + bytes(100)}, zipfile.ZIP_DEFLATED),
    "in a zip with descriptors": with_descriptors({"a/data.pkl": framed(SYSTEM, 2), "a/data/0": bytes(64)}),
    "in the second pickle of a zip": zipped({"a/data.pkl": DATA, "b/data.pkl": framed(SYSTEM, 2)}),
    "in a storage called pkl": zipped({"a/data.pkl": DATA, "a/data/0.pkl": framed(SYSTEM, 2)}),
    "in torch's older format": TORCH_MAGIC + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + framed(SYSTEM, 2),
    "in zlib": zlib.compress(framed(SYSTEM_4)),
    "in gzip": zlib.compress(framed(SYSTEM_4), wbits=31),
    "in bzip2": bz2.compress(framed(SYSTEM_4)),
    "in xz": lzma.compress(framed(SYSTEM_4), preset=0),
    "behind an array": array_wrapper() + SYSTEM_4 + STOP,
    "in an array of objects": array_wrapper(FLAGS_OF_OBJECTS, framed(SYSTEM_4), "O8") + STOP,
}  # fmt: skip

NOT_FOLLOWED: dict[str, bytes] = {
    "empty but for a header": b"\x80\x04",
    "no stop": b"\x80\x04N",
    "no opcode": b"\x80\x04\xfe.",
    "text": b"hello",
    "a name made up": framed(b"Nh\x00\x93"),
    "a name from a call": framed(ORDERED + text("system") + b"\x93"),
    "a name too long to keep": framed(text("o" * 200) + text("system") + b"\x93"),
    "extension code": framed(b"\x82\x01"),
    "extension code of four bytes": framed(b"\x84\x01\x00\x00\x00"),
    "two ways to number the memo": framed(text("os") + b"r\x00\x00\x01\x000" + text("x") + b"\x94"),
    "no mark": framed(b"Nt"),
    "a dict that is called": framed(b"})R"),
    "an object that is called": framed(ORDERED + b")R"),
    "an object that is called from the memo": framed(ORDERED + b"r\xff\xff\xff\x000j\xff\xff\xff\x00)R"),
    "an object as a class": framed(ORDERED + b")\x81"),
    "an object as a class, by obj": framed(b"(" + ORDERED + b"o"),
    "a memo index with a separator": b"Np\x1c0\n.",
    "a length past the end": framed(b"X\xff\xff\xff\x7fabc"),
    "a length of exabytes": framed(b"\x8d" + b"\xff" * 8),
    "bytes in front": b"\x00\x00" + framed(b"N"),
    "bytes behind": framed(b"N") + b"\xfe\xfe",
    "a stack too high": framed(b"N" * 70_000),
    "lz4": b"\x04\x22\x4d\x18" + bytes(40),
    "zlib cut": zlib.compress(framed(b"N"))[:-3],
    "zlib with more behind": zlib.compress(framed(b"N")) + framed(SYSTEM_4),
    "an array whose flags say objects": array_wrapper(FLAGS_OF_OBJECTS) + STOP,
    "an array whose state says other items": array_wrapper(LARGER_ITEMS) + STOP,
    "an array cut": array_wrapper(raw=bytes(3)),
    "an array of unknown items": array_wrapper(dtype="zz") + STOP,
    "a zip cut": zipped({"a/data.pkl": DATA})[:-8],
    "a zip with bytes in front": b"\x00" + zipped({"a/data.pkl": DATA}),
    "a zip with bytes behind": zipped({"a/data.pkl": DATA}) + b"\x00",
    "a zip whose directory says another name": zipped({"a/data.pkl": DATA, "a/x": b"1"}).replace(
        b"a/xPK\x05", b"b/xPK\x05"
    ),
    "a zip with an unlisted member": zipped({"a/x": b"1"})[:34] + zipped({"a/data.pkl": DATA}),
    "a zip with an encrypted flag": zipped({"a/data.pkl": DATA}).replace(
        b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01"
    ),
    "a zip full of what looks like its end": with_descriptors({"a/data.pkl": DATA, "a/data/0": b"PK\x07\x08" * 10_001}),
    "a storage said to be longer, over a hidden member": with_descriptors(
        {"a/data.pkl": stored(200), "a/data/0": bytes(40), "a/x": framed(SYSTEM_4), "a/y": bytes(400)}
    ),
    "a storage said to have no end": with_descriptors({"a/data.pkl": stored(1 << 40), "a/data/0": bytes(40)}),
    "a zip with a pickle by another name": zipped({"a/data.pkl": DATA, "a/x": framed(SYSTEM_4)}),
    "a zip without a directory": zipped({"a/data.pkl": DATA}).partition(b"PK\x01\x02")[0],
}  # fmt: skip

HONEST: dict[str, bytes] = {
    **{f"a dict by protocol {number}": pickle.dumps({"a": [1, 2.5, None, True, b"x", ("y",)]}, number)
       for number in range(6)},
    "torch's zip": zipped({"archive/data.pkl": DATA, "archive/data/0": framed(SYSTEM_4), "archive/version": b"3\n"}),
    "torch's zip with descriptors": with_descriptors(
        {"a/data.pkl": DATA, "a/data/0": b"PK\x07\x08" + bytes(60) + b"PK\x03\x04", "a/version": b"3\n"}
    ),
    "torch's zip with a storage of known size": with_descriptors(
        {"a/data.pkl": stored(64), "a/data/0": b"PK\x07\x08" + bytes(60), "a/version": b"3\n"}
    ),
    "torch's zip with a storage said to be shorter": with_descriptors({"a/data.pkl": stored(9), "a/data/0": bytes(64)}),
    "torch's older format": TORCH_MAGIC + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + DATA + pickle.dumps(["0"], 2)
    + bytes(range(256)),
    "zlib": zlib.compress(framed(b"N")),
    "xz": lzma.compress(framed(b"N"), preset=0),
    "an array": array_wrapper() + STOP,
    "an array that looks like an attack": array_wrapper(PLAIN_STATE, b"cos\nsystem\n(S'id") + STOP,
    "an array of objects": array_wrapper(FLAGS_OF_OBJECTS, framed(b"N"), "O8") + STOP,
    "an estimator": framed(text("sklearn.linear_model._logistic") + text("LogisticRegression") + b"\x93)\x81}b"),
    "torch's zip, deflated far": zipped({"a/data.pkl": DATA, "a/data/0": bytes(5 << 20)}, zipfile.ZIP_DEFLATED),
    "names after a long memo": pickle.dumps([{f"w{i}": i for i in range(70_000)}, *NAMED, *NAMED], 4),
    "a long memo": framed(b"".join(b"N\x940" for _ in range(70_000)) + b"N"),
}  # fmt: skip
