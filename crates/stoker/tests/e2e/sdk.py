"""Makes the calls that standard input asks for with the vendor's Python SDK; prints what it gave.

Input: {"product", "endpoint", "secret_id", "secret_key", "clock_shift", "method",
"signature", "calls": [[action, parameters]]}. Output: a list with one reply or {"Error": {"Code",
"Message"}} for each call.
"""

import json
import sys
import time
from importlib import import_module

from tencentcloud.common import abstract_client, credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

PACKAGES = {"cdn": "tencentcloud.cdn.v20180606", "teo": "tencentcloud.teo.v20220901"}


class ShiftedTime:
    """The time module with another clock."""

    def __init__(self, shift):
        self.shift = shift

    def time(self):
        return time.time() + self.shift

    def __getattr__(self, name):
        return getattr(time, name)


def call(client, models, action, parameters):
    known = set(vars(getattr(models, action + "Request")()))
    try:
        if all("_" + name in known for name in parameters):
            request = getattr(models, action + "Request")()
            request.from_json_string(json.dumps(parameters))
            return json.loads(getattr(client, action)(request).to_json_string())
        # a parameter that the typed request does not have
        return client.call_json(action, parameters)["Response"]
    except TencentCloudSDKException as error:
        return {"Error": {"Code": error.code, "Message": error.message}}


def main():
    spec = json.load(sys.stdin)
    if spec["clock_shift"]:
        abstract_client.time = ShiftedTime(spec["clock_shift"])
    product = spec["product"]
    models = import_module(PACKAGES[product] + ".models")
    clients = import_module(f"{PACKAGES[product]}.{product}_client")
    http = HttpProfile(protocol="http", endpoint=spec["endpoint"], reqMethod=spec["method"])
    keys = credential.Credential(spec["secret_id"], spec["secret_key"])
    profile = ClientProfile(signMethod=spec["signature"], httpProfile=http)
    client = getattr(clients, product.capitalize() + "Client")(keys, "", profile)
    replies = [call(client, models, action, parameters) for action, parameters in spec["calls"]]
    json.dump(replies, sys.stdout)


main()
