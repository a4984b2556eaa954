// Makes calls of API v2 with the vendor's qcloudapi-sdk for Node, over plain HTTP. Input and output
// are those of v2.py.
"use strict";

const { answer } = require("./lines");
const QcloudApi = require("qcloudapi-sdk");

const METHODS = { HmacSHA1: "sha1", HmacSHA256: "sha256" };

function call(spec) {
  const api = new QcloudApi({
    protocol: "http",
    host: spec.endpoint,
    SecretId: spec.secret_id,
    SecretKey: spec.secret_key,
    method: spec.method,
    signatureMethod: METHODS[spec.signature],
  });
  return new Promise((resolve, reject) => {
    api.request({ Action: spec.action, ...spec.parameters }, (error, body) => {
      if (error) reject(error);
      else resolve(body);
    });
  });
}

answer(call);
