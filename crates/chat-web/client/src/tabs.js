// Other tabs of the same page: a channel to all of them, and a lock that one of them holds.

/** @typedef {import("../index.d.ts").Tab} Tab */

/** A client without other tabs. @type {import("../index.d.ts").Tabs} */
export const noTabs = {
  join: () => ({ post() {}, subscribe() {}, lock: (_name, _signal, run) => run(), close() {} }),
};

/** @type {import("../index.d.ts").Tabs} */
export const browserTabs = {
  join(name) {
    const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel(name) : null;
    return {
      post: (message) => channel?.postMessage(message),
      subscribe(listener) {
        if (channel) channel.onmessage = ({ data }) => listener(data);
      },
      // Without Web Locks (pages over plain http) two tabs may send the same message; its key lets the server store it once.
      lock: (lock, signal, run) => globalThis.navigator?.locks?.request(lock, { signal }, run) ?? run(),
      close: () => channel?.close(),
    };
  },
};
