"""Has Schemathesis ask for what there is, so that more than refusals is reached.

Of requests that are meant to be right about half get the id of a device that there is, of a stream or a rollout
that an answer named before, the proof of an identity provider, or an access token. All else goes out as generated.
"""

import atexit
import json
import os
import random
import threading

import requests
import schemathesis

with open(os.environ["FUZZ_KNOWN"], encoding="utf-8") as file:
    KNOWN = json.load(file)
CLIENT = (os.environ["FUZZ_CLIENT"], os.environ["FUZZ_SECRET"])
CHANCE = random.Random(int(os.environ["FUZZ_SEED"]))

# Where an answer names what there is now, and which paths speak of it.
NAMES = {"stream_id": "/ssf/", "rollout_id": "/v1/rollouts", "override_id": "/v1/overrides"}
FOUND = {name: [] for name in NAMES}
LOCK = threading.Lock()
# Statuses of answers by operation: what was reached is told at the end.
SEEN = {}
KEPT = 20


@schemathesis.hook
def before_call(ctx, case, kwargs):
    path = case.operation.path
    if path.startswith("/vendors/"):
        prove(case, path)
    if CHANCE.random() < 0.5 or not is_meant_to_be_right(case):
        return
    if case.path_parameters and "id" in case.path_parameters:
        known = names_for(path)
        if known:
            case.path_parameters["id"] = CHANCE.choice(known)
    body = case.body if isinstance(case.body, dict) else {}
    if "stream_id" in body and FOUND["stream_id"]:
        body["stream_id"] = CHANCE.choice(FOUND["stream_id"])
    if case.query and "stream_id" in case.query and FOUND["stream_id"]:
        case.query["stream_id"] = CHANCE.choice(FOUND["stream_id"])
    if "token" in body and path.startswith("/oauth/"):
        # A token of its own: the client goes on by its secret, whatever becomes of the token.
        body["token"] = fresh_token(case, kwargs)
    if isinstance(body.get("document"), dict):
        # What is in force, with another reason: what is not parsed by chance.
        body["document"] = KNOWN["documents"].get(body.get("kind") or path.split("/")[2], {})
        body.pop("hash", None)
        body["accept_denials"] = 100
    if path == "/v1/overrides" and isinstance(body.get("target"), dict):
        body["target"] = {"kind": "device", "name": CHANCE.choice(KNOWN["devices"])}
        body.update(expires_at=KNOWN["soon"], action="allow")
        body.pop("hash", None)
        body.pop("kind", None)
    if path.startswith("/ssf/subjects/"):
        body["subject"] = {"format": "opaque", "id": CHANCE.choice(KNOWN["devices"])}
    if path.startswith("/openapi/"):
        name = "id" if "id" in case.path_parameters else "name"
        case.path_parameters[name] = {"id": "evaluate", "name": "Device"}[name]
    if path.startswith("/access/") and isinstance(body.get("subject"), dict):
        body["subject"].update(type="device", id=CHANCE.choice(KNOWN["devices"]))
    if path.startswith("/sign-in/authorize"):
        parameters = case.query if case.method.upper() == "GET" else body
        if parameters is not None:
            parameters.update(client_id="fuzzed", redirect_uri=KNOWN["okta_redirect"])


@schemathesis.hook
def after_call(ctx, case, response):
    with LOCK:
        statuses = SEEN.setdefault(case.operation.label, {})
        statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
    if not 200 <= response.status_code < 300:
        return
    try:
        answer = response.json()
    except ValueError:
        return
    if not isinstance(answer, dict):
        return
    with LOCK:
        for name, found in FOUND.items():
            value = answer.get(name)
            if isinstance(value, str) and value not in found:
                found.append(value)
                del found[:-KEPT]


@atexit.register
def tell_seen():
    with open(os.environ["FUZZ_SEEN"], "w", encoding="utf-8") as seen:
        json.dump(SEEN, seen)


def prove(case, path):
    """Nobody gets past these without a provider's proof; each evaluation of Cloudflare counts once."""
    vendors = KNOWN["vendors"]
    if case.headers is None or CHANCE.random() < 0.2:
        return
    if "/entra/" in path:
        case.headers["Authorization"] = "Bearer " + vendors["entra"]
        data = case.body.get("data") if isinstance(case.body, dict) else None
        if isinstance(data, dict) and "tenantId" in data:
            data["tenantId"] = vendors["tenant"]
    elif path.endswith("/posture"):
        case.headers["Cf-Access-Jwt-Assertion"] = vendors["cloudflare"]
    elif path.endswith("/evaluation") and isinstance(case.body, dict) and vendors["evaluations"]:
        case.body["token"] = vendors["evaluations"].pop()


def is_meant_to_be_right(case):
    mode = getattr(getattr(case.meta, "generation", None), "mode", None)
    return mode is None or mode.is_positive


def names_for(path):
    if path.startswith("/v1/devices"):
        return KNOWN["devices"]
    for name, prefix in NAMES.items():
        if path.startswith(prefix):
            return FOUND[name]
    return []


def fresh_token(case, kwargs):
    answer = requests.post(
        case.operation.base_url + "/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=CLIENT,
        timeout=30,
    )
    return answer.json()["access_token"]
