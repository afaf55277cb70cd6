/**
 * The file `/widget.js`: a button, the global `chatWidget`, and nothing else until there is a reason. The panel, with the
 * client library, is loaded when the button is pressed for the first time, or when a session is stored in this browser.
 */

import styles from "./launcher.css";

/** @import { ChatWidget, Identity, Panel, Shell, Stored } from "./types.js" */

/** What this file says itself: the button, while the panel is loaded, and when it could not be. */
const WORDS = {
  en: ["Chat", "Loading…", "Not loaded. Try again."],
  de: ["Chat", "Wird geladen …", "Nicht geladen. Bitte erneut versuchen."],
  fr: ["Chat", "Chargement…", "Échec du chargement. Veuillez réessayer."],
  es: ["Chat", "Cargando…", "No se pudo cargar. Inténtelo de nuevo."],
  ar: ["دردشة", "جارٍ التحميل…", "تعذّر التحميل. حاول مرة أخرى."],
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
  const lang = /** @type {keyof typeof WORDS} */ (
    [script.dataset.lang, document.documentElement.lang, ...navigator.languages]
      .map((tag) => tag?.slice(0, 2).toLowerCase() ?? "")
      .find((tag) => tag in WORDS) ?? "en"
  );
  const [label = "", loadingText = "", failedText = ""] = WORDS[lang];
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
  launcher.type = "button";
  launcher.ariaLabel = label;
  launcher.ariaHasPopup = "dialog";
  launcher.ariaExpanded = "false";
  launcher.setAttribute("part", "launcher");
  icon(launcher, "open", BUBBLE);
  icon(launcher, "shut", CHEVRON);
  const badge = element("span", "badge", launcher);
  badge.setAttribute("part", "badge");
  const note = element("div", "note", frame);
  note.setAttribute("role", "status");

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
    loading ??= Promise.all([import(`${origin}${ASSETS}panel.js`), import(`${origin}${ASSETS}${lang}.js`)])
      .then(pause)
      .then(([module, texts]) => {
        if (signal.aborted) return;
        note.textContent = "";
        const started = /** @type {Panel} */ (
          module.start(
            { origin, host, root, frame, launcher, badge, lang, avatars: avatars === "on", close, emit, load, save },
            texts.default,
          )
        );
        panel = started;
        setTimeout(() => identity && started.identify(identity));
        return pause(started);
      })
      .catch(() => {
        loading = undefined;
        if (isOpen) note.textContent = failedText;
        set(false);
      });
    return loading;
  }

  /** @param {boolean} value @param {boolean} [focus] */
  function set(value, focus) {
    if (value === isOpen || signal.aborted) return;
    isOpen = value;
    launcher.ariaExpanded = String(value);
    save({ open: value });
    if (value && !panel) {
      note.textContent = loadingText;
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
      const known = identity;
      identity = undefined;
      // What an earlier page has stored is erased by the panel, which knows where it is, in the name that it was given.
      if (!panel && known && load().session) {
        (await need())?.identify(known);
      }
      await panel?.logout();
      set(false);
      try {
        for (const key of Object.keys(localStorage)) if (key.startsWith(KEY)) localStorage.removeItem(key);
      } catch {
        // Nothing is stored then.
      }
      memory = {};
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
      if (key !== KEY && key !== null) return;
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

/** @param {Element} parent @param {string} className @param {string} path */
function icon(parent, className, path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", className);
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.ariaHidden = "true";
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  parent.append(svg);
}

const script = document.currentScript;
// Loaded twice, the first one stays.
if (script instanceof HTMLScriptElement && (!window.chatWidget || Array.isArray(window.chatWidget))) boot(script);
