/**
 * The file `/widget.js`: a button, the global `chatWidget`, and nothing else until there is a reason. The panel, with the
 * client library, is loaded when the button is pressed for the first time, or when a session is stored in this browser.
 */

import styles from "./launcher.css";

/** @import { ChatWidget, Identity, Panel, Shell, Stored } from "./types.js" */

/**
 * What this file says itself: while the panel is loaded, when it could not be, and on the button, if that is not "Chat".
 *
 * @type {Record<string, [string, string, string?]>}
 */
const WORDS = {
  en: ["Loading…", "Not loaded. Try again."],
  de: ["Wird geladen …", "Nicht geladen. Erneut versuchen."],
  fr: ["Chargement…", "Non chargé. Réessayez."],
  es: ["Cargando…", "No cargado. Reintente."],
  ar: ["جارٍ التحميل…", "تعذّر التحميل. حاول مرة أخرى.", "دردشة"],
};
/** What begins with this in `localStorage` is the widget's. */
const KEY = "chatWidget";
const BUBBLE =
  "M12 3.5c-5 0-9 3.4-9 7.7 0 2.4 1.3 4.6 3.3 6-.1 1.2-.6 2.3-1.4 3.3 1.8-.2 3.4-.8 4.7-1.8.8.2 1.6.2 2.4.2 5 0 9-3.4 9-7.7s-4-7.7-9-7.7z";
const CHEVRON = "M6 9.5l6 6 6-6";

/** @param {HTMLScriptElement} script */
function boot(script) {
  const { origin } = new URL(script.src);
  const { theme, avatars } = script.dataset;
  const lang =
    [script.dataset.lang, document.documentElement.lang, ...navigator.languages]
      .map((tag) => tag?.slice(0, 2).toLowerCase() ?? "")
      .find((tag) => tag in WORDS) ?? "en";
  const [loadingText, failedText, label = "Chat"] = /** @type {[string, string, string?]} */ (WORDS[lang]);
  /** @type {Map<string, Set<(value: any) => void>>} */
  const listeners = new Map();
  const ending = new AbortController();
  const { signal } = ending;
  /** @type {Stored} Where the browser stores nothing, this page at least remembers. */
  let memory = {};
  /** @type {Identity | undefined} */
  let identity;
  /** @type {Panel | undefined} */
  let panel;
  /** @type {Promise<Panel | void> | undefined} */
  let loading;
  /** A browser may keep the failure of an address, so another attempt has another one. */
  let again = "";
  let isOpen = false;

  const host = document.createElement("chat-widget");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  const scheme = theme === "light" || theme === "dark" ? theme : "light dark";
  sheet.replaceSync(`${styles}:host{color-scheme:${scheme}!important}`);
  root.adoptedStyleSheets = [sheet];
  const frame = element("div", "chat", root);
  frame.lang = lang;
  frame.dir = lang === "ar" ? "rtl" : "ltr";
  const launcher = element("button", "launcher", frame);
  launcher.ariaLabel = label;
  launcher.ariaHasPopup = "dialog";
  launcher.ariaExpanded = "false";
  launcher.part = "launcher";
  const svg = shape("svg", "", launcher);
  shape("path", "open", svg).setAttribute("d", BUBBLE);
  shape("path", "shut", svg).setAttribute("d", CHEVRON);
  const badge = element("span", "badge", launcher);
  badge.part = "badge";
  const note = element("div", "note", frame);
  note.role = "status";

  /** @returns {Stored} */
  function load() {
    try {
      return JSON.parse(localStorage[KEY] ?? "{}");
    } catch {
      return memory;
    }
  }

  /** @param {Stored} changes */
  function save(changes) {
    memory = { ...load(), ...changes };
    try {
      localStorage[KEY] = JSON.stringify(memory);
    } catch {
      // A browser that stores nothing, such as one that blocks it for this page.
    }
  }

  /** @type {Shell["emit"]} */
  function emit(event, value) {
    for (const listener of listeners.get(event) ?? []) {
      attempt(() => listener(value));
    }
  }

  /** Loads the panel, once. The texts come at the same time. */
  function need() {
    // Each step is a task of its own: none shall take long, also on a slow machine.
    loading ??= Promise.all(
      ["panel", lang].map((name) => import(`${origin}${ASSETS}${name}.js${again}`)),
    )
      .then(pause)
      .then(([module, texts]) => {
        if (signal.aborted) return;
        note.textContent = "";
        const started = /** @type {Panel} */ (
          module.start(
            { origin, root, frame, launcher, badge, lang, failedText, avatars: avatars === "on", close, emit, load, save },
            texts.default,
          )
        );
        panel = started;
        setTimeout(() => identity && started.identify(identity));
        return pause(started);
      })
      .catch(() => {
        loading = undefined;
        again += "?";
        if (isOpen) {
          set(false);
          note.textContent = failedText;
        }
      });
    return loading;
  }

  /** @param {boolean} value @param {boolean} [focus] */
  function set(value, focus) {
    if (value === isOpen || signal.aborted) return;
    isOpen = value;
    launcher.ariaExpanded = String(value);
    save({ open: value });
    note.textContent = "";
    if (value && !panel) {
      // In most cases the panel comes sooner.
      setTimeout(() => {
        if (isOpen && !panel) note.textContent = loadingText;
      }, 300);
      need().then((loaded) => isOpen && loaded?.show(true, focus));
    } else panel?.show(value, focus);
    emit(value ? "open" : "close");
  }

  const close = () => set(false, true);

  /** @type {ChatWidget} */
  const api = {
    open: () => set(true, true),
    close,
    toggle: () => set(!isOpen, true),
    identify(given) {
      identity = given;
      if (panel) panel.identify(given);
      else if (load().session) need();
    },
    async logout() {
      identity = undefined;
      // It may fail, and what is below is erased all the same.
      const erasing = panel?.logout();
      set(false);
      try {
        for (const key of Object.keys(localStorage)) if (key.startsWith(KEY)) delete localStorage[key];
      } catch {
        // Nothing is stored then.
      }
      memory = {};
      // Without a client it is not known whose messages wait, so none stays.
      if (!(await erasing)) await erase(`chat ${origin}`);
    },
    destroy() {
      ending.abort();
      observer.disconnect();
      panel?.stop();
      host.remove();
      listeners.clear();
      if (window.chatWidget === api) delete window.chatWidget;
    },
    on(event, listener) {
      const others = listeners.get(event) ?? new Set();
      listeners.set(event, others.add(listener));
      if (event === "ready" && host.isConnected) queueMicrotask(() => listener(/** @type {any} */ (undefined)));
      return () => others.delete(listener);
    },
    push(...commands) {
      for (const [name, ...values] of commands) {
        attempt(() => /** @type {any} */ (api)[name](...values));
      }
    },
  };

  // Beside the body and not in it: a page that replaces its body keeps the widget, and a dialog on a phone makes the whole
  // page inert by one attribute. What else a page removes comes back.
  const attach = () => {
    if (!host.isConnected && document.body) document.documentElement.append(host);
  };
  const observer = new MutationObserver(attach);

  function mount() {
    if (signal.aborted) return;
    attach();
    observer.observe(document.documentElement, { childList: true });
    observer.observe(document, { childList: true });
    emit("ready");
    const stored = load();
    if (stored.open) set(true);
    else if (stored.session && identity) need();
  }

  launcher.addEventListener("click", api.toggle);
  addEventListener(
    "storage",
    ({ key }) => {
      if (key && key !== KEY) return;
      if (panel) panel.restored();
      else if (identity && load().session) need();
    },
    { signal },
  );
  const queued = window.chatWidget;
  window.chatWidget = api;
  if (Array.isArray(queued)) api.push(...queued);
  if (document.body) mount();
  else addEventListener("DOMContentLoaded", mount, { signal });
}

/** @template T @param {T} value @returns {Promise<T>} */
const pause = (value) => new Promise((resolve) => setTimeout(resolve, 0, value));

/** Erases what the client library has stored under this name, and tells those of other tabs. @param {string} name */
const erase = (name) =>
  new Promise((resolve, reject) => {
    new BroadcastChannel(name).postMessage({ type: "logout", user: null });
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = resolve;
    request.onerror = () => reject(request.error);
    // A page that keeps the database open although it is asked to close it.
    request.onblocked = () => reject(new Error("blocked"));
  });

/** Runs what the page has given: its faults are its own. @param {() => void} run */
function attempt(run) {
  try {
    run();
  } catch (error) {
    reportError(error);
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {string} className
 * @param {Node} parent
 */
function element(name, className, parent) {
  const made = document.createElement(name);
  made.className = className;
  parent.appendChild(made);
  return made;
}

/** @param {string} name @param {string} className @param {Node} parent */
function shape(name, className, parent) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  made.setAttribute("class", className);
  parent.appendChild(made);
  return made;
}

const script = /** @type {HTMLScriptElement | null} */ (document.currentScript);
// Loaded twice, the first one stays.
if (script && (!window.chatWidget || Array.isArray(window.chatWidget))) boot(script);
