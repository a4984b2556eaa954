// Answers each line of standard input with a line of standard output: what `call` gave for it, or what
// `failure` makes of its error.
"use strict";

const readline = require("readline");

exports.answer = async (call, failure = (error) => ({ Fault: String(error.stack) })) => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let reply;
    try {
      reply = await call(JSON.parse(line));
    } catch (error) {
      reply = failure(error);
    }
    process.stdout.write(JSON.stringify(reply) + "\n");
  }
};
