/** What the parts of the console know of each other. */

import type { Agent, ChatError, ChatSession, Client, Inbox, InboxItem, Session, SessionView, State } from "../client/index.js";
import type { Composer } from "../ui/composer.js";
import type { Ui } from "../ui/ui.js";
import type { List } from "./list.js";

/** A list of sessions. `all` is read over REST, the others are views of the inbox. `assigned` and `all` are for admins. */
export type ListName = "mine" | "waiting" | "closed" | "assigned" | "all";
/** What an address of the console names. */
export interface Route {
  /** The list that is shown beside the thread, or a page of its own. */
  view: ListName | "statistics" | "agents";
  /** The session whose thread is open. */
  session: string | null;
  /** On a narrow screen: whether the details of the customer cover the thread. */
  details: boolean;
}

/** What an agent has chosen, kept in this browser for this person. */
export interface Settings {
  shortcuts: boolean;
  notifications: boolean;
  sound: boolean;
  /** Whether the details beside the thread are shown on a wide screen. */
  details: boolean;
}

export interface SettingsStore {
  readonly value: Readonly<Settings>;
  set(changes: Partial<Settings>): void;
  /** Also for changes of other windows. */
  subscribe(listener: () => void): () => void;
}

/** What is typed and not sent, for each session. It survives a reload and a crash. Files last as long as the page. */
export interface Drafts {
  get(session: string): string;
  set(session: string, text: string): void;
  files(session: string): readonly File[];
  setFiles(session: string, files: readonly File[]): void;
  /** Whether there are none, of no session, and no files that wait. */
  readonly isEmpty: boolean;
  /** Forgets all of this person's drafts. */
  clear(): void;
  /** Also for changes of other windows; the argument is the session. */
  subscribe(listener: (session: string) => void): () => void;
}

/** The prepared answers of this person, by their names without the slash. */
export interface CannedReplies {
  readonly all: readonly { name: string; text: string }[];
  /** Whether the browser has stored them. If not, they last as long as the page. */
  readonly isStored: boolean;
  /**
   * Adds one, or puts it in the place of the one that was called `before`. Throws an `Error` with a text for people if the
   * server or `/name` could not take it, if another one has the name, or if there are too many.
   */
  put(name: string, text: string, before?: string): void;
  remove(name: string): void;
  /** As JSON, for a file. */
  export(): string;
  /**
   * Adds those of a file; returns how many, and how many of them had another text before. Throws an `Error` with a text for
   * people, and changes nothing then.
   */
  import(json: string): { added: number; replaced: number };
  subscribe(listener: () => void): () => void;
}

/** A person as whom one is signed in at a desk. */
export interface Me {
  id: string;
  role: "agent" | "admin";
}

/** A list as far as it is loaded. */
export interface SessionList {
  readonly items: readonly InboxItem[];
  readonly hasMore: boolean;
  /** Whether anything is known of it yet. */
  readonly isLoaded: boolean;
  readonly isReading: boolean;
  readonly error: ChatError | null;
}

/** What the person may do with a session as it is: only that is offered. */
export interface Rights {
  /** Take it from the queue. */
  claim: boolean;
  /** Give a waiting one to an agent. */
  assign: boolean;
  transfer: boolean;
  close: boolean;
  /** Also to type, to mark as read, and to change the details. */
  write: boolean;
}

/** How urgently a notice is said to those who do not see the page; all are shown as well. */
export type Urgency = "polite" | "assertive";

/** The model of the console: what is shown and what can be done. It makes no element. */
export interface Desk {
  readonly me: Me;
  readonly client: Client;
  readonly inbox: Inbox;
  readonly route: Route;
  readonly settings: SettingsStore;
  readonly drafts: Drafts;
  readonly canned: CannedReplies;
  /** The session of a list that the keyboard is at. */
  readonly selected: string | null;
  /** Called when anything has changed that is shown; many changes between two pictures of the screen are one call. */
  subscribe(listener: () => void): () => void;
  /** Changes parts of the route; a new entry of the browser's history unless `replace`. */
  go(changes: Partial<Route>, options?: { replace?: boolean }): void;
  /** Goes back in the history if the entry before this one has the changed route; else changes it in this one. */
  back(changes: Partial<Route>): void;
  select(session: string | null): void;
  /** The live session; one object for each id. Sessions of `mine` stay open, up to 50 of the most recent ones. */
  session(id: string): Session;
  /** The item of a session, if a list has it. */
  item(id: string): InboxItem | null;
  /** The name that is shown for a person. */
  nameOf(id: string | null | undefined): string;
  /** Whether the window is seen and has the focus, as reading needs. */
  readonly isAttentive: boolean;
  /** Takes a waiting session; `false` if it was not to be had, which is then said. */
  claim(id: string): Promise<boolean>;
  /** To an agent, or with `null` to the queue. */
  transfer(id: string, agent: string | null): Promise<boolean>;
  close(id: string): Promise<boolean>;
  /** Gives a waiting session to an agent: for admins. */
  assign(id: string, agent: string): Promise<boolean>;
  rightsOn(session: ChatSession): Rights;
  /** How many messages of the sessions of Mine are not read. */
  readonly unread: number;
  /** How many messages of a session its agent has not read. */
  unreadOf(item: InboxItem): number;
  /** Whether this person has just claimed a session and wants to write; once, for the thread that takes the focus. */
  takeClaimed(id: string): boolean;
  /** Whether something was done with a session in this window. */
  hasActed(id: string): boolean;
  /** Whether a message of a session was not sent, and waits for what the person says to that. */
  hasFailed(id: string): boolean;
  /** Whether one of these is being done with a session. */
  isBusy(id: string): boolean;
  /** The subject of a session, else the name of its customer. */
  subjectOf(session: ChatSession | null | undefined): string;

  /** The lists of this person, in their order. */
  readonly lists: readonly ListName[];
  list(name: ListName): SessionList;
  /** How many sessions a list has on the server; `null` while that is not known. */
  countOf(name: ListName): number | null;
  /** Reads a further page of a list. */
  more(name: ListName): Promise<void>;
  /** What a session shows, if it is open. Unlike `session`, it opens none. */
  live(id: string): SessionView | null;

  readonly connection: { readonly state: State; readonly retryAt: number | null; readonly error: ChatError | null };
  retryNow(): void;
  /** The agents as they were read last. */
  readonly agents: readonly Agent[];
  readAgents(): Promise<readonly Agent[]>;
  /** What an agent has chosen; `null` while that is not known, and for admins. */
  readonly availability: "online" | "away" | null;
  setAvailability(status: "online" | "away"): Promise<void>;

  /** Shows a notice and says it. */
  tell(text: string, urgency?: Urgency): void;
  /** Says something to those who do not see the page, and shows nothing. */
  say(text: string, urgency?: Urgency): void;
  /** Whether something was typed, or waits to be sent, that a sign-out deletes. */
  hasUnsent(): boolean;
  /** Forgets the token, the drafts and the outbox, and shows the sign-in. */
  signOut(): Promise<void>;
}

/** What pieces of the user interface are given. */
export interface Parts {
  desk: Desk;
  ui: ConsoleUi;
  /** The composer of the open thread. */
  composer: { current: Composer | null };
  /** Where dialogs are put. */
  root: HTMLElement;
  /** The list that is shown. */
  list: { current: List | null };
  /** The addresses of a route and of a session in the console, for links. */
  address(route: Route): string;
  link(session: string): string;
}

export interface ConsoleUi extends Omit<Ui, "t"> {
  t: (key: import("./texts.js").Key, values?: import("../ui/words.js").Values) => string;
}

/** What a page gives that has the console in it. */
export interface MountOptions {
  /** The server's origin. */
  url: string;
  token: string;
  /** The role as the server has said it; without it, the one that stands in the token. */
  role?: Me["role"];
  /** Whether the address bar follows the route. The console in the demo has no address. */
  addresses?: boolean;
  /** Called with the reason when the token is refused or has ended, and after a sign-out, also if it could not erase all. */
  signedOut?: (why: "expired" | "refused" | "signOut" | "notErased") => void;
}

export interface MountedConsole {
  readonly desk: Desk;
  destroy(): void;
}
