// Follows a session and sends messages to it, for as long as the page is open.
//
// - `server` is the address of the service, such as `https://chat.example.com`, and `session` the id of the session.
// - `token(fresh)` gives a valid token; with `fresh` the one before is about to end, or has ended.
// - `reload()` reads the session and its newest messages over REST, shows them, and gives their `X-Chat-Seq`.
// - `show(frame)` gets each durable event after that once and in order, and what is not durable as it comes.
// - `online(is)` is called with whether events arrive, and `over(code)` when they never will again.
// - `patience` is how many milliseconds the service may take to respond.
//
// `send(content)` gives a promise of the stored message, and `stop()` ends everything.
function follow({ server, session, token, reload, show, online = () => {}, over = () => {}, patience = 15_000 }) {
  const base64url = (text) => btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")
  const final = new Set([4400, 4403, 4404, 4409])
  const rest = `${server}/api/chat/sessions/${session}`
  let last = 0, epoch = null, failures = 0, expired = false
  let socket = null, stopped = false, retry = null, watchdog = null

  function again(wait = Math.min(15_000, 250 * 2 ** failures++)) {
    if (stopped) return
    clearTimeout(retry)
    retry = setTimeout(() => connect().catch(() => again()), wait * (1 + Math.random()))
  }

  async function connect() {
    // A browser does not say why a socket was refused; REST does.
    if (failures > 2) {
      const { status } = await request("/ws-ticket")
      if (status === 403 || status === 404) return stop(4000 + status)
    }
    const bearer = "base64url.bearer.chat." + base64url(await token(expired))
    if (stopped) return
    expired = false
    const start = epoch === null ? "" : `?since=${last}&epoch=${epoch}`
    attach(new WebSocket(`${server.replace(/^http/, "ws")}/ws/chat/${session}${start}`, ["chat.v1", bearer]))
  }

  function attach(mine) {
    let order = Promise.resolve(), limit = patience, acknowledging = null
    socket = mine

    // The socket is left at once: over a dead network its closing handshake would take minutes.
    function leave(wait) {
      if (socket !== mine) return
      socket = null
      clearTimeout(watchdog)
      mine.close()
      online(false)
      again(wait)
    }

    // Every frame is a sign of life. The server sends one every `heartbeatMs`, whatever happens in the session.
    function alive() {
      clearTimeout(watchdog)
      watchdog = setTimeout(() => leave(0), limit)
    }

    function tell(type, data) {
      if (socket === mine) mine.send(JSON.stringify({ type, data }))
    }

    // At most once a second: everything up to here has arrived.
    function acknowledge() {
      acknowledging ??= setTimeout(() => {
        acknowledging = null
        tell("ack", { seq: last })
      }, 1_000)
    }

    async function take(frame) {
      if (socket !== mine) return
      if (frame.type === "hello") {
        const seq = frame.data.resumed ? last : await reload()
        if (socket !== mine) return
        last = seq
        epoch = frame.data.epoch
        failures = 0
        online(true)
        acknowledge()
        flush()
      } else if (frame.type === "auth_expiring") {
        token(true).then((newer) => tell("auth", { token: newer })).catch(() => {})
      } else if (frame.seq === undefined) {
        show(frame)
      } else if (frame.seq > last) {
        last = frame.seq
        show(frame)
        acknowledge()
      }
    }

    mine.onmessage = ({ data }) => {
      if (socket !== mine) return
      const frame = JSON.parse(data)
      if (frame.type === "hello") limit = 1.5 * frame.data.heartbeatMs
      alive()
      // One after the other, since `hello` may have to wait for REST.
      order = order.then(() => take(frame)).catch(() => leave())
    }
    // What follows an error is `onclose`. The package `ws` for Node.js ends the process for an error without a handler.
    mine.onerror = () => {}
    mine.onclose = ({ code, reason }) => {
      if (socket !== mine) return
      if (final.has(code)) return stop(code)
      expired = code === 4401
      leave(code === 4429 ? 1_000 * Number(/\d+/.exec(reason)?.[0] ?? 30) : undefined)
    }
    alive()
  }

  // The outbox. Messages are sent one after the other, each when the one before is stored: requests that run at the same
  // time are stored in the order in which they arrive, and that is not the order in which they were typed.
  const outbox = []
  let sending = false

  function send(content) {
    return new Promise((resolve, reject) => {
      if (stopped) return reject(new Error("stopped"))
      // With its key a message is stored once, however often it is sent.
      outbox.push({ content, key: crypto.randomUUID(), resolve, reject })
      flush()
    })
  }

  async function flush() {
    if (sending) return
    sending = true
    let pause = 250
    while (outbox.length > 0 && !stopped) {
      const [{ content, key, resolve, reject }] = outbox
      const response = await request("/messages", { content }, { "Idempotency-Key": key }).catch(() => null)
      const body = await response?.json().catch(() => null)
      if (stopped) break
      if (response?.ok && body) {
        outbox.shift()
        resolve(body)
        pause = 250
      } else if (response && body && response.status < 500 && ![401, 429].includes(response.status)) {
        outbox.shift()
        reject(body.error)
      } else {
        const seconds = Number(response?.headers.get("Retry-After") ?? 0)
        await new Promise((done) => setTimeout(done, Math.max(1_000 * seconds, pause)))
        pause = Math.min(15_000, 2 * pause)
      }
    }
    sending = false
  }

  async function request(path, body = {}, headers = {}) {
    const attempt = async (fresh) =>
      fetch(rest + path, {
        method: "POST",
        headers: { ...headers, Authorization: `Bearer ${await token(fresh)}`, "Content-Type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(patience),
      })
    const response = await attempt(false)
    return response.status === 401 ? attempt(true) : response
  }

  function stop(code) {
    if (stopped) return
    stopped = true
    for (const timer of [retry, watchdog]) clearTimeout(timer)
    const mine = socket
    socket = null
    mine?.close(1000)
    online(false)
    for (const { reject } of outbox.splice(0)) reject(new Error("stopped"))
    if (code !== undefined) over(code)
  }

  connect().catch(() => again())
  return { send, stop: () => stop() }
}
