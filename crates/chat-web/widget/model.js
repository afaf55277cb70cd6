/** What the widget shows and what it does: the client, the session, and which view is open. No element is made here. */

import { createClient } from "../client/src/index.js";
import { lazy } from "./lazy.js";

/** @import { ChatError, ChatSession, Client, Entry, Session, SessionView } from "../client/index.js" */
/** @import { Identity, Shell } from "./types.js" */

/** @typedef {"signedOut" | "loading" | "form" | "chat" | "earlier" | "failed"} View */

/** When a start that takes long says so. */
const LATE_MS = 8_000;
/** The drafts in `localStorage`, one for each session, and one for the form. */
const DRAFT = "chatWidget:";

export class Model {
  /** @type {View} */
  view = "signedOut";
  /** Where `Back` leads. @type {View | null} */
  back = null;
  /** @type {Session | null} */
  session = null;
  /** @type {ChatSession[]} */
  earlier = [];
  /** Draws them, once it is loaded. @type {typeof import("./earlier.js").earlier | undefined} */
  drawEarlier;
  isStarting = false;
  /** @type {"" | "startEmpty" | "startFailed" | "reconnecting"} */
  formError = "";
  /** @type {Client | null} */
  client = null;
  /** @type {Identity | null} */
  #identity = null;
  #shell;
  /** @type {() => void} */
  #changed;
  /** @type {(entry: Entry) => void} */
  #arrived;
  /** @type {() => void} */
  #cleared;
  #unread = 0;
  /** What has ended when this changes: an answer of before is not shown. */
  #turn = 0;

  /** @param {Shell} shell @param {{ changed: () => void, arrived: (entry: Entry) => void, cleared: () => void }} listeners */
  constructor(shell, { changed, arrived, cleared }) {
    this.#shell = shell;
    this.#changed = changed;
    this.#arrived = arrived;
    this.#cleared = cleared;
  }

  /** @returns {SessionView | null} */
  get chat() {
    return this.session?.view ?? null;
  }

  /** @param {Identity} identity */
  identify(identity) {
    if (this.#identity?.token === identity.token && this.client) return;
    this.stop();
    this.#identity = identity;
    this.client = createClient({
      url: this.#shell.origin,
      token: (why) => identity.token(why),
      onError: (error) => reportError(error),
    });
    this.find();
  }

  /** After `stop`, for the same person. */
  resume() {
    if (this.#identity) this.identify(this.#identity);
  }

  /** Shows the stored session, else the newest active one, else the form. */
  async find() {
    const { client } = this;
    if (!client) return this.#show("signedOut");
    const { session } = this.#shell.load();
    if (session) return this.open(session);
    this.#show("loading");
    const turn = this.#turn;
    try {
      const { sessions } = await client.sessions.list({ status: "active", limit: 1 });
      if (turn !== this.#turn) return;
      if (sessions[0]) this.open(sessions[0].id);
      else this.#show("form");
    } catch (error) {
      if (turn === this.#turn) this.#fail(error);
    }
  }

  /** @param {string} id @param {boolean} [isEarlier] one that is only looked at */
  open(id, isEarlier = false) {
    const { client } = this;
    if (!client) return;
    this.#leave();
    const session = (this.session = client.open(id));
    const ends = [
      session.subscribe(() => this.#update()),
      session.on("message", (entry) => this.#arrived(entry)),
      session.on("state", (state) => this.#shell.emit("state", state)),
    ];
    this.#leave = () => {
      this.#leave = () => {};
      for (const end of ends) end();
      session.close();
      this.session = null;
    };
    if (!isEarlier) this.#shell.save({ session: id });
    this.#show("chat");
    if (isEarlier) this.back = "earlier";
    this.#update();
  }

  /** Leaves the session that is open. */
  #leave = () => {};

  #update() {
    const { chat } = this;
    const code = chat?.error?.code;
    // A session of another person, or one that is gone: what was stored belongs to another sign-in.
    if (chat?.state === "stopped" && (code === "SESSION_NOT_FOUND" || code === "FORBIDDEN") && !chat.session) {
      this.#forget();
      return void this.find();
    }
    if (chat?.error && chat.error !== this.#reported) this.#shell.emit("error", chat.error);
    this.#reported = chat?.error ?? null;
    this.#count();
    this.#changed();
  }

  /**
   * How many messages are unread. A tab without a live session knows it from the others: a person has ten sockets to a
   * session at most, and may have more tabs.
   */
  get unread() {
    const { chat } = this;
    return chat?.state === "live" ? chat.unread : this.session ? (this.#shell.load().unread ?? 0) : 0;
  }

  /** @type {ChatError | null} */
  #reported = null;

  #count() {
    const { unread } = this;
    if (unread === this.#unread) return;
    this.#unread = unread;
    // A change of one's own alone: tabs that answered each other's would never end while they differ.
    if (this.chat?.state === "live") this.#shell.save({ unread });
    this.#shell.emit("unread", unread);
  }

  /** @param {string} subject @param {string} text */
  async start(subject, text) {
    const { client } = this;
    if (!client || this.isStarting) return;
    const turn = this.#turn;
    this.formError = subject || text ? "" : "startEmpty";
    this.isStarting = !this.formError;
    this.#changed();
    if (!this.isStarting) return;
    const late = setTimeout(() => {
      if (turn === this.#turn) this.formError = "reconnecting";
      this.#changed();
    }, LATE_MS);
    try {
      const session = await client.sessions.create(subject ? { subject } : {});
      if (turn !== this.#turn) return;
      this.draft("subject", "");
      this.draft("first", "");
      this.open(session.id);
      if (text) this.session?.send(text);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.formError = "startFailed";
      this.#shell.emit("error", /** @type {ChatError} */ (error));
    } finally {
      clearTimeout(late);
      this.isStarting = false;
      this.#changed();
    }
  }

  startNew() {
    const { id = "" } = this.session ?? {};
    // What was typed when the session ended is not lost.
    this.draft("first", [this.draft("first"), this.draft(id)].filter(Boolean).join("\n"));
    this.draft(id, "");
    this.#forget();
    this.#show("form");
  }

  async showEarlier() {
    const { client } = this;
    if (!client) return;
    this.#show("loading");
    const turn = this.#turn;
    try {
      const [{ sessions }, { earlier }] = await Promise.all([
        client.sessions.list({ limit: 50 }),
        lazy("earlier", import("./earlier.js")),
      ]);
      if (turn !== this.#turn) return;
      this.earlier = sessions;
      this.drawEarlier = earlier;
      this.#show("earlier");
      this.back = "chat";
      this.#changed();
    } catch (error) {
      if (turn === this.#turn) this.#fail(error);
    }
  }

  /** From an earlier session to the list, and from the list to the session that goes on, or the form. */
  goBack() {
    if (this.back === "earlier") {
      this.#leave();
      return this.showEarlier();
    }
    const { session } = this.#shell.load();
    if (session && session === this.session?.id) this.#show("chat");
    else if (session) this.open(session);
    else this.#show("form");
  }

  /** @param {View} view */
  #show(view) {
    ++this.#turn;
    this.back = null;
    this.formError = "";
    this.view = view;
    this.#changed();
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#shell.emit("error", /** @type {ChatError} */ (error));
    this.#show(/** @type {ChatError} */ (error)?.code === "AUTH" ? "signedOut" : "failed");
  }

  #forget() {
    this.#leave();
    this.#count();
    this.#shell.save({ session: undefined, unread: 0 });
  }

  /** Another tab has opened a session, or signed out. */
  restored() {
    const stored = this.#shell.load();
    // A sign-out leaves nothing; the form of another tab leaves something, and this tab stays with its session.
    if (Object.keys(stored).length === 0) return void (this.client && this.logout());
    const { session } = stored;
    if (session && session !== this.session?.id && !this.back) this.open(session);
    else this.#update();
  }

  /** Where the browser stores nothing. @type {Record<string, string>} */
  #drafts = {};

  /** What is typed and not sent, for each session. Without a value: what it was. @param {string} name @param {string} [text] */
  draft(name, text) {
    try {
      if (text === undefined) return localStorage[DRAFT + name] ?? "";
      if (text) localStorage[DRAFT + name] = text;
      else delete localStorage[DRAFT + name];
    } catch {
      if (text !== undefined) this.#drafts[name] = text;
    }
    return text ?? this.#drafts[name] ?? "";
  }

  /** Back to the state before `identify`. Returns whether there was a client, which has erased what it had stored. */
  async logout() {
    const { client } = this;
    this.client = null;
    this.stop();
    this.#cleared();
    this.#identity = null;
    this.earlier = [];
    this.#count();
    this.#show("signedOut");
    await client?.logout();
    return Boolean(client);
  }

  stop() {
    ++this.#turn;
    this.#leave();
    this.client?.close();
    this.client = null;
  }
}
