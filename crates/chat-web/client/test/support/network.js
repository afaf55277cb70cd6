// The network between one client and the model server, with its faults: it is slow, refuses, cuts, goes silent, loses answers.

const header = (headers) => ({
  get: (name) => Object.entries(headers).find(([own]) => own.toLowerCase() === name.toLowerCase())?.[1] ?? null,
});

export class FakeNetwork {
  online = true;
  /** `works`, `refuses` (no connection), `silent` (a black hole: nothing arrives, nothing ends) */
  mode = "works";
  /** The share of answers that are lost after the server has done what was asked for. */
  loseAnswers = 0;
  /** Whether it lets no socket through, as some companies' proxies. */
  refusesSockets = false;
  /** The share of requests that are answered twice as late as others, 503, or cut before they arrive. */
  cutRequests = 0;
  unavailable = 0;
  duplicate = 0;
  latency = 5;
  jitter = 0;
  sockets = new Set();
  log = [];
  /** All that was asked for, with its query. */
  addresses = [];
  #listeners = new Set();
  #held = [];

  constructor(server, clock, random) {
    Object.assign(this, { server, clock, random });
    const network = this;
    this.WebSocket = class {
      constructor(url, protocols) {
        network.#open(this, url, protocols);
      }
    };
  }

  delay() {
    return this.latency + this.random.next() * this.jitter;
  }

  // What the browser says

  subscribe = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  emit(event) {
    if (event === "online" || event === "offline") this.online = event === "online";
    for (const listener of this.#listeners) listener(event);
  }

  // Faults

  /** The network carries nothing any more; what is open stays open. */
  goSilent() {
    this.mode = "silent";
    for (const socket of this.sockets) socket.link.isSilent = true;
  }

  /** It works for what is opened from now on. */
  recover() {
    this.mode = "works";
  }

  /** All connections end, and the client sees it. */
  cut() {
    for (const socket of [...this.sockets]) socket.link.end(1006, "");
    for (const fail of this.#held.splice(0)) fail();
  }

  // Requests

  fetch = (url, { method, headers, body, signal }) => {
    const { pathname, searchParams } = new URL(url);
    this.addresses.push(url);
    this.log.push(`${method} ${pathname}`);
    const query = Object.fromEntries(searchParams);
    const isJson = headers["Content-Type"] === "application/json" && typeof body === "string";
    const request = { method, path: pathname, query, headers, body: isJson ? JSON.parse(body) : body };
    return new Promise((resolve, reject) => {
      const fail = () => reject(new TypeError("fetch failed"));
      signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      this.#held.push(fail);
      if (this.mode === "silent") return;
      if (this.mode === "refuses") return void this.clock.setTimeout(fail, this.delay());
      if (this.random.chance(this.cutRequests)) return void this.clock.setTimeout(fail, this.delay());
      this.clock.setTimeout(() => {
        if (signal?.aborted && this.random.chance(0.5)) return;
        if (this.mode === "silent") return;
        let answer = this.random.chance(this.unavailable)
          ? this.server.failure(503, "UNAVAILABLE", { "Retry-After": "2" })
          : (this.answer?.(request) ?? this.server.handle(request));
        if (answer.never) return;
        // A proxy that repeats what it got no answer to.
        if (this.random.chance(this.duplicate)) answer = this.server.handle(request);
        if (this.random.chance(this.loseAnswers))
          return void (this.random.chance(0.5) && this.clock.setTimeout(fail, this.delay()));
        this.clock.setTimeout(() => {
          if (this.mode === "silent") return;
          const text = answer.text ?? (answer.body === null ? "" : JSON.stringify(answer.body));
          const { status } = answer;
          const ok = status >= 200 && status < 300;
          resolve({
            status,
            ok,
            headers: header(answer.headers),
            text: async () => text,
            blob: async () => answer.body,
          });
        }, this.delay());
      }, this.delay());
    });
  };

  // Sockets

  #open(client, url, protocols) {
    this.addresses.push(url);
    this.log.push(`SOCKET ${new URL(url).pathname}`);
    const { clock } = this;
    let end = null;
    let lastAt = 0;
    /** What goes one way arrives in the order in which it was sent. */
    const inOrder = (run) => {
      lastAt = Math.max(lastAt, clock.now() + this.delay());
      clock.setTimeout(() => {
        if (!link.isSilent && this.mode !== "silent") run();
      }, lastAt - clock.now());
    };
    const link = {
      isSilent: this.mode === "silent",
      isOpen: true,
      end: (code, reason) => {
        if (!link.isOpen || link.isSilent) return;
        link.isOpen = false;
        this.sockets.delete(client);
        end?.ended();
        client.onclose?.({ code, reason });
      },
    };
    Object.assign(client, { link, protocols, sent: [] });
    this.sockets.add(client);
    client.send = (text) => {
      const frame = JSON.parse(text);
      client.sent.push(frame);
      inOrder(() => link.isOpen && this.server.sockets.has(end) && end.receive(frame));
    };
    client.close = () => {
      this.sockets.delete(client);
      if (!link.isSilent && link.isOpen) {
        link.isOpen = false;
        inOrder(() => end?.ended());
      }
    };
    if (link.isSilent) return;
    if (this.mode === "refuses" || this.refusesSockets) return inOrder(() => link.end(1006, ""));
    inOrder(() => {
      if (!link.isOpen) return;
      const toClient = (run) => inOrder(() => link.isOpen && run());
      end = this.server.accept(
        protocols,
        (frame) => {
          const data = JSON.stringify(frame);
          toClient(() => client.onmessage?.({ data }));
        },
        (code, reason) => toClient(() => link.end(code, reason)),
      );
      if (!end) link.end(1006, "");
    });
  }
}
