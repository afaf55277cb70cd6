// Runs the example client of the socket's reference under Node.js, led by lines on standard input and telling what happens by
// lines on standard output, each a JSON object.
import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const { packages, example, server, session, tokens, patience } = JSON.parse(process.argv[2]);
const { WebSocket } = createRequire(join(packages, "package.json"))("ws");

// What browsers have and not every version of Node.js.
globalThis.WebSocket = WebSocket;
globalThis.crypto ??= webcrypto;

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const follow = new Function(`${readFileSync(example, "utf8")}\nreturn follow`)();

const client = follow({
  server,
  session,
  patience,
  // The first token of the list until a newer one is asked for.
  token: async (fresh) => {
    if (fresh && tokens.length > 1) {
      tokens.shift();
      say({ renewed: true });
    }
    return tokens[0];
  },
  reload: async () => {
    const response = await fetch(`${server}/api/chat/sessions/${session}/messages?limit=100`, {
      headers: { Authorization: `Bearer ${tokens[0]}` },
      signal: AbortSignal.timeout(patience),
    });
    const { messages } = await response.json();
    const seq = Number(response.headers.get("X-Chat-Seq"));
    say({ reloaded: messages.map(({ content }) => content), seq });
    return seq;
  },
  show: ({ type, seq, data }) => say({ shown: type, seq, content: data.content }),
  online: (is) => say({ online: is }),
  over: (code) => say({ over: code }),
});

const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const { send, stop } = JSON.parse(line);
  for (const content of send ?? []) {
    client.send(content).then(
      ({ content }) => say({ sent: content }),
      ({ code, message }) => say({ refused: content, why: code ?? message }),
    );
  }
  if (stop) {
    client.stop();
    // Nothing else may hold the process: it ends when the client has let go of everything.
    input.close();
    process.stdin.destroy();
  }
});
