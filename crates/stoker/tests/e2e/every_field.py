"""Sends every field of every request model of the vendor's SDK, and prints what became of it.

Reads from standard input an endpoint, keys, and calls: product, action, and values for the fields
whose content matters. All other fields are filled by the types that the SDK's models state, down to
the last. Prints for each call the parameters as sent, the fields of the model, and the reply; and,
of the calls that were made before it with one field in the wrong type, how many there were and
which were not refused as an invalid parameter.
"""

import importlib
import inspect
import json
import re
import sys

from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

PRODUCTS = {"cdn": ("v20180606", "cdn_client", "CdnClient"), "teo": ("v20220901", "teo_client", "TeoClient")}
SCALARS = {"str": "x", "int": 1, "float": 1.5, "bool": True}
# What stands in these fields acts or is one of a few words.
WORDS = {
    "Switch": "off", "FullUrlCache": "on", "IgnoreCase": "off", "FollowOrigin": "off",
    "IgnoreCacheControl": "off", "IgnoreSetCookie": "off", "CompareMaxAge": "off", "Action": "includeAll",
    "RuleType": "all", "CacheType": "all", "HeaderMode": "set", "OriginType": "ip", "BackupOriginType": "ip",
    "OriginPullProtocol": "http", "PrivateAccess": "off",
}


def stated(models, name):
    """Each field of the model `name`, whether it is a list, and the kind of it or of its elements."""
    model = getattr(models, name)
    for field in vars(model()):
        field = field.lstrip("_")
        # read from the source: of deprecated fields the text is not the docstring
        source = inspect.getsource(getattr(model, field).fget)
        found = re.search(r":rtype: (list of )?(?::class:`[\w.]*\.(\w+)`|(\w+))", source)
        if not found:
            raise SystemExit(f"{name}.{field} has no type")
        is_list, of_class, of_word = found.groups()
        yield field, bool(is_list), of_class or of_word


def filled(models, name, depth=0):
    """A value for each field of the model `name`."""
    value = {}
    for field, is_list, kind in stated(models, name):
        if kind in SCALARS:
            item = WORDS.get(field, SCALARS[kind]) if kind == "str" else SCALARS[kind]
        elif depth > 6:
            continue
        else:
            item = filled(models, kind, depth + 1)
        value[field] = [item] if is_list else item
    return value


def merged(value, chosen):
    """`value` with what is chosen in its place; a field that is chosen as null is left out."""
    if not isinstance(value, dict) or not isinstance(chosen, dict):
        return chosen
    both = {**value, **{field: merged(value.get(field), of_it) for field, of_it in chosen.items()}}
    return {field: of_it for field, of_it in both.items() if of_it is not None}


def broken(models, name, value, seen):
    """Where one field is of the wrong type, and the whole value with that; each model once."""
    if name in seen:
        return
    seen.add(name)
    for field, is_list, kind in stated(models, name):
        wrongs = [("", 5 if is_list or kind == "str" else "wrong")]
        if is_list:
            wrongs.append((".0", [5 if kind == "str" else "wrong"]))
        if kind not in SCALARS:
            item = value.get(field)
            item = item[0] if is_list and item else item
            item = item or filled(models, kind)
            for path, inner in broken(models, kind, item, seen):
                wrongs.append((f".{path}", [inner] if is_list else inner))
        for path, wrong in wrongs:
            yield field + path, {**value, field: wrong}


def main():
    spec = json.load(sys.stdin)
    keys = credential.Credential(spec["secret_id"], spec["secret_key"])
    http = HttpProfile(protocol="http", endpoint=spec["endpoint"])
    results = []
    for product, action, chosen in spec["calls"]:
        version, module, client = PRODUCTS[product]
        package = f"tencentcloud.{product}.{version}"
        models = importlib.import_module(f"{package}.models")
        client = getattr(importlib.import_module(f"{package}.{module}"), client)
        parameters = filled(models, f"{action}Request")
        fields = sorted(parameters)
        parameters = merged(parameters, chosen)
        client = client(keys, "", ClientProfile(httpProfile=http, language="en-US"))

        def call(parameters):
            try:
                return client.call_json(action, parameters)["Response"]
            except TencentCloudSDKException as error:
                return {"Error": {"Code": error.code, "Message": error.message}}

        wrong = list(broken(models, f"{action}Request", parameters, set()))
        replies = [(path, call(value)) for path, value in wrong]
        taken = [
            (path, reply) for path, reply in replies
            if reply.get("Error", {}).get("Code") != "InvalidParameter"
        ]
        results.append({"sent": parameters, "fields": fields, "wrong": len(wrong), "taken": taken,
                        "reply": call(parameters)})
    json.dump(results, sys.stdout)


main()
