// The server's truth in small: sessions with their events, idempotency keys, receipts, the inbox, one epoch. It follows the
// references of the socket and of the REST API. It has no network: `network.js` carries what comes in and goes out.
import { claimsOf } from "./tokens.js";

const REPLAY_LIMIT = 1_000;
const HEARTBEAT_MS = 25_000;
const STAGES = ["sent", "delivered", "read"];
const PRIORITIES = ["high", "medium", "low"];
const failure = (status, code, headers = {}) => ({
  status,
  headers,
  body: { success: false, message: code, error: { code, message: code, details: [], requestId: "r" } },
});
const by = (key) => (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);

export class ModelServer {
  epoch = "epoch-1";
  sessions = new Map();
  sockets = new Set();
  /** What a client has done that it must not do. */
  violations = [];
  uploads = new Map();
  #ids = 0;

  constructor(clock) {
    this.clock = clock;
  }

  id(kind) {
    return `${kind}-${String(++this.#ids).padStart(6, "0")}`;
  }

  now() {
    return new Date(this.clock.now()).toISOString();
  }

  // Sessions

  open(userId, fields = {}) {
    const session = {
      ...{
        id: this.id("session"),
        userId,
        agentId: null,
        status: "active",
        endedAt: null,
        priority: "medium",
        tags: [],
      },
      ...{
        startedAt: this.now(),
        events: [],
        messages: [],
        activity: this.now(),
        waitingSince: this.now(),
        keys: new Map(),
      },
      ...fields,
    };
    this.sessions.set(session.id, session);
    this.append(session, "session_update", () => this.sessionOf(session));
    return session;
  }

  sessionOf({ id, userId, agentId, status, startedAt, endedAt, subject, priority, tags }) {
    const people = { user: { id: userId }, agent: agentId && { id: agentId } };
    return { id, userId, agentId, ...people, status, startedAt, endedAt, subject, priority, tags };
  }

  change(session, fields) {
    Object.assign(session, fields);
    if ("agentId" in fields) session.activity = this.now();
    this.append(session, "session_update", () => this.sessionOf(session));
  }

  /** The next event of a session; all sockets of it get it, and the inboxes what it changes. */
  append(session, type, dataOf, { key, actor } = {}) {
    const seq = session.events.length + 1;
    const event = { seq, type, data: dataOf(seq), key, actor };
    session.events.push(event);
    for (const socket of this.sockets) socket.onEvent(session, event);
    for (const socket of this.sockets) socket.compareInbox();
    return event;
  }

  say(session, author, content, { key, attachments } = {}) {
    const sender = author === session.userId ? "user" : "support";
    const event = this.append(
      session,
      "message",
      (seq) => {
        const message = {
          id: this.id("message"),
          seq,
          content,
          sender,
          author: { id: author },
          timestamp: this.now(),
          status: "sent",
        };
        if (attachments?.length) message.attachments = attachments;
        session.messages.push(message);
        session.activity = message.timestamp;
        session.waitingSince = sender === "support" ? null : (session.waitingSince ?? message.timestamp);
        if (key) session.keys.set(`${author} ${key}`, message.id);
        return this.messageOf(message);
      },
      { key, actor: author },
    );
    return event.data;
  }

  messageOf(message) {
    return { ...message, read: message.status === "read" };
  }

  /** `userId` has received or read everything up to `seq`, or the messages that are named. */
  receipt(session, userId, status, upToSeq, ids = null) {
    const side = userId === session.userId ? "user" : "support";
    const raised = session.messages.filter(
      (message) =>
        message.sender !== side &&
        (ids ? ids.includes(message.id) : message.seq <= upToSeq) &&
        STAGES.indexOf(message.status) < STAGES.indexOf(status),
    );
    if (raised.length === 0) return;
    for (const message of raised) message.status = status;
    const messageIds = raised.map(({ id }) => id);
    this.append(session, "receipt", () => ({
      userId,
      status,
      upToSeq: raised.at(-1).seq,
      messageIds,
      timestamp: this.now(),
    }));
  }

  /** A backup is restored: the newest events are gone, and another history begins. Returns the texts that are lost. */
  restore(session, lost) {
    this.epoch = `epoch-${Number(this.epoch.split("-")[1]) + 1}`;
    const kept = Math.max(1, session.events.length - lost);
    session.events.length = kept;
    const gone = session.messages.filter(({ seq }) => seq > kept);
    session.messages = session.messages.filter(({ seq }) => seq <= kept);
    for (const message of session.messages) {
      const receipts = session.events.filter(
        ({ type, data }) => type === "receipt" && data.messageIds.includes(message.id),
      );
      message.status =
        receipts.map(({ data }) => data.status).sort(by((status) => -STAGES.indexOf(status)))[0] ?? "sent";
    }
    const ids = new Set(session.messages.map(({ id }) => id));
    for (const [key, id] of session.keys) if (!ids.has(id)) session.keys.delete(key);
    const last = session.events.findLast(({ type }) => type === "session_update").data;
    for (const name of ["status", "agentId", "endedAt", "priority"]) session[name] = last[name];
    for (const socket of [...this.sockets]) socket.close(1012, "restarting");
    return gone.map(({ content }) => content);
  }

  mayMay(session, { sub, role }) {
    return role === "admin" || session.userId === sub || (role === "agent" && [null, sub].includes(session.agentId));
  }

  // The inbox

  item(session, { role }) {
    const { content, ...last } = session.messages.at(-1) ?? {};
    const side = role === "user" ? "user" : "support";
    const lastMessage = last.id
      ? {
          id: last.id,
          seq: last.seq,
          sender: last.sender,
          author: last.author,
          preview: content,
          timestamp: last.timestamp,
          attachmentCount: 0,
        }
      : null;
    return {
      ...this.sessionOf(session),
      lastMessage,
      unreadCount: session.messages.filter(({ sender, status }) => sender !== side && status !== "read").length,
      lastActivityAt: session.activity,
      waitingSince: session.status === "active" ? session.waitingSince : null,
      seq: session.events.length,
    };
  }

  inboxItems(view, claims) {
    const { sub, role } = claims;
    const all = [...this.sessions.values()];
    const isMine = ({ userId, agentId, status }) =>
      role === "user" ? userId === sub : agentId === sub && status === "active";
    const filter = {
      mine: isMine,
      waiting: ({ status, agentId }) => status === "active" && agentId === null,
      assigned: ({ status, agentId }) => status === "active" && agentId !== null,
      closed: ({ status, userId, agentId }) =>
        status === "closed" && (role === "admin" || [userId, agentId].includes(sub)),
    }[view];
    const items = all.filter(filter).map((session) => this.item(session, claims));
    items.sort(by(({ id }) => id)).reverse();
    if (view === "waiting") {
      items.sort(by(({ waitingSince }) => waitingSince ?? "9999"));
      return items.sort(by(({ priority }) => PRIORITIES.indexOf(priority)));
    }
    const time = { mine: "lastActivityAt", assigned: "startedAt", closed: "endedAt" }[view];
    items.sort((a, b) => (a[time] > b[time] ? -1 : a[time] < b[time] ? 1 : 0));
    return view === "mine" ? items.sort(by(({ status }) => (status === "active" ? 0 : 1))) : items;
  }

  counts(claims) {
    const mine =
      claims.role === "admin" ? [] : this.inboxItems("mine", claims).filter(({ status }) => status === "active");
    const waiting = claims.role === "user" ? [] : this.inboxItems("waiting", claims);
    const unread = mine.reduce((sum, { unreadCount }) => sum + unreadCount, 0);
    const since =
      waiting
        .map(({ waitingSince }) => waitingSince)
        .filter(Boolean)
        .sort()[0] ?? null;
    return { mine: mine.length, mineUnread: unread, waiting: waiting.length, longestWaitingSince: since };
  }

  inboxPage(view, claims, limit = 50, cursor = 0) {
    const items = this.inboxItems(view, claims);
    const end = cursor + limit;
    return {
      items: items.slice(cursor, end),
      counts: this.counts(claims),
      nextCursor: end < items.length ? String(end) : null,
    };
  }

  // Requests

  claims(token) {
    const claims = token && claimsOf(token);
    return claims && claims.exp > this.clock.now() ? claims : null;
  }

  handle({ method, path, query, headers, body }) {
    const claims = this.claims(headers.Authorization?.replace("Bearer ", ""));
    if (!claims) return failure(401, "UNAUTHENTICATED");
    const [, , , kind, id, part] = path.split("/");
    const ok = (answer, status = 200, further = {}) => ({ status, headers: further, body: structuredClone(answer) });
    if (kind === "ws-ticket") return ok({ ticket: "t" }, 201);
    if (kind === "inbox")
      return ok(this.inboxPage(query.view, claims, Number(query.limit ?? 50), Number(query.cursor ?? 0)));
    if (kind === "sessions" && !id && method === "POST") {
      const known = [...this.sessions.values()].find(({ createdBy }) => createdBy === headers["Idempotency-Key"]);
      return ok(
        this.sessionOf(known ?? this.open(claims.sub, { ...body, createdBy: headers["Idempotency-Key"] })),
        201,
      );
    }
    const session = this.sessions.get(id);
    if (kind !== "sessions" || !session) return failure(404, "SESSION_NOT_FOUND");
    if (!this.mayMay(session, claims)) return failure(403, "FORBIDDEN");
    if (!part) return ok(this.sessionOf(session));
    if (part === "attachments") {
      const file = {
        id: this.id("file"),
        url: "u",
        name: headers["Content-Disposition"],
        type: headers["Content-Type"],
        size: body.size,
      };
      this.uploads.set(file.id, file);
      return ok(file, 201);
    }
    if (part !== "messages") return failure(404, "ROUTE_NOT_FOUND");
    return method === "GET" ? this.page(session, query, ok) : this.post(session, claims, headers, body, ok);
  }

  page(session, { before, limit }, ok) {
    const end = before ? session.messages.findIndex(({ id }) => id === before) : session.messages.length;
    const start = Math.max(0, end - Number(limit));
    const messages = session.messages.slice(start, end).map((message) => this.messageOf(message));
    const at = { "X-Chat-Seq": String(session.events.length) };
    return ok({ messages, totalCount: session.messages.length, hasMore: start > 0 }, 200, at);
  }

  post(session, { sub }, headers, { content, attachmentIds = [] }, ok) {
    const key = headers["Idempotency-Key"];
    const stored = session.messages.find(({ id }) => id === session.keys.get(`${sub} ${key}`));
    const given = JSON.stringify([content, attachmentIds]);
    if (stored) {
      if (given !== JSON.stringify([stored.content, (stored.attachments ?? []).map(({ id }) => id)]))
        return failure(409, "IDEMPOTENCY_KEY_REUSED");
      return ok(this.messageOf({ ...stored, status: "sent" }), 201, { "Idempotency-Replayed": "true" });
    }
    if (content === "" && attachmentIds.length === 0) return failure(400, "VALIDATION_FAILED");
    if (session.status === "closed") return failure(409, "SESSION_CLOSED");
    const attachments = attachmentIds.map((id) => this.uploads.get(id));
    if (attachments.includes(undefined)) return failure(400, "VALIDATION_FAILED");
    return ok(this.say(session, sub, content, { key, attachments }), 201);
  }

  failure = failure;

  /** Begins a socket. `send` and `end` are the way to the client. */
  accept(protocols, send, end) {
    const bearer = protocols.find((name) => name.startsWith("base64url.bearer.chat."))?.split(".")[3];
    const token = bearer && Buffer.from(bearer, "base64url").toString();
    const claims = this.claims(token);
    if (!claims) return null;
    const socket = new ServerSocket(this, claims, send, end);
    this.sockets.add(socket);
    socket.hello();
    return socket;
  }
}

/** One `/ws/chat`. */
class ServerSocket {
  subscriptions = new Map();
  views = null;

  constructor(server, claims, send, end) {
    Object.assign(this, { server, claims, send, end });
    this.timers = [];
  }

  hello() {
    const { server, claims } = this;
    const tokenExpiresAt = new Date(claims.exp).toISOString();
    this.send({
      type: "hello",
      data: { userId: claims.sub, role: claims.role, heartbeatMs: HEARTBEAT_MS, maxSubscriptions: 100, tokenExpiresAt },
    });
    this.beat();
    this.watchToken();
  }

  beat() {
    this.heartbeat = this.server.clock.setTimeout(() => {
      this.send({ type: "heartbeat", data: { serverTime: this.server.now() } });
      this.beat();
    }, HEARTBEAT_MS);
  }

  watchToken() {
    const { clock } = this.server;
    this.timers.forEach(clock.clearTimeout);
    const left = this.claims.exp - clock.now();
    const expiresAt = new Date(this.claims.exp).toISOString();
    this.timers = [
      clock.setTimeout(() => this.send({ type: "auth_expiring", data: { expiresAt } }), left - 60_000),
      clock.setTimeout(() => this.close(4401, "token expired"), left),
    ];
  }

  onEvent(session, { seq, type, data, key, actor }) {
    if (!this.subscriptions.has(session.id)) return;
    this.subscriptions.set(session.id, seq);
    const own = actor === this.claims.sub && key ? { idempotencyKey: key } : {};
    this.send({ type, sessionId: session.id, seq, ...own, data });
    if (type === "session_update" && !this.server.mayMay(session, this.claims))
      this.unsubscribed(session.id, 4403, "access lost");
  }

  unsubscribed(sessionId, code, reason) {
    this.subscriptions.delete(sessionId);
    this.send({ type: "unsubscribed", sessionId, data: { code, reason } });
  }

  refuse(ref, sessionId, code) {
    this.send({ type: "error", ...(sessionId && { sessionId }), data: { code, message: code, ref } });
  }

  receive({ type, sessionId, data = {} }) {
    const { server } = this;
    const session = server.sessions.get(sessionId);
    const sent = this.subscriptions.get(sessionId);
    if (type === "subscribe") return this.subscribe(session, sessionId, data);
    if (type === "open_inbox") return this.openInbox(data);
    if (type === "auth") {
      const claims = server.claims(data.token);
      if (claims?.sub !== this.claims.sub) return this.refuse("auth", null, "UNAUTHENTICATED");
      this.claims = claims;
      this.watchToken();
      return this.send({ type: "auth_ok", data: { expiresAt: new Date(claims.exp).toISOString() } });
    }
    if (sent === undefined) return this.refuse(type, sessionId, "NOT_SUBSCRIBED");
    if (type === "unsubscribe") return this.unsubscribed(sessionId, 1000, "done");
    if ((type === "ack" || type === "read") && data.seq > sent) {
      server.violations.push(`${type} ahead`);
      return this.refuse(type, sessionId, "VALIDATION_FAILED");
    }
    if (type === "ack") server.receipt(session, this.claims.sub, "delivered", data.seq);
    if (type === "read") server.receipt(session, this.claims.sub, "read", data.seq);
    if (type === "typing") {
      const frame = {
        type: "typing",
        sessionId,
        data: { userId: this.claims.sub, isTyping: data.isTyping, timestamp: server.now() },
      };
      for (const other of server.sockets) {
        if (other.claims.sub !== this.claims.sub && other.subscriptions.has(sessionId)) other.send(frame);
      }
    }
  }

  subscribe(session, sessionId, { since, epoch }) {
    const { server } = this;
    if (!session) return this.unsubscribed(sessionId, 4404, "session gone");
    if (!server.mayMay(session, this.claims)) return this.unsubscribed(sessionId, 4403, "access lost");
    if (this.subscriptions.has(sessionId)) return this.refuse("subscribe", sessionId, "ALREADY_SUBSCRIBED");
    const seq = session.events.length;
    let reason = null;
    if (since === undefined) reason = "fresh";
    else if (epoch !== undefined && epoch !== server.epoch) reason = "epoch";
    else if (since > seq) reason = "ahead";
    else if (seq - since > REPLAY_LIMIT) reason = "too_many_missed";
    const missed = reason ? [] : session.events.slice(since);
    const outcome = { resumed: !reason, ...(reason && { reason }), replayed: missed.length };
    this.send({ type: "subscribed", sessionId, data: { seq, epoch: server.epoch, ...outcome } });
    this.subscriptions.set(sessionId, reason ? seq : since);
    for (const event of missed) this.onEvent(session, event);
  }

  openInbox({ views }) {
    const { server, claims } = this;
    const allowed = {
      user: ["mine", "closed"],
      agent: ["mine", "waiting", "closed"],
      admin: ["waiting", "assigned", "closed"],
    };
    if (views.some((view) => !allowed[claims.role].includes(view))) return this.refuse("open_inbox", null, "FORBIDDEN");
    this.views = new Map();
    for (const view of views) {
      this.send({ type: "inbox", data: { view, ...server.inboxPage(view, claims) } });
      this.views.set(view, this.viewNow(view));
    }
  }

  viewNow(view) {
    return new Map(this.server.inboxItems(view, this.claims).map((item) => [item.id, JSON.stringify(item)]));
  }

  compareInbox() {
    for (const [view, before] of this.views ?? []) {
      const now = this.viewNow(view);
      const counts = this.server.counts(this.claims);
      const update = (sessionId, item) => this.send({ type: "inbox_update", sessionId, data: { view, item, counts } });
      for (const [id, text] of now) if (before.get(id) !== text) update(id, JSON.parse(text));
      for (const id of before.keys()) if (!now.has(id)) update(id, null);
      this.views.set(view, now);
    }
  }

  close(code, reason) {
    if (this.ended()) this.end(code, reason);
  }

  /** The connection is gone. Whether it was there. */
  ended() {
    [this.heartbeat, ...this.timers].forEach(this.server.clock.clearTimeout);
    return this.server.sockets.delete(this);
  }
}
