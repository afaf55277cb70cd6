// A network between a client and a server: a TCP proxy whose connections are cut, go silent, or lose the answer of a `POST`.
import { createServer, connect } from "node:net";

export async function startProxy(target) {
  const { hostname, port } = new URL(target);
  const pairs = new Set();
  let isSilent = false;
  let answersToLose = 0;

  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const pair = { client, upstream, isSilent, expectsPost: false };
    pairs.add(pair);
    const end = () => {
      // A silent network does not carry the end of a connection either.
      if (pair.isSilent) return;
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    client.on("data", (bytes) => {
      if (pair.isSilent) return;
      pair.expectsPost ||= bytes.subarray(0, 5).toString() === "POST ";
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      if (pair.isSilent) return;
      if (pair.expectsPost && answersToLose > 0) {
        answersToLose--;
        return end();
      }
      pair.expectsPost = false;
      client.write(bytes);
    });
    for (const side of [client, upstream]) side.on("error", end).on("close", end);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut() {
      for (const { client, upstream } of pairs) {
        client.destroy();
        upstream.destroy();
      }
      pairs.clear();
    },
    /** What is open carries nothing any more, and stays open; so does what is opened until it recovers. */
    goSilent() {
      isSilent = true;
      for (const pair of pairs) pair.isSilent = true;
    },
    recover() {
      isSilent = false;
    },
    loseAnswers(count) {
      answersToLose = count;
    },
    get answersToLose() {
      return answersToLose;
    },
    close() {
      this.cut();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
