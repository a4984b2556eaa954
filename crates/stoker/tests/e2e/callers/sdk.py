"""Makes calls with the vendor's Python SDK.

Each line of standard input asks for one: {"product", "endpoint", "secret_id", "secret_key", "token",
"clock_shift", "method", "signature", "authority", "proxy", "language", "action", "parameters"}, all as
the SDK has them but `method`, which is also MULTIPART, `authority`: the file of the certificates to
trust, if TLS is to be spoken, and `language`, of which null is the SDK's own and "" that none is sent. Each line of standard output is what it gave: the reply, {"Error": {"Code",
"Message"}}, or {"Fault": text} when it was no answer of a server.
"""

import json
import sys
import traceback
from importlib import import_module

from shifted_time import ShiftedTime
from tencentcloud.common import abstract_client, credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

PACKAGES = {"cdn": "tencentcloud.cdn.v20180606", "teo": "tencentcloud.teo.v20220901"}


def client_for(spec):
    product, method = spec["product"], spec["method"]
    module = import_module(f"{PACKAGES[product]}.{product}_client")
    method = "POST" if method == "MULTIPART" else method
    authority = spec["authority"]
    http = HttpProfile(
        protocol="https" if authority else "http",
        endpoint=spec["endpoint"],
        reqMethod=method,
        certification=authority,
        proxy=spec["proxy"],
    )
    keys = credential.Credential(spec["secret_id"], spec["secret_key"], spec["token"])
    profile = ClientProfile(signMethod=spec["signature"], httpProfile=http)
    if spec["language"] is not None:
        profile.language = spec["language"]
    return getattr(module, product.capitalize() + "Client")(keys, "", profile)


def call(spec):
    abstract_client.time = ShiftedTime(spec["clock_shift"])
    client, action, parameters = client_for(spec), spec["action"], spec["parameters"]
    if spec["method"] == "MULTIPART":
        return client.call_json(action, parameters, options={"IsMultipart": True})["Response"]
    models = import_module(PACKAGES[spec["product"]] + ".models")
    request = getattr(models, action + "Request", None)
    if request is None or any("_" + name not in vars(request()) for name in parameters):
        # an action or a parameter that the typed requests do not have
        return client.call_json(action, parameters)["Response"]
    request = request()
    request.from_json_string(json.dumps(parameters))
    return json.loads(getattr(client, action)(request).to_json_string())


for line in sys.stdin:
    try:
        reply = call(json.loads(line))
    except TencentCloudSDKException as error:
        reply = {"Error": {"Code": error.code, "Message": error.message}}
    except Exception:
        reply = {"Fault": traceback.format_exc()}
    print(json.dumps(reply), flush=True)
