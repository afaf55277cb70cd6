/**
 * A `chat-server` for the tests of pages: in development mode, on a free port, with a temporary data directory.
 *
 * ```js
 * const server = await start();              // or start({ env: { CHAT_CORS_ORIGINS: site.url } })
 * server.url                                 // http://127.0.0.1:<port>
 * server.tokens.alice                        // a customer's; also bob, an agent's, and root, an admin's
 * server.mint("carol", { role: "agent" })    // a token for another person
 * await server.kill();                       // as a power cut would; the data stays
 * await server.restart();                    // on the same port and data
 * await server.stop();                       // ends it and removes the data
 * ```
 *
 * The process and its data are gone when the test's process is, also if that is killed.
 */

import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** How long a start, an end or a request may take, on a machine that is busy. */
const PATIENCE_MS = 60_000;

/** Tests do more from one address and as one person than people do. A test of the limits sets its own. */
const WITHOUT_LIMITS = {
  CHAT_RATE_MESSAGES: "off",
  CHAT_RATE_SESSIONS: "off",
  CHAT_RATE_TYPING: "off",
  CHAT_RATE_DOWNLOADS: "off",
  CHAT_RATE_SOCKETS: "off",
  CHAT_CONNECTIONS_PER_ADDRESS: "off",
};

/** The program under test: `CHAT_TEST_SERVER_BIN`, else the debug build of this workspace. */
export function binary() {
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  const target = process.env.CARGO_TARGET_DIR ?? path.join(root, "target");
  return process.env.CHAT_TEST_SERVER_BIN ?? path.join(target, "debug", "chat-server");
}

/**
 * Starts a server and waits until it is ready.
 *
 * @param {{ env?: Record<string, string>, binary?: string }} [options] `env` is added to the server's environment, which
 *   is otherwise empty.
 * @returns {Promise<TestServer>}
 */
export async function start(options = {}) {
  const home = await mkdtemp(path.join(tmpdir(), "chat-pages-"));
  const server = new TestServer(home, options.binary ?? binary(), options.env ?? {});
  try {
    await server.restart();
    await server.readTokens();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

/** A running server. */
export class TestServer {
  /** The lines of its log, of all its processes. @type {string[]} */
  log = [];
  /** The port, the same after a restart; 0 before the first start. */
  port = 0;
  /** Tokens for 24 hours of a customer, an agent and an admin. */
  tokens = { alice: "", bob: "", root: "" };

  #home;
  #binary;
  #env;
  #secret = "";
  /** @type {import("node:child_process").ChildProcess | null} */
  #child = null;
  /** @type {import("node:child_process").ChildProcess | null} */
  #watchdog = null;

  /**
   * @param {string} home
   * @param {string} program
   * @param {Record<string, string>} env
   */
  constructor(home, program, env) {
    this.#home = home;
    this.#binary = program;
    this.#env = env;
  }

  /** Its origin, without a slash at the end. */
  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Its data directory. */
  get dataDir() {
    return path.join(this.#home, "data");
  }

  /** The id of its process, `undefined` while it does not run. */
  get pid() {
    return this.#child?.pid;
  }

  /**
   * A token that the server accepts.
   *
   * @param {string} sub
   * @param {{ role?: "user" | "agent" | "admin", name?: string, picture?: string, lifetime?: number }} [claims]
   *   `lifetime` in seconds, an hour by default; a negative one has ended.
   */
  mint(sub, { role = "user", name, picture, lifetime = 3600 } = {}) {
    const now = Math.floor(Date.now() / 1000);
    const claims = { sub, role, name, picture, iat: now, exp: now + lifetime };
    const encode = (/** @type {unknown} */ value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
    return `${signed}.${createHmac("sha256", this.#secret).update(signed).digest("base64url")}`;
  }

  /**
   * Calls the API, as a page in another window would.
   *
   * @param {string} token
   * @param {string} method
   * @param {string} address such as `/api/chat/sessions`
   * @param {unknown} [body] sent as JSON
   * @returns {Promise<any>} the JSON of the response, `null` for one without content
   */
  async call(token, method, address, body) {
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const response = await fetch(this.url + address, {
      method,
      headers,
      signal: AbortSignal.timeout(PATIENCE_MS),
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${address}: ${response.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  /** Starts the process again on its data and, after the first time, on its port. */
  async restart() {
    if (this.#child) throw new Error("the server runs already");
    const seen = this.log.length;
    const child = spawn(this.#binary, [], {
      cwd: this.#home,
      env: {
        CHAT_DATA_DIR: this.dataDir,
        CHAT_ADMIN_LISTEN: "127.0.0.1:0",
        ...WITHOUT_LIMITS,
        ...this.#env,
        CHAT_LISTEN: `127.0.0.1:${this.port}`,
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    this.#watchdog = watch(child.pid, this.#home);
    const lines = createInterface({ input: /** @type {import("node:stream").Readable} */ (child.stderr) });
    // The last line of a start. With a secret of the test's own there is no file of tokens.
    const last = this.#env.CHAT_JWT_SECRET === undefined ? "development.file" : "address";
    await new Promise((resolve, reject) => {
      /** @param {string} what @param {Error} [cause] */
      const fail = (what, cause) => {
        clearTimeout(tooLate);
        reject(new Error(`${what}:\n${this.log.slice(seen).join("\n")}`, { cause }));
      };
      const tooLate = setTimeout(() => fail("the server is not ready in time"), PATIENCE_MS);
      child.once("error", (error) => fail(error.message, error));
      // One that ends later has been ready, so this changes nothing then.
      child.once("close", (code, signal) => fail(`the server ended with ${code ?? signal}`));
      lines.on("line", (line) => {
        this.log.push(line);
        const fields = fieldsOf(line);
        if (fields.address !== undefined) this.port = Number(new URL(`http://${fields.address}`).port);
        if (fields[last] !== undefined) {
          clearTimeout(tooLate);
          resolve(undefined);
        }
      });
    });
  }

  /** Ends the process at once. The data and the port are kept. */
  async kill() {
    await this.signal("SIGKILL");
  }

  /** Asks the process to end as an operator does, and waits for it: sockets are closed with 1001. */
  async terminate() {
    await this.signal("SIGTERM");
  }

  /** Stops the process without ending it: connections stay and nothing is served. */
  freeze() {
    this.#child?.kill("SIGSTOP");
  }

  /** Lets a frozen process go on. */
  thaw() {
    this.#child?.kill("SIGCONT");
  }

  /** Sends a signal that ends the process, and waits for the end. @param {NodeJS.Signals} name */
  async signal(name) {
    const child = this.#child;
    if (!child) return;
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      const ended = once(child, "exit", { signal: AbortSignal.timeout(PATIENCE_MS) });
      child.kill(name);
      await ended;
    }
    this.#child = null;
    this.#watchdog?.stdin?.end("done\n");
    this.#watchdog = null;
  }

  /** Ends the process and removes its data. */
  async stop() {
    await this.kill();
    await rm(this.#home, { recursive: true, force: true });
  }

  /** Takes the secret and the tokens of development mode from the data directory; `start` does it. */
  async readTokens() {
    const given = this.#env.CHAT_JWT_SECRET;
    this.#secret = given ?? (await readFile(path.join(this.dataDir, "development-secret"), "utf8")).trim();
    const day = { lifetime: 24 * 3600 };
    this.tokens = {
      alice: this.mint("alice", { role: "user", ...day }),
      bob: this.mint("bob", { role: "agent", ...day }),
      root: this.mint("root", { role: "admin", ...day }),
    };
  }
}

/**
 * The fields of a line of the log.
 *
 * @param {string} line
 * @returns {Record<string, unknown>}
 */
function fieldsOf(line) {
  try {
    return JSON.parse(line);
  } catch {
    // What is written before there is a log, such as a wrong option.
    return {};
  }
}

/**
 * Kills the server and removes its data when this process is gone without having done so: its end of the pipe closes.
 *
 * @param {number | undefined} pid
 * @param {string} home
 */
function watch(pid, home) {
  const script = 'read -r line && exit; kill -9 "$1"; rm -rf "$2"';
  const watchdog = spawn("sh", ["-c", script, "watchdog", String(pid), home], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watchdog.unref();
  return watchdog;
}
