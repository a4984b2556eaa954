"""Sends every field of every request model of the vendor's SDK, and prints what became of it.

Reads from standard input an endpoint, keys, and calls: product, action, and values for the fields
whose content matters. All other fields are filled by the types that the SDK's models state, down to
the last. Prints for each call the parameters as sent, the fields of the model, and the reply.
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


def filled(models, name, depth=0):
    """A value for each field of the model `name`."""
    model = getattr(models, name)
    value = {}
    for field in vars(model()):
        field = field.lstrip("_")
        # read from the source: of deprecated fields the text is not the docstring
        stated = inspect.getsource(getattr(model, field).fget)
        found = re.search(r":rtype: (list of )?(?::class:`[\w.]*\.(\w+)`|(\w+))", stated)
        if not found:
            raise SystemExit(f"{name}.{field} has no type")
        is_list, of_class, of_word = found.groups()
        kind = of_class or of_word
        if kind in SCALARS:
            item = SCALARS[kind]
        elif depth > 6:
            continue
        else:
            item = filled(models, kind, depth + 1)
        value[field] = [item] if is_list else item
    return value


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
        parameters.update(chosen)
        # a field that is set to null is one that the test leaves out on purpose
        parameters = {name: value for name, value in parameters.items() if value is not None}
        profile = ClientProfile(httpProfile=http, language="en-US")
        try:
            reply = client(keys, "", profile).call_json(action, parameters)["Response"]
        except TencentCloudSDKException as error:
            reply = {"Error": {"Code": error.code, "Message": error.message}}
        results.append({"sent": parameters, "fields": fields, "reply": reply})
    json.dump(results, sys.stdout)


main()
