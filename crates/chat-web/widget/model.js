/** What the widget shows and what it does: the client, the session, and which view is open. No element is made here. */

import { createClient } from "../client/src/index.js"

/** @import { ChatError, ChatSession, Client, Entry, Session, SessionView } from "../client/index.js" */
/** @import { Identity, Shell } from "./types.js" */

/** @typedef {"signedOut" | "loading" | "form" | "chat" | "earlier" | "failed"} View */

/** The drafts in `localStorage`, one for each session, and one for the form. */
const DRAFT = "chatWidget:"

export class Model {
  /** @type {View} */
  view = "signedOut"
  /** Where `Back` leads. @type {View | null} */
  back = null
  /** @type {Session | null} */
  session = null
  /** @type {ChatSession[]} */
  earlier = []
  isStarting = false
  /** @type {"" | "startEmpty" | "startFailed"} */
  formError = ""
  /** @type {Client | null} */
  client = null
  /** @type {Identity | null} */
  #identity = null
  #shell
  /** @type {() => void} */
  #changed
  /** @type {(entry: Entry) => void} */
  #arrived
  #unread = 0
  /** What has ended when this changes: an answer of before is not shown. */
  #turn = 0

  /** @param {Shell} shell @param {{ changed: () => void, arrived: (entry: Entry) => void }} listeners */
  constructor(shell, { changed, arrived }) {
    this.#shell = shell
    this.#changed = changed
    this.#arrived = arrived
  }

  /** @returns {SessionView | null} */
  get chat() {
    return this.session?.view ?? null
  }

  /** @param {Identity} identity */
  identify(identity) {
    if (this.#identity?.token === identity.token && this.client) return
    this.stop()
    this.#identity = identity
    this.client = createClient({
      url: this.#shell.origin,
      token: (why) => identity.token(why),
      onError: (error) => reportError(error),
    })
    this.find()
  }

  /** Shows the stored session, else the newest active one, else the form. */
  async find() {
    const { client } = this
    if (!client) return this.#show("signedOut")
    const { session } = this.#shell.load()
    if (session) return this.open(session)
    const turn = ++this.#turn
    this.#show("loading")
    try {
      const { sessions } = await client.sessions.list({ status: "active", limit: 1 })
      if (turn !== this.#turn) return
      if (sessions[0]) this.open(sessions[0].id)
      else this.#show("form")
    } catch (error) {
      if (turn === this.#turn) this.#fail(error)
    }
  }

  /** @param {string} id */
  open(id) {
    const { client } = this
    if (!client) return
    ++this.#turn
    this.#leave()
    const session = (this.session = client.open(id))
    const ends = [
      session.subscribe(() => this.#update()),
      session.on("message", (entry) => this.#arrived(entry)),
      session.on("state", (state) => this.#shell.emit("state", state)),
    ]
    this.#leave = () => {
      this.#leave = () => {}
      for (const end of ends) end()
      session.close()
      this.session = null
    }
    this.#shell.save({ session: id })
    this.#show("chat")
    this.#update()
  }

  /** Leaves the session that is open. */
  #leave = () => {}

  #update() {
    const { chat } = this
    const code = chat?.error?.code
    // A session of another person, or one that is gone: what was stored belongs to another sign-in.
    if (chat?.state === "stopped" && (code === "SESSION_NOT_FOUND" || code === "FORBIDDEN") && !chat.messages.length) {
      this.#forget()
      return void this.find()
    }
    if (chat?.error && chat.error !== this.#reported) this.#shell.emit("error", chat.error)
    this.#reported = chat?.error ?? null
    this.#count(chat?.unread ?? 0)
    this.#changed()
  }

  /** @type {ChatError | null} */
  #reported = null

  /** @param {number} unread */
  #count(unread) {
    if (unread === this.#unread) return
    this.#unread = unread
    this.#shell.emit("unread", unread)
  }

  /** @param {string} subject @param {string} text */
  async start(subject, text) {
    const { client } = this
    if (!client || this.isStarting) return
    const turn = this.#turn
    this.formError = subject || text ? "" : "startEmpty"
    this.isStarting = !this.formError
    this.#changed()
    if (!this.isStarting) return
    try {
      const session = await client.sessions.create(subject ? { subject } : {})
      if (turn !== this.#turn) return
      this.draft("subject", "")
      this.draft("first", "")
      this.open(session.id)
      if (text) this.session?.send(text)
    } catch (error) {
      if (turn !== this.#turn) return
      this.formError = "startFailed"
      this.#shell.emit("error", /** @type {ChatError} */ (error))
    } finally {
      this.isStarting = false
      this.#changed()
    }
  }

  startNew() {
    this.#forget()
    this.#show("form")
  }

  async showEarlier() {
    const { client } = this
    if (!client) return
    this.back = this.view
    const turn = ++this.#turn
    this.#show("loading")
    try {
      const { sessions } = await client.sessions.list({ limit: 50 })
      if (turn !== this.#turn) return
      this.earlier = sessions
      this.#show("earlier")
    } catch (error) {
      if (turn === this.#turn) this.#fail(error)
    }
  }

  goBack() {
    ++this.#turn
    this.#show(this.back ?? "form")
  }

  /** @param {View} view */
  #show(view) {
    if (view !== "earlier" && view !== "loading") this.back = null
    this.view = view
    this.#changed()
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#shell.emit("error", /** @type {ChatError} */ (error))
    this.#show(/** @type {ChatError} */ (error)?.code === "AUTH" ? "signedOut" : "failed")
  }

  #forget() {
    this.#leave()
    this.#count(0)
    this.#shell.save({ session: undefined })
  }

  /** Another tab has opened a session, or signed out. */
  restored() {
    const { session } = this.#shell.load()
    if (session && this.client && session !== this.session?.id && this.view !== "earlier") this.open(session)
    // The form of another tab: this one stays with its session. A sign-out leaves nothing at all.
    else if (!session && this.session && !localStorage.length) this.reset()
  }

  /** What is typed and not sent, for each session. Without a value: what it was. @param {string} name @param {string} [text] */
  draft(name, text) {
    try {
      if (text === undefined) return localStorage[DRAFT + name] ?? ""
      if (text) localStorage[DRAFT + name] = text
      else delete localStorage[DRAFT + name]
    } catch {
      // A browser that stores nothing.
    }
    return text ?? ""
  }

  async logout() {
    const { client } = this
    this.client = null
    this.reset()
    await client?.logout()
  }

  /** Back to the state before `identify`. */
  reset() {
    this.stop()
    this.#identity = null
    this.earlier = []
    this.#count(0)
    this.#show("signedOut")
  }

  stop() {
    ++this.#turn
    this.#leave()
    this.client?.close()
    this.client = null
  }
}
