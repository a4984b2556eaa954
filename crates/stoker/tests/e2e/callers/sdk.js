// Makes calls with the vendor's Node SDK. Input and output are those of sdk.py, without MULTIPART
// and TLS.
"use strict";

const { answer } = require("./lines");
const products = require("tencentcloud-sdk-nodejs");

const VERSIONS = { cdn: "v20180606", teo: "v20220901" };

let clockShift = 0;
const getTime = Date.prototype.getTime;
Date.prototype.getTime = function () {
  return getTime.call(this) + clockShift * 1000;
};

async function call(spec) {
  clockShift = spec.clock_shift;
  const client = new products[spec.product][VERSIONS[spec.product]].Client({
    credential: {
      secretId: spec.secret_id,
      secretKey: spec.secret_key,
      token: spec.token || undefined,
    },
    region: "",
    profile: {
      signMethod: spec.signature,
      httpProfile: { endpoint: spec.endpoint, protocol: "http://", reqMethod: spec.method },
    },
  });
  const { action, parameters } = spec;
  // an action that the typed client does not have is asked for by name
  return client[action] ? client[action](parameters) : client.request(action, parameters);
}

answer(call, (error) =>
  error.code
    ? { Error: { Code: error.code, Message: error.message } }
    : { Fault: String(error.stack) },
);
