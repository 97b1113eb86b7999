#!/usr/bin/env python3
"""Stands in for GitHub's CLI in the release workflow: a bare Git repository for Git's objects, and a
file for the releases. It knows what the workflow asks for and fails at anything else.

GH_FAILS=N makes the Nth writing call fail before it does anything; GH_LOSES=N lets it do its work and
fail after that, as when the answer is lost on the way."""

import json
import os
import subprocess
import sys
import tempfile

home = os.environ["GH_STANDIN"]
releases_file = os.path.join(home, "releases.json")
calls_file = os.path.join(home, "calls.txt")


def git(*words, text=None, **variables):
    command = ["git", "--git-dir", os.path.join(home, "origin.git"), *words]
    author = {"GIT_AUTHOR_NAME": "octocat", "GIT_AUTHOR_EMAIL": "octocat@github.com"}
    committer = {"GIT_COMMITTER_NAME": "octocat", "GIT_COMMITTER_EMAIL": "octocat@github.com"}
    environment = {**os.environ, **author, **committer, **variables}
    return subprocess.run(command, input=text, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def refuse(text):
    sys.exit(f"gh: {text}")


def load():
    return json.load(open(releases_file)) if os.path.exists(releases_file) else {}


def store(releases):
    json.dump(releases, open(releases_file, "w"))


def writing(what):
    """Counts and notes a writing call. Whatever the first of the two numbers says happens here."""
    number = sum(1 for line in open(calls_file)) + 1 if os.path.exists(calls_file) else 1
    with open(calls_file, "a") as calls:
        calls.write(what + "\n")
    if os.environ.get("GH_FAILS") == str(number):
        refuse("HTTP 502")
    return os.environ.get("GH_LOSES") == str(number)


def options(words, flags, values):
    """The positional words, and the options by name; a value's option may come several times."""
    rest, found = [], {}
    words = iter(words)
    for word in words:
        name, separator, value = word.partition("=")
        if word in values:
            found.setdefault(word, []).append(next(words))
        elif word in flags or (separator and name in flags):
            found[name] = value or True
        elif word.startswith("-"):
            refuse(f"the stand-in does not know {word}")
        else:
            rest.append(word)
    return rest, found


def fields(found):
    """The body of a request, of keys such as `tree[][path]`."""
    body = {}
    for option in ("--raw-field", "--field"):
        for pair in found.get(option, []):
            key, value = pair.split("=", 1)
            if option == "--field":
                assert value.startswith("@"), "a field that is not raw guesses at types"
                value = open(value[1:]).read()
            name, *inner = key.replace("]", "").split("[")
            if not inner:
                body[name] = value
            elif inner == [""]:
                body.setdefault(name, []).append(value)
            else:
                assert inner[0] == "" and len(inner) == 2, key
                entries = body.setdefault(name, [{}])
                if inner[1] in entries[-1]:
                    entries.append({})
                entries[-1][inner[1]] = value
    return body


def new_tree(body):
    with tempfile.TemporaryDirectory() as place:
        index = {"GIT_INDEX_FILE": os.path.join(place, "index")}
        git("read-tree", body["base_tree"], **index)
        for entry in body["tree"]:
            assert entry["type"] == "blob", entry
            blob = git("hash-object", "-w", "--stdin", text=entry["content"])
            git("update-index", "--add", "--cacheinfo", f"{entry['mode']},{blob},{entry['path']}", **index)
        return {"sha": git("write-tree", **index)}


def new_commit(body):
    parents = [word for parent in body["parents"] for word in ("-p", parent)]
    return {"sha": git("commit-tree", body["tree"], *parents, "-m", body["message"])}


def refs(start):
    lines = git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    pairs = [line.split(" ") for line in lines]
    return [{"ref": ref, "object": {"sha": sha}} for ref, sha in pairs if ref.startswith(start)]


def api(words):
    (path,), found = options(words, ["--silent"], ["--method", "--jq", "--raw-field", "--field"])
    method = found.get("--method", ["GET"])[0]
    prefix = "repos/acme/stategate/"
    assert path.startswith(prefix), path
    path = path[len(prefix):]
    loses = method != "GET" and writing(f"{method} {path}")
    if (method, path) == ("POST", "git/trees"):
        answer = new_tree(fields(found))
    elif (method, path) == ("POST", "git/commits"):
        answer = new_commit(fields(found))
    elif (method, path) == ("POST", "git/refs"):
        body = fields(found)
        if any(ref["ref"] == body["ref"] for ref in refs(body["ref"])):
            refuse("Reference already exists (HTTP 422)")
        git("update-ref", body["ref"], body["sha"])
        answer = body
    elif method == "DELETE" and path.startswith("git/refs/"):
        git("update-ref", "-d", path[len("git/"):])
        answer = None
    elif method == "GET" and path.startswith("git/matching-refs/"):
        if os.environ.get("GH_OFFLINE"):
            refuse("error connecting to api.github.com")
        answer = refs("refs/" + path[len("git/matching-refs/"):])
    elif method == "GET" and path.startswith("releases/tags/"):
        release = load().get(path[len("releases/tags/"):])
        if release is None or release["draft"]:
            refuse("Not Found (HTTP 404)")
        answer = release
    else:
        refuse(f"the stand-in does not know {method} {path}")
    if loses:
        refuse("the answer is lost")
    if "--silent" in found:
        return
    formats = {
        ".sha": lambda: [answer["sha"]],
        ".immutable": lambda: [json.dumps(answer["immutable"])],
        ".[].ref": lambda: [ref["ref"] for ref in answer],
        '.[] | "\\(.ref) \\(.object.sha)"': lambda: [f"{ref['ref']} {ref['object']['sha']}" for ref in answer],
    }
    print(*formats[found["--jq"][0]](), sep="\n")


def release(words):
    verb, tag, *words = words
    releases = load()
    found = releases.get(tag)
    if verb == "view":
        _, asked = options(words, [], ["--json", "--jq"])
        if found is None:
            refuse("release not found")
        print(json.dumps(found["draft"]) if asked else tag)
        return
    loses = writing(f"{verb} {tag}")
    if verb == "create":
        files, given = options(words, ["--draft"], ["--title", "--notes-file"])
        assert "--draft" in given and found is None, "only drafts are made, and each once"
        names = {os.path.basename(file): open(file, "rb").read().hex() for file in files}
        notes = open(given["--notes-file"][0]).read()
        releases[tag] = {"draft": True, "immutable": False, "notes": notes, "assets": names}
    elif verb == "edit":
        _, given = options(words, ["--draft", "--latest", "--verify-tag"], [])
        assert given["--draft"] == "false"
        if "--verify-tag" in given and not refs(f"refs/tags/{tag}"):
            refuse(f"tag {tag} doesn't exist")
        found.update(draft=False, immutable=not os.environ.get("GH_MUTABLE"))
    elif verb == "delete":
        options(words, ["--yes"], [])
        assert found["draft"], "a release that people may use is never deleted"
        del releases[tag]
    else:
        refuse(f"the stand-in does not know release {verb}")
    store(releases)
    if loses:
        refuse("the answer is lost")


assert os.environ.get("GH_TOKEN"), "gh asks for a token"
{"api": api, "release": release}[sys.argv[1]](sys.argv[2:])
