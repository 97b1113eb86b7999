"""The lab: a Terraform provider for tests that does what it is told by files.

    python serve.py DIRECTORY

It prints the port that it listens on and ends with its standard input. In DIRECTORY are:

    items/TYPE.ID.json   what exists; who edits or removes such a file makes drift
    readings/NAME        what the data source `lab_reading` finds under this name
    hold-NAME            as long as this file is there, a change of the item NAME, or the call with the
                         message NAME, is at work
    fail-NAME            as long as this file is there, the same fails
    log.jsonl            what was done, in order
"""

import json
import os
import sys
import threading
import time
from concurrent import futures

import grpc

from wire import UNKNOWN, Fields, attribute, dynamic, mapped, message, problem, schema, value_of

DIRECTORY = sys.argv[1]
TEXTS = ["map", "string"]
# In the order of their names, as Terraform has them.
ATTRIBUTES = {
    "lab_item": ["id", "kind", "labels", "name", "password", "revision", "token_wo", "token_wo_version", "value"],
    "lab_plain": ["id", "name", "value"],
}
RESOURCES = {
    "lab_item": schema(
        attribute("id", computed=True),
        attribute("kind", optional=True),
        attribute("labels", TEXTS, optional=True),
        attribute("name", required=True),
        attribute("password", optional=True, sensitive=True),
        attribute("revision", "number", computed=True),
        attribute("token_wo", optional=True, write_only=True),
        attribute("token_wo_version", "number", optional=True),
        attribute("value", optional=True),
    ),
    "lab_plain": schema(
        attribute("id", computed=True), attribute("name", required=True), attribute("value", optional=True)
    ),
}
READING = schema(attribute("content", computed=True), attribute("name", required=True))
TOKEN = schema(attribute("input", optional=True), attribute("value", computed=True))
CALL = schema(
    attribute("labels", TEXTS, optional=True),
    attribute("message", required=True),
    attribute("secret", optional=True, sensitive=True),
)
SETTINGS = schema(
    attribute("endpoint", optional=True),
    attribute("region", optional=True),
    attribute("token", optional=True, sensitive=True),
)
IDENTITY = message(
    _1=0,
    _2=[message(_1="id", _2='"string"', _3=True), message(_1="region", _2='"string"', _4=True)],
)
SHOUT = message(_1=message(_1="text", _2='"string"'), _3=message(_1='"string"'))

lock = threading.Lock()
# What the provider was configured with last: one process serves all configurations of a run.
configured = {}


def path(*names):
    return os.path.join(DIRECTORY, *names)


def log(did, **more):
    with lock, open(path("log.jsonl"), "a", encoding="utf-8") as file:
        file.write(json.dumps({"did": did, **more}, default=repr) + "\n")


def load(kind, key):
    try:
        with open(path("items", f"{kind}.{key}.json"), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def store(kind, item):
    with open(path("items", f"{kind}.{item['id']}.json"), "w", encoding="utf-8") as file:
        json.dump(item, file)


def trouble(name):
    """Waits as long as it has to, and is the reason to fail, if there is one."""
    while os.path.exists(path(f"hold-{name}")):
        time.sleep(0.05)
    return [problem("it cannot be done", f"{name} fails")] if os.path.exists(path(f"fail-{name}")) else []


def identity(kind, item):
    """`ResourceIdentityData`, of what has one."""
    key = item and item.get("id")
    if kind != "lab_item" or key is None or key is UNKNOWN:
        return None
    return message(_1=dynamic({"id": key, "region": "eu"}))


def get_schema(_request):
    return (
        message(_1=SETTINGS)
        + mapped(2, RESOURCES)
        + mapped(3, {"lab_reading": READING})
        + message(_6=message(_3=True))
        + mapped(7, {"shout": SHOUT})
        + mapped(8, {"lab_token": TOKEN})
        + mapped(11, {"lab_call": message(_1=CALL)})
    )


def upgrade_state(request):
    old = json.loads(request.inner(3).bytes(1))
    return message(_1=dynamic({name: old.get(name) for name in ATTRIBUTES[request.text(1)]}))


def upgrade_identity(request):
    return message(_1=message(_1=dynamic(json.loads(request.inner(3).bytes(1)))))


def read(request):
    kind, known = request.text(1), value_of(request.bytes(2))
    item = load(kind, known["id"])
    return message(_1=dynamic(item), _5=identity(kind, item))


def plan(request):
    kind, before, after = request.text(1), value_of(request.bytes(2)), value_of(request.bytes(3))
    if after is None:
        return message(_1=dynamic(None))
    forcing, is_item = [], kind == "lab_item"
    is_new = before is None
    if is_item:
        after["token_wo"] = None
        if before is not None and before["kind"] != after["kind"]:
            forcing, is_new = [message(_1=message(_1="kind"))], True
    if is_new:
        after["id"] = UNKNOWN
    if is_item:
        same = not is_new and all(before[name] == after[name] for name in ATTRIBUTES[kind] if name != "revision")
        after["revision"] = before["revision"] if same else UNKNOWN
    return message(_1=dynamic(after), _2=forcing, _7=identity(kind, before))


def configure(request):
    configured.update(value_of(request.bytes(2)) or {})
    return b""


def apply(request):
    kind, before, after = request.text(1), value_of(request.bytes(2)), value_of(request.bytes(3))
    given = value_of(request.bytes(4)) or {}
    did = "delete" if after is None else "create" if before is None else "update"
    name = (before if after is None else after)["name"]
    log("begin", type=kind, name=name)
    wrong = trouble(name)
    if wrong:
        return message(_1=dynamic(before), _3=wrong)
    if after is None:
        os.remove(path("items", f"{kind}.{before['id']}.json"))
    else:
        if after["id"] is UNKNOWN:
            after["id"] = f"{name}-{time.time_ns():x}"
        if after.get("revision") is UNKNOWN:
            after["revision"] = 1 + ((before or {}).get("revision") or 0)
        store(kind, after)
    log(did, type=kind, name=name, item=after, token=given.get("token_wo"), provider=configured)
    return message(_1=dynamic(after), _5=identity(kind, after))


def import_state(request):
    kind, key = request.text(1), request.text(2)
    if request.has(4):
        key = value_of(request.inner(4).bytes(1))["id"]
    item = load(kind, key)
    if item is None:
        return message(_2=problem("there is no such item", key))
    return message(_1=message(_1=kind, _2=dynamic(item), _4=identity(kind, item)))


def move(request):
    kind, old = request.text(5), json.loads(request.inner(4).bytes(1))
    if (request.text(2), kind) != ("lab_plain", "lab_item"):
        return message(_2=problem("it cannot be moved"))
    item = {name: old.get(name) for name in ATTRIBUTES[kind]}
    store(kind, item)
    return message(_1=dynamic(item), _4=identity(kind, item))


def read_data(request):
    name = value_of(request.bytes(2))["name"]
    try:
        with open(path("readings", name), encoding="utf-8") as file:
            content = file.read()
    except FileNotFoundError:
        content = "nothing"
    return message(_1=dynamic({"name": name, "content": content}))


def open_token(request):
    given = value_of(request.bytes(2))["input"]
    log("open", input=given)
    return message(_3=dynamic({"input": given, "value": f"token-of-{given}"}))


def close_token(_request):
    log("close")
    return b""


def functions(_request):
    return mapped(1, {"shout": SHOUT})


def call_function(request):
    return message(_1=dynamic(value_of(request.all(2)[0]).upper()))


def invoke(request):
    given = value_of(request.bytes(2))
    name = given["message"]
    log("begin", message=name)
    yield message(_1=message(_1=f"{name} begins with {given['secret']}"))
    yield message(_1=message(_1=f"{name} is nearly there"))
    # Terraform 1.15 crashes when it hears of progress after an interrupt, so nothing is said from here on.
    wrong = trouble(name)
    log("failed" if wrong else "invoked", config=given)
    yield message(_2=message(_1=wrong))


def stop(_request):
    log("stop")
    return b""


def nothing(_request):
    return b""


METHODS = {
    "ApplyResourceChange": apply,
    "CallFunction": call_function,
    "CloseEphemeralResource": close_token,
    "ConfigureProvider": configure,
    "GetFunctions": functions,
    "GetProviderSchema": get_schema,
    "GetResourceIdentitySchemas": lambda _request: mapped(1, {"lab_item": IDENTITY}),
    "ImportResourceState": import_state,
    "InvokeAction": invoke,
    "MoveResourceState": move,
    "OpenEphemeralResource": open_token,
    "PlanAction": nothing,
    "PlanResourceChange": plan,
    "ReadDataSource": read_data,
    "ReadResource": read,
    "RenewEphemeralResource": nothing,
    "StopProvider": stop,
    "UpgradeResourceIdentity": upgrade_identity,
    "UpgradeResourceState": upgrade_state,
    "ValidateActionConfig": nothing,
    "ValidateDataResourceConfig": nothing,
    "ValidateEphemeralResourceConfig": nothing,
    "ValidateProviderConfig": nothing,
    "ValidateResourceConfig": nothing,
}


class Lab(grpc.GenericRpcHandler):
    def service(self, details):
        _, service, name = details.method.split("/")
        method = METHODS.get(name) if service == "tfplugin6.Provider" else None
        if method is None:
            return None
        if name == "InvokeAction":
            return grpc.unary_stream_rpc_method_handler(lambda request, _context: method(Fields(request)))
        return grpc.unary_unary_rpc_method_handler(lambda request, _context: method(Fields(request)))


def main():
    for name in ["items", "readings"]:
        os.makedirs(path(name), exist_ok=True)
    endless = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(16), handlers=[Lab()], options=endless)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    # Whoever started it holds the other end.
    sys.stdin.read()
    os._exit(0)


main()
