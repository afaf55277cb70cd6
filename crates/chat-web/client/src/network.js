// What the browser knows of the network and of the page. Only hints: a browser without any interface says "offline" while
// a server on the same machine works, and one behind a dead router says "online".

/** @returns {import("../index.d.ts").Network} */
export function browserNetwork() {
  const page = globalThis.document;
  return {
    get online() {
      return globalThis.navigator?.onLine !== false;
    },
    get visible() {
      return page?.visibilityState !== "hidden";
    },
    subscribe(listener) {
      if (!page) return () => {};
      const online = () => listener("online");
      const offline = () => listener("offline");
      const visible = () => page.visibilityState === "visible" && listener("visible");
      addEventListener("online", online);
      addEventListener("offline", offline);
      // A page that comes out of the back/forward cache was visible all the time.
      addEventListener("pageshow", visible);
      page.addEventListener("visibilitychange", visible);
      return () => {
        removeEventListener("online", online);
        removeEventListener("offline", offline);
        removeEventListener("pageshow", visible);
        page.removeEventListener("visibilitychange", visible);
      };
    },
  };
}
