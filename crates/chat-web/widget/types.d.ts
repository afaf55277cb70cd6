/** What the loader and the panel know of each other, and the global that pages use. */

import type { ChatError, Entry, State, TokenReason } from "../client/index.js";

export interface Identity {
  /** Returns a token for the person who uses the page. It is asked again before a token ends, and when one is refused. */
  token(why: TokenReason): string | Promise<string>;
}

export interface Events {
  /** The launcher is in the page. */
  ready: undefined;
  open: undefined;
  close: undefined;
  /** How many messages of the session are unread. */
  unread: number;
  message: Entry;
  state: State;
  error: ChatError;
}

export interface ChatWidget {
  open(): void;
  close(): void;
  toggle(): void;
  identify(identity: Identity): void;
  /** Ends the session of this person in all tabs, and erases what is stored about it. */
  logout(): Promise<void>;
  /** Removes the widget. The script may be loaded again afterwards. */
  destroy(): void;
  /** Returns a function that removes the listener. */
  on<K extends keyof Events>(event: K, listener: (value: Events[K]) => void): () => void;
  push(...commands: [string, ...unknown[]][]): void;
}

/** What is stored about the widget in this browser. */
export interface Stored {
  /** The session that was last shown. */
  session?: string;
  open?: boolean;
  unread?: number;
}

/** What the loader gives to the panel. */
export interface Shell {
  /** The server, such as `https://chat.example.com`. */
  origin: string;
  root: ShadowRoot;
  /** Has the language and the direction of the widget. */
  frame: HTMLElement;
  launcher: HTMLElement;
  badge: HTMLElement;
  lang: string;
  /** "Not loaded. Try again." in its language. */
  failedText: string;
  /** Whether pictures of people are loaded from their addresses. */
  avatars: boolean;
  close(): void;
  emit<K extends keyof Events>(event: K, value?: Events[K]): void;
  load(): Stored;
  save(changes: Stored): void;
}

/** What the panel gives to the loader. */
export interface Panel {
  identify(identity: Identity): void;
  show(isOpen: boolean, focus?: boolean): void;
  /** The stored session was changed by another tab, or removed by its sign-out. */
  restored(): void;
  /** Whether there was a client, which has erased what it had stored. */
  logout(): Promise<boolean>;
  stop(): void;
}

declare global {
  interface Window {
    chatWidget?: ChatWidget | [string, ...unknown[]][];
  }
  /** Where the files of this build are, from the root of the server. */
  const ASSETS: string;
}
