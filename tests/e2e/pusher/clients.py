"""Clients that others wrote in Python, against the server: PyPI's pusher calls the HTTP API, and Pysher connects as a client. Each part prints that it
has seen what it should.

usage: PYTHONPATH=… python3 clients.py '{"servers": ["127.0.0.1:8080", …], "id": "1", "key": "key", "secret": "secret", "webhooks": "http://…"}'
"""

import json
import os
import queue
import sys
import urllib.request

import pusher
import pusher.errors
import pusher.http
import pysher

PATIENCE = 60
site = json.loads(sys.argv[1])
first, last = site["servers"][0], site["servers"][-1]


def api(server, **more):
    host, port = server.split(":")
    options = {"app_id": site["id"], "key": site["key"], "secret": site["secret"], "host": host, "port": int(port), "ssl": False}
    key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
    return pusher.Pusher(**{**options, "timeout": PATIENCE, "encryption_master_key_base64": key, **more})


backend = api(first)


class Seen:
    """What is emitted, in order."""

    def __init__(self, emitter, *events):
        self.all = queue.Queue()
        for event in events:
            emitter.bind(event, lambda data, event: self.all.put((event, data)), event)

    def next(self, event):
        """The next one, which must be this event."""
        found, data = self.all.get(timeout=PATIENCE)
        assert found == event, (found, data, event)
        return json.loads(data) if isinstance(data, str) and data[:1] in '{["' else data

    def nothing(self):
        assert self.all.empty(), self.all.get()


def client(server, user=None, key=None):
    host, port = server.split(":")
    found = pysher.Pusher(
        key or site["key"], secret=site["secret"], secure=False, custom_host=host, port=int(port), log_level=None,
        user_data={"user_id": user, "user_info": {"name": f"name of {user}"}} if user else None,
    )
    found.seen = Seen(found.connection, "pusher:connection_established", "pusher:error")
    return found


def connected(server, user=None):
    found = client(server, user)
    found.jobs = queue.Queue()
    found.connection.bind("pusher:pong", lambda _: None if found.jobs.empty() else found.jobs.get()())
    found.connect()
    established = found.seen.next("pusher:connection_established")
    assert found.connection.socket_id == established["socket_id"]
    return found


def subscribing(found, name, *events, **auth):
    """Subscribes in the thread of the connection, as a program that does it when it has connected: another one may be too late for what comes."""
    seen = queue.Queue()
    found.jobs.put(lambda: seen.put(Seen(found.subscribe(name, **auth), *events)))
    found.connection.send_event("pusher:ping", "")
    return seen.get(timeout=PATIENCE)


def subscribed(found, name, *events, **auth):
    seen = subscribing(found, name, "pusher_internal:subscription_succeeded", *events, **auth)
    return found.channel(name), seen, seen.next("pusher_internal:subscription_succeeded")


def channels():
    ann, bob = connected(first, "ann"), connected(last, "bob")
    for name in [f"python-{os.getpid()}", f"private-python-{os.getpid()}"]:
        (_, to_ann, _), (_, to_bob, _) = subscribed(ann, name, "event"), subscribed(bob, name, "event")
        backend.trigger(name, "event", {"to": "all", "é": "😀"})
        for seen in [to_ann, to_bob]:
            assert seen.next("event") == {"to": "all", "é": "😀"}
        api(last).trigger([name], "event", "bob", socket_id=ann.connection.socket_id)
        assert to_bob.next("event") == "bob"
        backend.trigger_batch([{"channel": name, "name": "event", "data": {"n": n}} for n in (1, 2)])
        for seen in [to_ann, to_bob]:
            assert [seen.next("event") for _ in range(2)] == [{"n": 1}, {"n": 2}]
        info = backend.channel_info(name, ["subscription_count"])
        assert info == {"occupied": True, "subscription_count": 2}, info
        ann.unsubscribe(name)
        while backend.channel_info(name, ["subscription_count"])["subscription_count"] != 1:
            pass
        backend.trigger(name, "event", "to bob")
        assert to_bob.next("event") == "to bob"
        to_ann.nothing()
    ann.disconnect(0)
    bob.disconnect(0)


def client_events():
    ann, bob = connected(first, "ann"), connected(last, "bob")
    name = f"private-whisper-{os.getpid()}"
    (channel, to_ann, _), (_, to_bob, _) = subscribed(ann, name, "client-typing"), subscribed(bob, name, "client-typing")
    channel.trigger("client-typing", {"who": "ann"})
    assert to_bob.next("client-typing") == {"who": "ann"}
    to_ann.nothing()
    ann.connection.send_event("client-typing", {}, channel_name="python")
    refused = ann.seen.next("pusher:error")
    assert refused["code"] is None, refused
    ann.disconnect(0)
    bob.disconnect(0)


def presence():
    ann, bob, tab = connected(first, "ann"), connected(last, "bob"), connected(first, "bob")
    name = f"presence-python-{os.getpid()}"
    _, seen, told = subscribed(ann, name, "pusher_internal:member_added", "pusher_internal:member_removed", "client-hello")
    assert told["presence"] == {"count": 1, "ids": ["ann"], "hash": {"ann": {"name": "name of ann"}}}, told
    channel, _, told = subscribed(bob, name)
    assert (told["presence"]["count"], sorted(told["presence"]["ids"])) == (2, ["ann", "bob"]), told
    assert seen.next("pusher_internal:member_added") == {"user_id": "bob", "user_info": {"name": "name of bob"}}
    assert subscribed(tab, name)[2]["presence"]["count"] == 2
    channel.trigger("client-hello", {})
    assert seen.next("client-hello") == {}
    assert sorted(user["id"] for user in backend.users_info(name)["users"]) == ["ann", "bob"]
    assert backend.channels_info("presence-python", ["user_count"])["channels"][name] == {"user_count": 2}
    assert backend.channels_info("private-")["channels"] == {}
    bob.disconnect(0)
    tab.unsubscribe(name)
    assert seen.next("pusher_internal:member_removed")["user_id"] == "bob"
    ann.disconnect(0)
    tab.disconnect(0)


def cached():
    name = f"private-encrypted-cache-{os.getpid()}"
    backend.trigger(name, "event", {"n": 1})
    ann = connected(last, "ann")
    auth = backend.authenticate(name, ann.connection.socket_id)
    _, seen, _ = subscribed(ann, name, "event", auth=auth["auth"])
    assert sorted(seen.next("event")) == ["ciphertext", "nonce"]
    ann.disconnect(0)


def users():
    ann, user = connected(last), f"user-{os.getpid()}"
    seen = Seen(ann.connection, "pusher:signin_success", "pusher_internal:watchlist_events")
    data = backend.authenticate_user(ann.connection.socket_id, {"id": user, "watchlist": ["nobody"]})
    ann.connection.send_event("pusher:signin", data)
    assert seen.next("pusher:signin_success")["user_data"] == data["user_data"]
    assert seen.next("pusher_internal:watchlist_events")["events"] == [{"name": "offline", "user_ids": ["nobody"]}]
    _, told, _ = subscribed(ann, f"#server-to-user-{user}", "event")
    backend.send_to_user(user, "event", {"n": 1})
    assert told.next("event") == {"n": 1}
    # The library's own terminate_user_connections calls a path without the application.
    calls = backend._pusher_client
    path = f"/apps/{site['id']}/users/{user}/terminate_connections"
    calls.http.send_request(pusher.http.Request(calls, pusher.http.POST, path, {}))
    assert ann.seen.next("pusher:error")["code"] == 4009


def refused():
    nobody = client(first, key="nobody")
    nobody.connect()
    assert nobody.seen.next("pusher:error")["code"] == 4001
    ann = connected(first)
    ann.secret = "wrong"
    seen = subscribing(ann, "private-wrong", "pusher:subscription_error", "pusher_internal:subscription_succeeded")
    assert seen.next("pusher:subscription_error")["status"] == 401
    ann.disconnect(0)
    for wrong, error in [
        (lambda: api(first, secret="wrong").trigger("news", "event", {}), pusher.errors.PusherBadAuth),
        (lambda: api(first, app_id="9").trigger("news", "event", {}), pusher.errors.PusherBadStatus),
        (lambda: backend.trigger("news", "pusher:event", {}), pusher.errors.PusherBadRequest),
        (lambda: backend.trigger("news", "event", "x" * 10_241), pusher.errors.PusherBadStatus),
    ]:
        try:
            wrong()
        except error:
            continue
        raise AssertionError(f"{error} was expected")


def webhooks():
    ann, name = connected(first, "ann"), f"presence-hooked-{os.getpid()}"
    subscribed(ann, name)
    wanted = {("channel_occupied", name), ("member_added", name)}
    while wanted:
        with urllib.request.urlopen(site["webhooks"] + "/next", timeout=PATIENCE) as answer:
            hook = json.load(answer)
        key, signature, body = hook["key"], hook["signature"], hook["body"]
        assert backend.validate_webhook(key, signature, body.replace(name, "another")) is None or name not in body
        assert backend.validate_webhook(key, "0" * 64, body) is None
        told = backend.validate_webhook(key, signature, body)
        wanted -= {(event["name"], event.get("channel")) for event in told["events"]}
    ann.disconnect(0)


for part in [channels, client_events, presence, cached, users, refused, webhooks]:
    part()
    print(f"Python: {part.__name__}", flush=True)
