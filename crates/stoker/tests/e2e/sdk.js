// Makes the calls that standard input asks for with the vendor's Node SDK; prints what it gave.
// Input and output are those of sdk.py.
"use strict";

const fs = require("fs");

const VERSIONS = { cdn: "v20180606", teo: "v20220901" };

async function call(client, action, parameters) {
  try {
    return await client[action](parameters);
  } catch (error) {
    if (!error.code) throw error; // not an answer of the server
    return { Error: { Code: error.code, Message: error.message } };
  }
}

async function main() {
  const spec = JSON.parse(fs.readFileSync(0, "utf8"));
  if (spec.clock_shift) {
    const getTime = Date.prototype.getTime;
    Date.prototype.getTime = function () {
      return getTime.call(this) + spec.clock_shift * 1000;
    };
  }
  const services = require(`tencentcloud-sdk-nodejs-${spec.product}`)[spec.product];
  const client = new services[VERSIONS[spec.product]].Client({
    credential: { secretId: spec.secret_id, secretKey: spec.secret_key },
    region: "",
    profile: {
      signMethod: spec.signature,
      httpProfile: { endpoint: spec.endpoint, protocol: "http://", reqMethod: spec.method },
    },
  });
  const replies = [];
  for (const [action, parameters] of spec.calls) {
    replies.push(await call(client, action, parameters));
  }
  process.stdout.write(JSON.stringify(replies));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
