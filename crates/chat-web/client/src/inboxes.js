// The inboxes that are open. The server has one for a socket, with the views of all of these.
import { createInbox } from "./inbox.js";
import { once } from "./once.js";

/** @typedef {ReturnType<typeof createInboxes>} Inboxes */

/**
 * @param {Parameters<typeof createInbox>[0]} ports
 * @param {(error: unknown) => void} onError
 * @param {() => void} onClosed
 */
export function createInboxes(ports, onError, onClosed) {
  const { socket } = ports;
  /** @type {Set<import("./inbox.js").InboxModel>} */
  const inboxes = new Set();

  function open() {
    const views = [...new Set([...inboxes].flatMap((inbox) => inbox.views))];
    if (views.length === 0 || socket.state !== "live") return;
    for (const inbox of inboxes) inbox.onOpening();
    socket.send({ type: "open_inbox", data: { views } });
  }

  return {
    get size() {
      return inboxes.size;
    },
    open,
    /** Whether the frame is one of an inbox. @param {any} frame */
    receive(frame) {
      const isRefusal = frame.type === "error" && frame.data.ref === "open_inbox";
      if (!isRefusal && frame.type !== "inbox" && frame.type !== "inbox_update") return false;
      for (const inbox of inboxes) {
        if (isRefusal) inbox.onRefused(frame.data, open);
        else inbox.receive(frame);
      }
      return true;
    },
    onSocketState() {
      for (const inbox of inboxes) inbox.onSocketState();
    },
    end() {
      for (const inbox of inboxes) inbox.end();
      inboxes.clear();
    },
    /** @param {import("../index.d.ts").InboxView[]} views @returns {import("../index.d.ts").Inbox} */
    add(views) {
      const inbox = createInbox(ports, views, onError);
      inboxes.add(inbox);
      open();
      return {
        get view() {
          return inbox.view;
        },
        subscribe: (listener) => inbox.listeners.on("change", listener),
        on: inbox.listeners.on,
        more: inbox.more,
        retryNow: socket.retryNow,
        close: once(() => {
          if (!inboxes.delete(inbox)) return;
          inbox.end();
          onClosed();
        }),
      };
    },
  };
}
