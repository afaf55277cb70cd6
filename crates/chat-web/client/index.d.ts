/** The public types of the client library, and the ports that tests and other platforms replace. */

/** `live` means: the socket has said `hello`, and what REST had to bring is in the view. */
export type State = "idle" | "connecting" | "live" | "waiting" | "offline" | "stopped";
export type Delivery = "queued" | "uploading" | "sending" | "sent" | "delivered" | "read" | "failed";
export type Priority = "low" | "medium" | "high";
export type InboxView = "mine" | "waiting" | "assigned" | "closed";
/** Why a token is asked for: none was there, the one before ends soon, or the server has refused it. */
export type TokenReason = "first" | "expiring" | "rejected";

export interface Person {
  id: string;
  name?: string;
  avatarUrl?: string;
}

export interface ChatSession {
  id: string;
  userId: string;
  agentId: string | null;
  user?: Person;
  agent?: Person | null;
  status: "active" | "closed";
  startedAt: string;
  endedAt: string | null;
  subject?: string;
  priority: Priority;
  tags: string[];
}

export interface Attachment {
  id: string;
  url: string;
  thumbnailUrl?: string;
  type: string;
  name: string;
  size: number;
  metadata?: { width?: number; height?: number; duration?: number; dominantColor?: string };
}

/** A file of a message that is not stored on the server yet. */
export interface LocalAttachment {
  id: null;
  type: string;
  name: string;
  size: number;
  file: Blob;
}

export interface Message {
  id: string;
  seq: number;
  content: string;
  sender: "user" | "support";
  author?: Person;
  timestamp: string;
  read: boolean;
  status: "sent" | "delivered" | "read";
  attachments?: Attachment[];
}

/** A message as it is shown. Until the server has stored it, `id` and `seq` are `null`. */
export interface Entry {
  /** Stays the same from `send` to `read`, which makes it the key of a list: the idempotency key, else the id. */
  key: string;
  id: string | null;
  seq: number | null;
  content: string;
  sender: "user" | "support";
  author?: Person;
  timestamp: string;
  read: boolean;
  attachments?: (Attachment | LocalAttachment)[];
  delivery: Delivery;
  own: boolean;
  /** From 0 to 1, while `delivery` is `uploading`. */
  progress?: number;
  /** Why `delivery` is `failed`, or why the message waits. */
  error?: ChatError;
}

export interface SessionView {
  readonly state: State;
  /** When the next attempt to connect is made, in milliseconds since 1970; `null` when none is planned. */
  readonly retryAt: number | null;
  readonly session: ChatSession | null;
  readonly messages: readonly Entry[];
  readonly hasOlder: boolean;
  readonly unread: number;
  /** The ids of the people who type. */
  readonly typing: readonly string[];
  readonly error: ChatError | null;
}

export interface Receipt {
  userId: string;
  status: "delivered" | "read";
  upToSeq: number;
  messageIds: string[];
  timestamp: string;
}

export interface SessionEvents {
  /** A message has arrived, own ones included; never what a reload brings. */
  message: Entry;
  receipt: Receipt;
  session: ChatSession;
  typing: readonly string[];
  state: State;
  /** The newest messages were read over REST, the first time or after a `gap`. */
  reloaded: null;
  /** What was missed cannot be replayed; a reload follows. */
  gap: { reason: string };
}

export interface Outgoing {
  readonly key: string;
  /** The stored message. A rejection that is not handled is not reported. */
  readonly done: Promise<Message>;
  /** Sends a failed message again, with the same key. */
  retry(): void;
  /** Removes it from the outbox. A message that the server has stored already stays. */
  cancel(): void;
}

export interface Session {
  readonly id: string;
  readonly view: SessionView;
  subscribe(listener: () => void): () => void;
  on<K extends keyof SessionEvents>(event: K, listener: (value: SessionEvents[K]) => void): () => void;
  send(text: string, options?: { files?: Iterable<Blob> }): Outgoing;
  /** The handle of a message in the outbox, also of one that was sent before the page was reloaded. */
  outgoing(key: string): Outgoing | null;
  /** Reads a page of older messages; rejects with a `ChatError` if it cannot be read now. */
  older(): Promise<void>;
  /** Marks messages as read up to a `seq`, by default all. */
  read(upTo?: number): void;
  /** May be called at each key press. */
  typing(on?: boolean): void;
  retryNow(): void;
  close(): void;
}

export interface LastMessage {
  id: string;
  seq: number;
  sender: "user" | "support";
  author: Person;
  preview: string;
  timestamp: string;
  attachmentCount: number;
}

export interface InboxItem extends ChatSession {
  lastMessage: LastMessage | null;
  unreadCount: number;
  lastActivityAt: string;
  waitingSince: string | null;
  seq: number;
}

export interface InboxCounts {
  mine: number;
  mineUnread: number;
  waiting: number;
  longestWaitingSince: string | null;
}

export interface InboxState {
  readonly state: State;
  readonly retryAt: number | null;
  readonly items: Readonly<Partial<Record<InboxView, readonly InboxItem[]>>>;
  /** The views of which the server has more pages: see `more`. */
  readonly hasMore: Readonly<Partial<Record<InboxView, boolean>>>;
  readonly counts: InboxCounts | null;
  readonly error: ChatError | null;
}

export interface InboxEvents {
  /** A session has come into the view `waiting`. */
  waiting: InboxItem;
  /** A session has come into the view `mine`. */
  assigned: InboxItem;
  /** A session of the inbox has a new message that another person wrote. */
  message: InboxItem;
}

export interface Inbox {
  readonly view: InboxState;
  subscribe(listener: () => void): () => void;
  on<K extends keyof InboxEvents>(event: K, listener: (item: InboxEvents[K]) => void): () => void;
  /** Reads a further page of a view. */
  more(view: InboxView): Promise<void>;
  retryNow(): void;
  close(): void;
}

export interface SessionPage {
  sessions: ChatSession[];
  totalCount: number;
  totalPages: number;
  page: number | null;
  nextCursor: string | null;
}

export interface InboxPage {
  items: InboxItem[];
  counts: InboxCounts;
  nextCursor: string | null;
}

export interface Agent {
  id: string;
  displayName: string | null;
  avatarUrl?: string;
  active: boolean;
  /** Whether they can be reached; in lists alone. */
  availability?: "online" | "away" | "offline";
  createdAt?: string;
}

export interface Statistics {
  totalSessions: number;
  activeSessions: number;
  averageResponseTime: number;
  messagesExchanged: number;
}

export interface SessionFields {
  subject?: string | null;
  priority?: Priority;
  tags?: string[];
}

export interface Client {
  readonly sessions: {
    list(filter?: {
      status?: "active" | "closed";
      cursor?: string;
      page?: number;
      limit?: number;
    }): Promise<SessionPage>;
    /** A page of a view of the inbox. `mine` has no filters, and `agentId` is one of `assigned` alone. */
    inbox(
      view: InboxView,
      filter?: {
        priority?: Priority;
        tag?: string;
        userId?: string;
        agentId?: string;
        cursor?: string;
        limit?: number;
      },
    ): Promise<InboxPage>;
    /** Repeats itself after a lost answer, with one idempotency key, so that one session is created. */
    create(fields?: SessionFields & { userId?: string }): Promise<ChatSession>;
    get(id: string): Promise<ChatSession>;
    assign(id: string, agentId: string): Promise<ChatSession>;
    /** To another agent, or with `null` back to the queue. */
    transfer(id: string, agentId: string | null): Promise<ChatSession>;
    close(id: string): Promise<ChatSession>;
    update(id: string, fields: SessionFields): Promise<ChatSession>;
  };
  readonly agents: {
    list(): Promise<Agent[]>;
    put(id: string, fields?: { displayName?: string | null; active?: boolean }): Promise<Agent>;
    deactivate(id: string): Promise<void>;
    /** How the caller, an agent, is shown while they have an inbox open. */
    setAvailability(status: "online" | "away"): Promise<{ status: "online" | "away" }>;
  };
  readonly people: {
    block(id: string, reason?: string): Promise<void>;
    unblock(id: string): Promise<void>;
    signOut(id: string): Promise<void>;
  };
  stats(): Promise<Statistics>;
  /** The bytes of an attachment, or of its thumbnail. The token is sent to the client's own server alone. */
  download(attachment: { id: string }, options?: { thumbnail?: boolean; signal?: AbortSignal }): Promise<Blob>;
  /** One session for one id, however often it is opened: all show the same `view` object. It ends when each is closed. */
  open(id: string): Session;
  inbox(views: InboxView[]): Inbox;
  /**
   * Ends the client in all tabs of this person, and erases what is stored, also after `close`. Rejects with a `ChatError` (`STORAGE`) if that
   * cannot be erased; the client has ended then as well.
   */
  logout(): Promise<void>;
  /** Ends the client in this tab. Messages in the outbox stay stored. */
  close(): void;
}

export interface Options {
  /** The server's address, such as `https://chat.example.com`. */
  url: string;
  /** What stands behind `Bearer`: letters, digits and `-._~+/=` (b64token of RFC 6750). Anything else is `AUTH`. */
  token(why: TokenReason): string | Promise<string>;
  /** Where the outbox is kept: IndexedDB where there is one, with `null` memory. */
  storage?: Storage | null;
  /** How tabs know of each other: BroadcastChannel and Web Locks where they exist, with `null` not at all. */
  tabs?: Tabs | null;
  fetch?: typeof globalThis.fetch;
  WebSocket?: SocketConstructor;
  network?: Network;
  clock?: Clock;
  /** From 0 up to 1, as `Math.random`. */
  random?: () => number;
  /** Receives what listeners throw and faults that end no operation. */
  onError?: (error: unknown) => void;
}

export function createClient(options: Options): Client;

/** A failure with a code of the server's error reference, or NETWORK, TIMEOUT, ABORTED, AUTH, PROTOCOL, STORAGE. */
export class ChatError extends Error {
  constructor(code: string, message: string, fields?: Partial<ChatErrorFields> & { cause?: unknown });
  readonly code: string;
  /** The status of the answer; 0 when there was none. */
  readonly status: number;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Seconds to wait, if the server has said so. */
  readonly retryAfter: number | null;
  /** Names the request in the server's log. */
  readonly requestId: string | null;
  readonly details: { field: string; message: string }[];
}

export interface ChatErrorFields {
  status: number;
  retryable: boolean;
  retryAfter: number | null;
  requestId: string | null;
  details: { field: string; message: string }[];
}

/* Ports */

/** A message as the outbox stores it: what structured clone takes. */
export interface OutboxRecord {
  /** Given by the storage, ascending. */
  id?: number;
  key: string;
  /** Who sends it; `null` while that is not known yet. */
  user: string | null;
  sessionId: string;
  content: string;
  files: Blob[];
  /** The ids of the files that were uploaded, in the order of `files`. */
  uploads: string[];
  createdAt: number;
  failed: (ChatErrorFields & { code: string; message: string }) | null;
}

export interface Storage {
  /** Whether other tabs see the same records. */
  shared(): Promise<boolean>;
  /** Stores a record and returns its id, which is higher than all before. */
  add(record: OutboxRecord): Promise<number>;
  /** Stores a record again, if it is there still. */
  put(record: OutboxRecord): Promise<void>;
  delete(id: number): Promise<void>;
  all(): Promise<OutboxRecord[]>;
  /** Gives back what it holds. A call that follows, as of a logout, works all the same. */
  close(): void;
}

export interface Tabs {
  /** May be called again after the tab was closed, for a logout that follows. */
  join(channel: string): Tab;
}

export interface Tab {
  /** Reaches all other tabs of the channel. */
  post(message: unknown): void;
  subscribe(listener: (message: any) => void): void;
  /** Runs a function while no other tab runs one under this name. Aborted, it rejects without running it. */
  lock(name: string, signal: AbortSignal, run: () => Promise<void>): Promise<void>;
  close(): void;
}

export interface Network {
  readonly online: boolean;
  readonly visible: boolean;
  subscribe(listener: (event: "online" | "offline" | "visible") => void): () => void;
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: any): void;
}

export interface SocketLike {
  /** As that of a browser's socket: nothing is sent at 2 (closing) and 3 (closed). */
  readonly readyState?: number;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export interface SocketConstructor {
  new (url: string, protocols: string[]): SocketLike;
}
