/** Templates for Preact: tagged strings, since files are served as they are written. */

import htm from "htm"
import { h } from "preact"

/** @type {(strings: TemplateStringsArray, ...values: unknown[]) => import("preact").VNode<any>} */
export const html = /** @type {any} */ (htm.bind(h))
