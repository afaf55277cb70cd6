/**
 * A TCP proxy in front of a server, for the tests of dead and bad networks. The offline mode of a browser may leave sockets
 * open; this one does to connections what networks do.
 *
 * ```js
 * const proxy = await startProxy(server.port);
 * proxy.url                                   // what the page connects to
 * proxy.stall(); proxy.flow();                // a black hole, and its end
 * proxy.cut();                                // connections are reset; new ones work
 * proxy.refuse(); proxy.flow();               // new connections are reset too
 * const dropped = proxy.dropAnswer({ method: "POST", path: /\/messages$/ });
 * await dropped;                              // the server has done it, the client never hears of it
 * await proxy.close();
 * ```
 */

import { once } from "node:events";
import { connect, createServer } from "node:net";

/**
 * @typedef {{ method?: string, path?: RegExp, how?: "cut" | "hang" }} Drop
 *   Which request's answer is dropped: its method (`POST`) and its path with the query, and whether the connection is reset
 *   or stays open without an answer.
 * @typedef {{ drop: Drop, resolve: (line: string) => void }} Dropping
 */

/**
 * Starts a proxy on a free port.
 *
 * @param {number} target the port of the server on this machine; may be changed later
 */
export async function startProxy(target) {
  const proxy = new Proxy(target);
  await proxy.listen();
  return proxy;
}

/** A proxy that forwards, until it is asked for something else. */
export class Proxy {
  /** The port of the server. */
  target;
  /** The port that clients connect to. */
  port = 0;
  /** The number of connections that clients have made. */
  accepted = 0;

  /** @type {Set<Link>} */
  #links = new Set();
  /** @type {"flow" | "stall" | "refuse"} */
  #mode = "flow";
  /** Resolves when pieces that wait may go on. @type {Promise<void>} */
  #flowing = Promise.resolve();
  /** @type {() => void} */
  #letFlow = () => {};
  /** @type {Dropping[]} */
  #drops = [];
  #server;

  /** @param {number} target */
  constructor(target) {
    this.target = target;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** Its origin, without a slash at the end. */
  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The number of connections that are open. */
  get open() {
    return this.#links.size;
  }

  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = /** @type {import("node:net").AddressInfo} */ (this.#server.address()).port;
  }

  /** Forwards nothing more, in both directions. Connections stay open, and new ones open and stay silent. */
  stall() {
    if (this.#mode !== "stall") this.#flowing = new Promise((resolve) => (this.#letFlow = resolve));
    this.#mode = "stall";
    for (const link of this.#links) link.pause();
  }

  /** Forwards again, what has come in between first. */
  flow() {
    this.#mode = "flow";
    this.#letFlow();
    for (const link of this.#links) link.resume();
  }

  /** Resets all connections. */
  cut() {
    for (const link of this.#links) link.destroy();
  }

  /** Resets all connections, and new ones until `flow`. */
  refuse() {
    this.cut();
    this.flow();
    this.#mode = "refuse";
  }

  /**
   * Lets the next such request reach the server, and drops its answer.
   *
   * @param {Drop} [drop]
   * @returns {Promise<string>} resolves with the request line, once there was an answer to drop
   */
  dropAnswer(drop = {}) {
    return new Promise((resolve) => this.#drops.push({ drop, resolve }));
  }

  /** Ends it, with all its connections. */
  async close() {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  /** @param {import("node:net").Socket} client */
  #accept(client) {
    this.accepted += 1;
    if (this.#mode === "refuse") {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port: this.target, host: "127.0.0.1", allowHalfOpen: true });
    const link = new Link(client, server, {
      flowing: () => this.#flowing,
      take: (line) => this.#take(line),
    });
    this.#links.add(link);
    link.whenGone(() => {
      this.#links.delete(link);
      this.#drops.unshift(...link.undropped());
    });
    if (this.#mode === "stall") link.pause();
  }

  /** The drop for a request, which is then no longer waited for. @param {string} line */
  #take(line) {
    const [method, path = ""] = line.split(" ");
    const at = this.#drops.findIndex(({ drop }) => method === (drop.method ?? "POST") && (drop.path ?? /^/).test(path));
    return at < 0 ? undefined : this.#drops.splice(at, 1)[0];
  }
}

/** The start of a request line, however much of it has come. */
const REQUEST_LINE = /^([A-Z]+ \S+) HTTP\/1\.1\r\n/;
/** A request line that is longer is not looked for. */
const LONGEST_LINE = 16_384;

/** A client's connection with the one to the server. */
class Link {
  #client;
  #server;
  #proxy;
  /** What has come of a request line; `null` inside a request, until the server answers. @type {string | null} */
  #head = "";
  /** @type {Dropping | undefined} */
  #drop;
  #line = "";
  #swallows = false;
  /** What waits while it is stalled, in order, for each direction. */
  #up = Promise.resolve();
  #down = Promise.resolve();

  /**
   * @param {import("node:net").Socket} client
   * @param {import("node:net").Socket} server
   * @param {{ take: (line: string) => Dropping | undefined, flowing: () => Promise<void> }} proxy
   */
  constructor(client, server, proxy) {
    this.#client = client;
    this.#server = server;
    this.#proxy = proxy;
    client.setNoDelay(true);
    server.setNoDelay(true);
    client.on("data", (piece) => {
      this.#look(piece);
      this.#up = this.#later(this.#up, server, piece);
    });
    server.on("data", (piece) => {
      if (this.#answered()) this.#down = this.#later(this.#down, client, piece);
    });
    client.on("end", () => (this.#up = this.#later(this.#up, server, null)));
    server.on("end", () => {
      if (!this.#swallows) this.#down = this.#later(this.#down, client, null);
    });
    for (const socket of [client, server]) {
      // A reset on one side is a reset on the other.
      socket.on("error", () => this.destroy());
      socket.on("close", () => this.#closed());
    }
  }

  /** @param {() => void} listener */
  whenGone(listener) {
    this.#client.once("close", listener);
  }

  pause() {
    this.#client.pause();
    this.#server.pause();
  }

  resume() {
    this.#client.resume();
    this.#server.resume();
  }

  /** The drop whose answer never came. */
  undropped() {
    return this.#drop ? [this.#drop] : [];
  }

  destroy() {
    for (const socket of [this.#client, this.#server]) {
      if (socket.destroyed) continue;
      // A reset while the end is on its way is refused below Node, and the process then never ends (libuv's
      // uv_tcp_close_reset beside a pending uv_shutdown).
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  #closed() {
    if (this.#client.destroyed !== this.#server.destroyed) this.destroy();
  }

  /** Finds the request line. Browsers send a request when the one before it is answered. @param {Buffer} piece */
  #look(piece) {
    if (this.#head === null) return;
    this.#head += piece.toString("latin1");
    const line = REQUEST_LINE.exec(this.#head)?.[1];
    if (line === undefined && this.#head.length < LONGEST_LINE) return;
    this.#head = null;
    this.#line = line ?? "";
    this.#drop = this.#proxy.take(this.#line);
  }

  /** Whether the client gets what the server has sent. */
  #answered() {
    if (this.#drop) {
      const { drop, resolve } = this.#drop;
      this.#drop = undefined;
      this.#swallows = true;
      resolve(this.#line);
      if (drop.how !== "hang") this.destroy();
    }
    this.#head = "";
    return !this.#swallows;
  }

  /**
   * Writes a piece, or ends the socket, after those before it, once it flows.
   *
   * @param {Promise<void>} before
   * @param {import("node:net").Socket} to
   * @param {Buffer | null} piece
   */
  async #later(before, to, piece) {
    await before;
    await this.#proxy.flowing();
    if (to.destroyed) return;
    if (piece === null) to.end();
    else if (!to.write(piece)) await drained(to);
  }
}

/** Waits until a socket takes more, or is gone. @param {import("node:net").Socket} socket */
function drained(socket) {
  return new Promise((/** @type {(value: void) => void} */ resolve) => {
    const done = () => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}
