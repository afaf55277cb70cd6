// Follows a session for as long as the page is open. `token()` gives a token that is valid. `reload()` reads the session and
// its newest messages over REST, and gives their `X-Chat-Seq`. `show(frame)` gets each durable event after that once and in
// order, and what is not durable as it comes.
function follow(url, { token, reload, show }) {
  const over = new Set([4400, 4403, 4404, 4409]);
  let last = 0, epoch = null, failures = 0;

  function again(wait = Math.min(15_000, 250 * 2 ** failures++)) {
    setTimeout(() => connect().catch(() => again()), wait * (1 + Math.random()));
  }

  async function connect() {
    const start = epoch === null ? "" : `?since=${last}&epoch=${epoch}`;
    const socket = new WebSocket(url + start, ["chat.v1", "base64url.bearer.chat." + base64url(await token())]);
    let order = Promise.resolve();
    // One after the other, since `hello` may have to wait for REST.
    socket.onmessage = ({ data }) => {
      order = order.then(() => take(JSON.parse(data))).catch(() => socket.close());
    };
    socket.onclose = ({ code, reason }) => {
      if (!over.has(code)) again(code === 4429 ? 1000 * Number(reason) : undefined);
    };
  }

  async function take(frame) {
    if (frame.type === "hello") {
      if (!frame.data.resumed) last = await reload();
      ({ epoch } = frame.data);
      failures = 0;
    } else if (frame.seq === undefined) {
      show(frame);
    } else if (frame.seq > last) {
      last = frame.seq;
      show(frame);
    }
  }

  connect().catch(() => again());
}
